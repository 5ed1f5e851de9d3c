/* A machine's life: memory, Unicorn with the settings that matter, and what Python calls. */
#include "machine.h"

#include <stdlib.h>
#include <string.h>

#define CODE_BUFFER (32u << 20) /* of the translator; its own default reserves 1 GiB a machine */
#define CPU_MODEL UC_CPU_ARM_CORTEX_M0

/* Text is not writable, data not executable. */
static bool fill_tlb(uc_engine *uc, uint64_t address64, uc_mem_type type, uc_tlb_entry *entry, void *user) {
    (void)uc;
    machine *m = user;
    uint32_t address = (uint32_t)address64;
    uint32_t needed = type == UC_MEM_FETCH ? UC_PROT_EXEC : type == UC_MEM_WRITE ? UC_PROT_WRITE : UC_PROT_READ;
    entry->paddr = address64 & ~(uint64_t)(PAGE_BYTES - 1u);
    if (in_sram(address, 1)) {
        entry->perms = m->pages[(address - SRAM_BASE) / PAGE_BYTES];
    } else if (address - FLASH_BASE < FLASH_BYTES) {
        /* Writes are refused by the memory map, which knows their address. */
        entry->perms = m->pages[(SRAM_BYTES + address - FLASH_BASE) / PAGE_BYTES] | UC_PROT_WRITE;
    } else if (address - ROM_CODE < PAGE_BYTES) {
        entry->perms = UC_PROT_READ | UC_PROT_EXEC;
    } else {
        /* Unicorn probes the address that it is to stop at, EXC_RETURN, as if it were text. */
        entry->perms = UC_PROT_READ | UC_PROT_WRITE | (address >= 0xfffffc00u ? UC_PROT_EXEC : 0);
    }
    if (!(entry->perms & needed)) {
        m->denied = type == UC_MEM_FETCH ? FAULT_FETCH : type == UC_MEM_WRITE ? FAULT_WRITE : FAULT_READ;
        m->touched = m->denied == FAULT_FETCH ? 0 : address;
    }
    return true;
}

/* Grants what peripheral_map has forbidden. For the rest notes the address; refusing makes Unicorn stop there. */
static bool note_access(uc_engine *uc, uc_mem_type type, uint64_t address, int size, int64_t value, void *user) {
    (void)uc;
    (void)size;
    (void)value;
    machine *m = user;
    if (peripheral_is_exact((uint32_t)address)) {
        m->now = cycles_before(m, core_pc(m));
        return true;
    }
    m->touched = type == UC_MEM_FETCH_UNMAPPED || type == UC_MEM_FETCH_PROT ? 0 : (uint32_t)address;
    return false;
}

static void note_interrupt(uc_engine *uc, uint32_t number, void *user) {
    (void)uc;
    machine *m = user;
    m->interrupt = (int)number;
    m->api.emu_stop(m->uc);
}

static uc_err hook(machine *m, int type, void *callback, uint64_t begin, uint64_t end) {
    uc_hook handle;
    return m->api.hook_add(m->uc, &handle, type, callback, m, begin, end);
}

static uc_err map_memory(machine *m) {
    uc_err error = m->api.mem_map_ptr(m->uc, 0, ROM_BYTES, UC_PROT_READ | UC_PROT_EXEC, m->rom);
    error = error ? error : m->api.mem_map_ptr(m->uc, SRAM_BASE, SRAM_BYTES, UC_PROT_ALL, m->sram);
    error = error ? error : m->api.mem_map_ptr(m->uc, FLASH_BASE, FLASH_BYTES, UC_PROT_READ | UC_PROT_EXEC, m->flash);
    return error ? error : peripheral_map(m);
}

/* Unicorn makes every access slow that a memory hook may see: none may cover SRAM. */
static uc_err add_hooks(machine *m) {
    const int faults = UC_HOOK_MEM_UNMAPPED | UC_HOOK_MEM_PROT;
    uc_err error = hook(m, UC_HOOK_TLB_FILL, fill_tlb, 1, 0);
    error = error ? error : hook(m, UC_HOOK_BLOCK, count_block, FLASH_BASE, SRAM_BASE + SRAM_BYTES - 1u);
    error = error ? error : hook(m, UC_HOOK_INTR, note_interrupt, 1, 0);
    error = error ? error : hook(m, faults, note_access, 0, SRAM_BASE - 1u);
    return error ? error : hook(m, faults, note_access, SRAM_BASE + SRAM_BYTES, 0xffffffffu);
}

static uc_err open_unicorn(machine *m) {
    /* Never UC_MODE_MCLASS: it silently selects a Cortex-M33. */
    uc_err error = m->api.open(UC_ARCH_ARM, UC_MODE_THUMB, &m->uc);
    error = error ? error : m->api.ctl(m->uc, UC_CTL_WRITE(UC_CTL_CPU_MODEL, 1), CPU_MODEL);
    error = error ? error : m->api.ctl(m->uc, UC_CTL_WRITE(UC_CTL_TCG_BUFFER_SIZE, 1), CODE_BUFFER);
    error = error ? error : map_memory(m);
    /* With the CPU's own TLB, every store takes the slow path. */
    error = error ? error : m->api.ctl(m->uc, UC_CTL_WRITE(UC_CTL_TLB_TYPE, 1), UC_TLB_VIRTUAL);
    return error ? error : add_hooks(m);
}

void machine_close(machine *m) {
    if (m->uc != NULL) {
        m->api.close(m->uc);
    }
    free(m->rom);
    free(m->sram);
    free(m->flash);
    free(m->blocks);
    free(m->input.bytes);
    free(m->output.bytes);
    free(m->changes.bytes);
    free(m);
}

/* `functions`: UNICORN_FUNCTIONS in their order. `pages`: UC_PROT_* of each page of SRAM, then of flash. NULL, and why
 * in `*problem`, where Unicorn refuses. */
machine *machine_open(void *const *functions, const uint8_t *pages, uint32_t entry, uint32_t entry_sp,
                      const char **problem) {
    machine *m = calloc(1, sizeof *m);
    *problem = "out of memory";
    if (m == NULL) {
        return NULL;
    }
    memcpy(&m->api, functions, sizeof m->api);
    memcpy(m->pages, pages, sizeof m->pages);
    m->rom = aligned_alloc(4096, ROM_BYTES);
    m->sram = aligned_alloc(4096, SRAM_BYTES);
    m->flash = aligned_alloc(4096, FLASH_BYTES);
    m->blocks = calloc((SRAM_BYTES + FLASH_BYTES) / 2, sizeof *m->blocks);
    m->entry = entry & ~1u;
    m->entry_sp = entry_sp;
    if (m->rom != NULL && m->sram != NULL && m->flash != NULL && m->blocks != NULL) {
        bootrom_fill(m->rom);
        memset(m->sram, 0, SRAM_BYTES);
        memset(m->flash, 0xff, FLASH_BYTES);
        uc_err error = open_unicorn(m);
        *problem = m->api.strerror(error);
        if (error == UC_ERR_OK) {
            return m;
        }
    }
    machine_close(m);
    return NULL;
}

machine_state *machine_get_state(machine *m) {
    core_save(m);
    return &m->state;
}

void machine_set_state(machine *m, const machine_state *state) {
    m->state = *state;
    core_load(m);
}

size_t machine_state_bytes(void) {
    return sizeof(machine_state);
}

uint8_t *machine_sram(machine *m) {
    return m->sram;
}

uint8_t *machine_flash(machine *m) {
    return m->flash;
}

uint8_t *machine_rom(machine *m) {
    return m->rom;
}

/* What the host fed and the UART has not taken; what the UART sent and the host has not taken. */
size_t machine_input(const machine *m, const uint8_t **bytes) {
    *bytes = m->input.bytes + m->input.first;
    return m->input.end - m->input.first;
}

size_t machine_output(const machine *m, const uint8_t **bytes) {
    *bytes = m->output.bytes + m->output.first;
    return m->output.end - m->output.first;
}

void machine_clear_input(machine *m) {
    m->input.first = m->input.end = 0;
}

void machine_clear_output(machine *m) {
    m->output.first = m->output.end = 0;
}

bool machine_feed(machine *m, const uint8_t *bytes, size_t count) {
    return queue_put(&m->input, bytes, count);
}

bool machine_send(machine *m, const uint8_t *bytes, size_t count) {
    return queue_put(&m->output, bytes, count);
}

/* Hands the queue to the UART at once, whether or not its FIFO has room. */
void machine_flood(machine *m) {
    uart_receive(m, false);
}

/* How often the firmware has changed flash. */
uint64_t machine_flash_changes(const machine *m) {
    return m->flash_changes;
}

uint32_t machine_unmodelled(const machine *m, uint32_t *addresses) {
    memcpy(addresses, m->unmodelled, m->unmodelled_count * sizeof *addresses);
    return m->unmodelled_count;
}

/* Text was changed by the host: forget what was translated and decoded. */
bool machine_text_changed(machine *m) {
    free(m->blocks);
    m->blocks = calloc((SRAM_BYTES + FLASH_BYTES) / 2, sizeof *m->blocks);
    return m->blocks != NULL && m->api.ctl(m->uc, UC_CTL_WRITE(UC_CTL_TB_FLUSH, 0)) == UC_ERR_OK;
}
