/* The RP2040's peripherals as far as a firmware on its own needs them: resets, clocks, oscillator, PLLs, watchdog,
 * timer, pins as memory, UART0, the flash chip, a USB controller without a host, the core's registers. Anything else is
 * memory too, and noted as not modelled. */
#include "machine.h"

#include <string.h>

#define PERIPHERAL(address) ((address) & ~0x3fffu)
enum {
    XIP_SSI = 0x18000000,
    CLOCKS = 0x40008000,
    RESETS = 0x4000c000,
    IO_BANK0 = 0x40014000,
    IO_QSPI = 0x40018000,
    PADS_BANK0 = 0x4001c000,
    XOSC = 0x40024000,
    PLL_SYS = 0x40028000,
    PLL_USB = 0x4002c000,
    UART0 = 0x40034000,
    TIMER = 0x40054000,
    WATCHDOG = 0x40058000,
    ROSC = 0x40060000,
    USB_MEMORY = 0x50100000,
    USB = 0x50110000,
};
#define SIO 0xd0000000u
#define PPB 0xe000e000u
#define ALL_RESETS 0x01ffffffu
#define WATCHDOG_CTRL (WATCHDOG + 0x00u)
#define WATCHDOG_LOAD (WATCHDOG + 0x04u)
#define WATCHDOG_REASON (WATCHDOG + 0x08u)
#define WATCHDOG_SCRATCH (WATCHDOG + 0x0cu)
#define WATCHDOG_TICK (WATCHDOG + 0x2cu)

static uint32_t reset_value(uint32_t address) {
    switch (address) {
    case RESETS:
        return ALL_RESETS;
    case PLL_SYS:
    case PLL_USB:
        return 1u; /* CS: REFDIV */
    case PLL_SYS + 4:
    case PLL_USB + 4:
        return 0x2du; /* PWR: everything down */
    case WATCHDOG_TICK:
        return 0x200u; /* enabled, with no divider yet */
    default:
        return 0;
    }
}

uint32_t *stored_value(machine *m, uint32_t address, uint32_t initial) {
    machine_state *state = &m->state;
    uint32_t slot = (address >> 2) * 2654435761u >> 20;
    while (state->storage[slot].address != address + 1u) {
        if (state->storage[slot].address == 0) {
            /* The last free slot ends every search: registers beyond it share it, which no firmware here reaches. */
            if (state->stored < STORAGE_SLOTS - 1u) {
                state->stored++;
                state->storage[slot] = (stored_register){.address = address + 1u, .value = initial};
            }
            break;
        }
        slot = (slot + 1u) % STORAGE_SLOTS;
    }
    return &state->storage[slot].value;
}

static uint32_t *reg(machine *m, uint32_t address) {
    return stored_value(m, address, reset_value(address));
}

void note_unmodelled(machine *m, uint32_t address) {
    for (uint32_t i = 0; i < m->unmodelled_count; i++) {
        if (m->unmodelled[i] == address) {
            return;
        }
    }
    if (m->unmodelled_count < UNMODELLED_KEPT) {
        m->unmodelled[m->unmodelled_count++] = address;
    }
}

bool in_reset(machine *m, uint32_t bit) {
    return (*reg(m, RESETS) >> bit & 1u) != 0;
}

/* TIMER counts the watchdog's tick: microseconds, when the firmware has started it. */
static uint32_t timer_read(machine *m, uint32_t offset) {
    bool ticks = (*reg(m, WATCHDOG_TICK) & 0x200u) && (*reg(m, WATCHDOG_TICK) & 0x1ffu) && !in_reset(m, 21);
    uint64_t microseconds = ticks ? m->now / CYCLES_PER_MICROSECOND : 0;
    switch (offset) {
    case 0x08: /* TIMEHR, latched by TIMELR */
        return m->state.timer_high;
    case 0x0c: /* TIMELR */
        m->state.timer_high = (uint32_t)(microseconds >> 32);
        return (uint32_t)microseconds;
    case 0x24: /* TIMERAWH */
        return (uint32_t)(microseconds >> 32);
    case 0x28: /* TIMERAWL */
        return (uint32_t)microseconds;
    default:
        note_unmodelled(m, TIMER + offset);
        return *reg(m, TIMER + offset);
    }
}

static uint32_t clocks_read(machine *m, uint32_t address) {
    uint32_t offset = address - CLOCKS;
    if (offset == 0x38) {
        return 1u << (*reg(m, CLOCKS + 0x30) & 3u); /* CLK_REF_SELECTED, one-hot */
    }
    if (offset == 0x44) {
        return 1u << (*reg(m, CLOCKS + 0x3c) & 1u); /* CLK_SYS_SELECTED */
    }
    if (offset < 0x78 && offset % 12u == 8u) {
        return 1u; /* clocks without a glitchless multiplexer */
    }
    return *reg(m, address);
}

/* The watchdog counts down twice a microsecond tick (RP2040-E1). */
static void watchdog_write(machine *m, uint32_t address, uint32_t value) {
    *reg(m, address) = value;
    if (address == WATCHDOG_CTRL && (value & 0x80000000u)) { /* TRIGGER */
        *reg(m, WATCHDOG_CTRL) = 0;
        *reg(m, WATCHDOG_REASON) = 2u;
        request_stop(m, STOP_RESET, m->state.counters.instructions);
    } else if (address == WATCHDOG_CTRL || address == WATCHDOG_LOAD) {
        uint64_t left = (uint64_t)(*reg(m, WATCHDOG_LOAD) & 0xffffffu) / 2u * CYCLES_PER_MICROSECOND;
        bool on = (*reg(m, WATCHDOG_CTRL) & 0x40000000u) != 0;
        m->state.watchdog_due = on ? m->state.counters.cycles + left : WATCHDOG_NEVER;
        m->attention = 0;
    }
}

static uint32_t read_word(machine *m, uint32_t address, bool peek) {
    switch (PERIPHERAL(address)) {
    case UART0:
        return in_reset(m, 22) ? 0 : uart_read(m, address - UART0, peek);
    case TIMER:
        return timer_read(m, address - TIMER);
    case CLOCKS:
        return clocks_read(m, address);
    case RESETS:
        return address == RESETS + 8 ? ~*reg(m, RESETS) & ALL_RESETS : *reg(m, address);
    case XOSC:
        return address == XOSC + 4 && (*reg(m, XOSC) >> 12 & 0xfffu) == 0xfabu ? 0x80001000u : *reg(m, address);
    case PLL_SYS:
    case PLL_USB: {
        bool up = !in_reset(m, PERIPHERAL(address) == PLL_SYS ? 12 : 13) && !(*reg(m, PERIPHERAL(address) + 4) & 0x21u);
        return *reg(m, address) | (address == PERIPHERAL(address) && up ? 0x80000000u : 0u);
    }
    case WATCHDOG:
        return *reg(m, address) | (address == WATCHDOG_TICK ? (*reg(m, address) & 0x200u) << 1 : 0u);
    case XIP_SSI:
        return ssi_read(m, address - XIP_SSI, peek);
    case IO_QSPI:
    case IO_BANK0:
    case PADS_BANK0:
    case USB_MEMORY: /* a controller without a host: nothing ever happens on the bus */
    case USB:
        return *reg(m, address);
    default:
        if (address >= PPB && address < PPB + 0x1000u) {
            return core_read(m, address - PPB);
        }
        if (address != SIO) { /* CPUID: core 0 */
            note_unmodelled(m, address);
        }
        return *reg(m, address);
    }
}

static void write_word(machine *m, uint32_t address, uint32_t value) {
    switch (PERIPHERAL(address)) {
    case UART0:
        if (!in_reset(m, 22)) {
            uart_write(m, address - UART0, value);
        }
        break;
    case WATCHDOG:
        watchdog_write(m, address, value);
        break;
    case XIP_SSI:
        ssi_write(m, address - XIP_SSI, value);
        break;
    case IO_QSPI:
        *reg(m, address) = value;
        if (address == IO_QSPI + 0x0cu) { /* GPIO_QSPI_SS_CTRL */
            flash_select(m, value);
        }
        break;
    case CLOCKS:
    case RESETS:
    case XOSC:
    case PLL_SYS:
    case PLL_USB:
    case IO_BANK0:
    case PADS_BANK0:
    case USB_MEMORY:
    case USB:
        *reg(m, address) = value;
        break;
    default:
        if (address >= PPB && address < PPB + 0x1000u) {
            core_write(m, address - PPB, value);
            break;
        }
        note_unmodelled(m, address);
        *reg(m, address) = value;
    }
}

static uint32_t widen(uint32_t value, unsigned size) {
    return size == 1 ? (value & 0xffu) * 0x01010101u : size == 2 ? (value & 0xffffu) * 0x00010001u : value;
}

static void write_plain(machine *m, uint32_t address, unsigned size, uint64_t value) {
    write_word(m, address & ~3u, widen((uint32_t)value, size));
}

static uint64_t read_bus(machine *m, uint32_t address, unsigned size) {
    uint32_t word = read_word(m, address & ~3u, false) >> (address & 3u) * 8u;
    return size == 1 ? word & 0xffu : size == 2 ? word & 0xffffu : word;
}

/* APB, and the USB controller: address bits 12 and 13 choose write, XOR, set or clear; a narrow write reaches all lanes
 * of the word. */
static void write_aliased(machine *m, uint32_t address, unsigned size, uint64_t value) {
    uint32_t target = address & ~0x3003u, word = widen((uint32_t)value, size), alias = address >> 12 & 3u;
    uint32_t old = alias == 0 ? 0 : read_word(m, target, true);
    write_word(m, target, alias == 0 ? word : alias == 1 ? old ^ word : alias == 2 ? old | word : old & ~word);
}

/* Unicorn tells a callback only the offset within its region, so each region has callbacks of its own. */
#define REGION(name, base, read_mask, write)                                                                           \
    static uint64_t read_##name(uc_engine *uc, uint64_t offset, unsigned size, void *user) {                           \
        (void)uc;                                                                                                      \
        return read_bus(user, ((base) + (uint32_t)offset) & ~(uint32_t)(read_mask), size);                             \
    }                                                                                                                  \
    static void write_##name(uc_engine *uc, uint64_t offset, unsigned size, uint64_t value, void *user) {              \
        (void)uc;                                                                                                      \
        write(user, (base) + (uint32_t)offset, size, value);                                                           \
    }
REGION(xip, 0x14000000u, 0, write_plain)
REGION(ssi, 0x18000000u, 0, write_plain)
REGION(apb, 0x40000000u, 0x3000, write_aliased)
REGION(timer, 0x40054000u, 0x3000, write_aliased)
REGION(rest, 0x40058000u, 0x3000, write_aliased)
REGION(ahb, 0x50000000u, 0, write_plain)
REGION(usb, 0x50110000u, 0x3000, write_aliased)
REGION(pio, 0x50114000u, 0, write_plain)
REGION(sio, 0xd0000000u, 0, write_plain)
REGION(ppb, 0xe000e000u, 0, write_plain)

bool peripheral_is_exact(uint32_t address) {
    return PERIPHERAL(address) == TIMER || address - PPB < 0x1000u;
}

uc_err peripheral_map(machine *m) {
    const struct {
        uint32_t base, bytes;
        uc_cb_mmio_read_t read;
        uc_cb_mmio_write_t write;
    } regions[] = {
        {0x14000000u, 0x1000u, read_xip, write_xip},    {0x18000000u, 0x1000u, read_ssi, write_ssi},
        {0x40000000u, 0x54000u, read_apb, write_apb},   {0x40054000u, 0x4000u, read_timer, write_timer},
        {0x40058000u, 0x18000u, read_rest, write_rest}, {0x50000000u, 0x110000u, read_ahb, write_ahb},
        {0x50110000u, 0x4000u, read_usb, write_usb},    {0x50114000u, 0x2ec000u, read_pio, write_pio},
        {0xd0000000u, 0x1000u, read_sio, write_sio},    {0xe000e000u, 0x1000u, read_ppb, write_ppb},
    };
    uc_err error = UC_ERR_OK;
    for (size_t i = 0; i < sizeof regions / sizeof regions[0] && error == UC_ERR_OK; i++) {
        uint32_t base = regions[i].base, bytes = regions[i].bytes;
        error = m->api.mmio_map(m->uc, base, bytes, regions[i].read, m, regions[i].write, m);
        if (error == UC_ERR_OK && peripheral_is_exact(base)) {
            /* Only before it calls a hook does Unicorn bring PC up to date: access is forbidden, and then granted. */
            error = m->api.mem_protect(m->uc, base, bytes, UC_PROT_NONE);
        }
    }
    return error;
}

/* The watchdog's reason and scratch registers outlive a reset. */
void peripheral_reset(machine *m) {
    uint32_t kept[9];
    for (uint32_t i = 0; i < 9; i++) {
        kept[i] = *reg(m, WATCHDOG_REASON + 4u * i);
    }
    memset(m->state.storage, 0, sizeof m->state.storage);
    m->state.stored = 0;
    for (uint32_t i = 0; i < 9; i++) {
        *reg(m, WATCHDOG_REASON + 4u * i) = kept[i];
    }
    m->state.uart = (machine_uart){.count = 0};
    m->state.chip = (machine_flash_chip){.count = 0};
    m->state.nvic_enabled = m->state.nvic_pending = 0;
    m->state.systick_zero = m->state.systick_wraps = 0;
    m->state.timer_high = 0;
    m->state.watchdog_due = WATCHDOG_NEVER;
}
