/* One emulated RP2040 around one Unicorn engine: what a snapshot must hold, and what belongs to the host. */
#ifndef PRIOT_EMULATOR_MACHINE_H
#define PRIOT_EMULATOR_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unicorn/unicorn.h>

#define ROM_BYTES 0x4000u
#define ROM_CODE 0x400u /* the one page of it that may be executed */
#define SRAM_BASE 0x20000000u
#define SRAM_BYTES 0x42000u
#define FLASH_BASE 0x10000000u
#define FLASH_BYTES 0x200000u
#define PAGE_BYTES 1024u /* Unicorn's smallest page on this core: text and data must not share one */

/* Unicorn is not linked: Python hands over these addresses, in this order, from the library that it has loaded. */
#define UNICORN_FUNCTIONS(X)                                                                                           \
    X(open)                                                                                                            \
    X(close)                                                                                                           \
    X(ctl)                                                                                                             \
    X(mem_map_ptr)                                                                                                     \
    X(mmio_map)                                                                                                        \
    X(mem_protect)                                                                                                     \
    X(hook_add)                                                                                                        \
    X(emu_start)                                                                                                       \
    X(emu_stop)                                                                                                        \
    X(reg_read_batch)                                                                                                  \
    X(reg_write_batch)                                                                                                 \
    X(strerror)
#define POINTER(name) __typeof__(uc_##name) *name;
typedef struct {
    UNICORN_FUNCTIONS(POINTER)
} unicorn_functions;
#undef POINTER

/* Why machine_run returned; class Stop of machine.py. */
typedef enum {
    STOP_NONE = 0,
    STOP_IDLE = 1,   /* in WFI, no interrupt pending, no input left */
    STOP_RESET = 2,  /* the firmware asked for a reset, which has been done */
    STOP_LOCKUP = 3, /* a fault that no handler could take */
    STOP_SLICE = 4,  /* the time given is over; may go on where it was */
    STOP_INPUT = 5,  /* within machine_run only: bytes wait for a core that is busy */
} machine_stop;

/* What struck last; class FaultKind of machine.py. */
typedef enum {
    FAULT_NONE = 0,
    FAULT_READ = 1,
    FAULT_WRITE = 2,
    FAULT_FETCH = 3,
    FAULT_UNALIGNED = 4,
    FAULT_INSTRUCTION = 5,
    FAULT_EXCEPTION = 6,
} fault_kind;

typedef struct {
    uint32_t kind;
    uint32_t pc;
    uint32_t address; /* of a FAULT_READ or FAULT_WRITE; in text only its page is known */
} machine_fault;

enum {
    R0,
    R1,
    R2,
    R3,
    R12 = 12,
    SP,
    LR,
    PC,
    XPSR,
    PRIMASK,
    CONTROL,
    REGISTERS
};

typedef struct {
    uint64_t instructions;
    uint64_t cycles;
    uint64_t last; /* the last block's cost, see counting.c; 0 when it does not matter any more */
    uint64_t end;  /* address behind it */
} machine_counters;

#define UART_FIFO 32u
typedef struct {
    uint16_t fifo[UART_FIFO]; /* byte, and the overrun flag in bit 11 */
    uint32_t first, count;
    uint32_t overrun;    /* bytes were lost since the last one that went in */
    uint32_t interrupts; /* latched: receive timeout, transmit, overrun */
} machine_uart;

#define SSI_FIFO 16u
typedef struct {
    uint32_t arguments[4]; /* of the bootrom's function that runs */
    uint32_t takes_commands;
    uint32_t selected;
    uint32_t position; /* bytes since it was selected */
    uint32_t command;  /* the first of them */
    uint32_t first, count;
    uint8_t fifo[SSI_FIFO];
} machine_flash_chip;

/* Registers that are plain memory, kept by address, so that any peripheral may have some. */
#define STORAGE_SLOTS 4096u
typedef struct {
    uint32_t address, value;
} stored_register;

typedef struct {
    uint32_t registers[REGISTERS]; /* valid while Unicorn is not running, see core_save */
    uint32_t waiting;              /* the core stands behind a WFI */
    uint32_t locked;
    uint32_t depth; /* exceptions entered and not left */
    uint32_t hard_fault;
    uint32_t nvic_enabled, nvic_pending;
    uint64_t systick_zero;  /* cycle at which SysTick's counter was last cleared or started */
    uint64_t systick_wraps; /* wraps that a read of COUNTFLAG has seen */
    uint32_t timer_high;    /* latched by a read of TIMELR */
    uint64_t watchdog_due;  /* cycle at which it bites; WATCHDOG_NEVER */
    machine_fault fault;
    machine_counters counters;
    machine_uart uart;
    machine_flash_chip chip;
    uint64_t look_due; /* cycle at which the host's clock and queue are looked at next */
    uint32_t stored;
    stored_register storage[STORAGE_SLOTS];
} machine_state;

typedef struct {
    uint8_t *bytes;
    size_t first, end, room;
} byte_queue;

/* Eight bytes of SRAM, and the counts of the code before the block that was the first to find them so. */
typedef struct {
    uint64_t value, instructions, cycles;
} watched_change;

#define WATCHDOG_NEVER UINT64_MAX
#define CYCLES_PER_MICROSECOND 125u
#define UNMODELLED_KEPT 64u
typedef struct {
    machine_state state; /* first: Python copies it as bytes */
    uc_engine *uc;
    unicorn_functions api;
    uint8_t *rom, *sram, *flash;
    uint8_t pages[(SRAM_BYTES + FLASH_BYTES) / PAGE_BYTES]; /* UC_PROT_* of each page, SRAM first */
    uint64_t *blocks;                                       /* decoded costs, see counting.c */
    uint32_t entry, entry_sp;
    byte_queue input, output;
    machine_stop requested;          /* by a callback, during one uc_emu_start */
    uint64_t requested_instructions; /* counted then */
    int interrupt;                   /* QEMU's exception number, or -1 */
    fault_kind denied;               /* what fill_tlb refused during it */
    uint32_t touched;                /* address of a refused access, or 0 */
    uint64_t now;                    /* cycles before the instruction that accesses TIMER or the core's registers */
    uint64_t attention;              /* cycles at which attend() is due */
    const uint8_t *watched;          /* eight bytes of SRAM, or NULL */
    uint64_t watched_value;          /* what lay there last */
    byte_queue changes;              /* watched_change, one after another */
    bool lost_changes;               /* for want of memory */
    uint64_t flash_changes;          /* how often the firmware has erased or written flash */
    double slice_end;                /* host clock, seconds */
    uint32_t unmodelled[UNMODELLED_KEPT];
    uint32_t unmodelled_count;
} machine;

/* counting.c */
void count_block(uc_engine *uc, uint64_t address, uint32_t size, void *user);
uint32_t last_block(const machine *m);                 /* where the last block starts */
uint64_t cycles_before(const machine *m, uint32_t pc); /* `pc` within the last block */
void count_back(machine *m, uint32_t from);            /* takes back what it counted from address `from` on */
void counts_before_last(const machine *m, uint64_t *instructions, uint64_t *cycles);

/* run.c */
void attend(machine *m, uint64_t instructions_before); /* the host's clock and the watchdog */
void request_stop(machine *m, machine_stop why, uint64_t instructions_before);

/* peripherals.c, uart.c, core.c: registers; addresses without their alias bits, narrow writes already widened */
uc_err peripheral_map(machine *m);
bool peripheral_is_exact(uint32_t address); /* whether an access needs `now` */
void peripheral_reset(machine *m);
uint32_t *stored_value(machine *m, uint32_t address, uint32_t reset_value);
void note_unmodelled(machine *m, uint32_t address);
bool in_reset(machine *m, uint32_t bit);
uint32_t uart_read(machine *m, uint32_t offset, bool peek);
void uart_write(machine *m, uint32_t offset, uint32_t value);
void uart_receive(machine *m, bool paced);
bool uart_interrupt(machine *m);
uint32_t core_read(machine *m, uint32_t offset);
void core_write(machine *m, uint32_t offset, uint32_t value);
uint32_t vector_table(machine *m);
int pending_interrupt(machine *m);

/* flash.c: the bootrom and the flash chip */
void bootrom_fill(uint8_t rom[ROM_BYTES]);
uint32_t ssi_read(machine *m, uint32_t offset, bool peek);
void ssi_write(machine *m, uint32_t offset, uint32_t value);
void flash_select(machine *m, uint32_t control);

/* exceptions.c */
bool exception_enter(machine *m, uint32_t number);
bool exception_leave(machine *m);
void core_load(machine *m); /* state.registers -> Unicorn */
void core_save(machine *m); /* Unicorn -> state.registers */
uint32_t core_pc(machine *m);

/* queue.c */
bool queue_put(byte_queue *q, const uint8_t *bytes, size_t count);

static inline bool in_sram(uint32_t address, uint32_t bytes) {
    return address - SRAM_BASE < SRAM_BYTES && bytes <= SRAM_BYTES - (address - SRAM_BASE);
}

#endif
