/* Logs how eight bytes of SRAM change, with the counts. A hook on memory would make every access slow, so each block
 * looks at what the one before it has left there: a change is seen at the end of the block that made it. */
#include "machine.h"

#include <string.h>

static void note_change(machine *m, uint64_t value, uint64_t instructions, uint64_t cycles) {
    const watched_change change = {value, instructions, cycles};
    m->watched_value = value;
    if (!queue_put(&m->changes, (const uint8_t *)&change, sizeof change)) {
        m->lost_changes = true;
    }
}

static uint64_t watched_now(const machine *m) {
    uint64_t value;
    memcpy(&value, m->watched, sizeof value);
    return value;
}

static void watch_block(uc_engine *uc, uint64_t address, uint32_t size, void *user) {
    (void)uc;
    (void)address;
    (void)size;
    machine *m = user;
    const uint64_t value = watched_now(m);
    if (__builtin_expect(value != m->watched_value, 0)) {
        uint64_t instructions, cycles;
        counts_before_last(m, &instructions, &cycles); /* count_block, which was hooked first, has seen this block */
        note_change(m, value, instructions, cycles);
    }
}

/* From now on; the log begins with what lies there. Another address takes the place of the one before. */
bool machine_watch(machine *m, uint32_t address) {
    const bool is_first = m->watched == NULL;
    m->watched = m->sram + (address - SRAM_BASE);
    m->changes.first = m->changes.end = 0;
    m->lost_changes = false;
    note_change(m, watched_now(m), m->state.counters.instructions, m->state.counters.cycles);
    if (!is_first) {
        return !m->lost_changes;
    }
    uc_hook handle;
    uc_err error =
        m->api.hook_add(m->uc, &handle, UC_HOOK_BLOCK, watch_block, m, FLASH_BASE, SRAM_BASE + SRAM_BYTES - 1u);
    /* Blocks that were translated before call the hooks that there were then. */
    error = error ? error : m->api.ctl(m->uc, UC_CTL_WRITE(UC_CTL_TB_FLUSH, 0));
    return error == UC_ERR_OK && !m->lost_changes;
}

/* Takes the log; false where some of it was lost. */
bool machine_changes(machine *m, const uint8_t **bytes, size_t *count) {
    if (m->watched != NULL && watched_now(m) != m->watched_value) { /* the last block made it */
        note_change(m, watched_now(m), m->state.counters.instructions, m->state.counters.cycles);
    }
    *bytes = m->changes.bytes + m->changes.first;
    *count = m->changes.end - m->changes.first;
    m->changes.first = m->changes.end;
    const bool is_whole = !m->lost_changes;
    m->lost_changes = false;
    return is_whole;
}
