/* Instructions and Cortex-M0+ cycles, counted block by block. Text cannot be written, so a block is decoded once.
 * Costs: Arm DDI 0484C, table 3-1, with the single-cycle multiplier and zero-wait memory. A block is counted as it is
 * entered; who needs the count within it asks cycles_before(). */
#include "machine.h"

/* A decoded block: bytes in bits 0-15, instructions in 16-31, cycles in 32-62, "ends in a conditional branch" in 63. */
#define COST(bytes, instructions, cycles)                                                                              \
    ((uint64_t)(bytes) | (uint64_t)(instructions) << 16 | (uint64_t)(cycles) << 32)
#define COST_BYTES(cost) ((uint32_t)(cost) & 0xffffu)
#define COST_INSTRUCTIONS(cost) ((uint32_t)((cost) >> 16) & 0xffffu)
#define COST_CYCLES(cost) ((uint32_t)((cost) >> 32) & 0x7fffffffu)
#define COST_CONDITIONAL(cost) ((uint32_t)((cost) >> 63))

static bool is_wide(uint32_t opcode) {
    return opcode >> 11 >= 0x1du;
}

static bool is_conditional(uint32_t opcode) {
    return opcode >> 12 == 0xdu && (opcode >> 8 & 15u) < 14u;
}

static uint32_t listed(uint32_t opcode) {
    return (uint32_t)__builtin_popcount(opcode & 0xffu);
}

/* Cycles of one instruction; a conditional branch as not taken. */
static uint32_t cycles_of(uint32_t opcode) {
    uint32_t extra = opcode >> 8 & 1u; /* PUSH LR, POP PC */
    if (is_wide(opcode)) {
        return 3; /* BL, MSR, MRS, DMB, DSB, ISB */
    }
    if (opcode >> 11 == 0x1cu || opcode >> 8 == 0x47u) {
        return 2; /* B; BX, BLX */
    }
    if (opcode >> 8 == 0x44u || opcode >> 8 == 0x46u) {
        return (opcode >> 4 & 8u) + (opcode & 7u) == 15u ? 2 : 1; /* ADD, MOV: to PC or not */
    }
    if (opcode >> 9 == 0x5au) {
        return 1 + listed(opcode) + extra; /* PUSH */
    }
    if (opcode >> 9 == 0x5eu) {
        return (extra ? 4 : 1) + listed(opcode); /* POP: with PC 3 + N, which counts PC */
    }
    if (opcode >> 12 == 0xcu) {
        return 1 + listed(opcode); /* LDM, STM */
    }
    if (opcode >> 11 == 0x09u || (opcode >> 12 >= 5u && opcode >> 12 <= 9u)) {
        return 2; /* LDR, STR of every width */
    }
    if (opcode == 0xbf20u || opcode == 0xbf30u) {
        return 2; /* WFE, WFI: the wait itself takes no time here */
    }
    return 1;
}

static const uint8_t *text_at(const machine *m, uint32_t address) {
    return in_sram(address, 2) ? m->sram + (address - SRAM_BASE) : m->flash + (address - FLASH_BASE);
}

static uint64_t cost_of(const machine *m, uint32_t address, uint32_t bytes) {
    const uint8_t *text = text_at(m, address);
    uint32_t instructions = 0, cycles = 0, opcode = 0;
    for (uint32_t at = 0; at < bytes; at += is_wide(opcode) ? 4u : 2u) {
        opcode = (uint32_t)text[at] | (uint32_t)text[at + 1] << 8;
        cycles += cycles_of(opcode);
        instructions++;
    }
    return COST(bytes, instructions, cycles) | (uint64_t)is_conditional(opcode) << 63;
}

uint32_t last_block(const machine *m) {
    const machine_counters *counters = &m->state.counters;
    return (uint32_t)counters->end - COST_BYTES(counters->last);
}

uint64_t cycles_before(const machine *m, uint32_t pc) {
    const machine_counters *counters = &m->state.counters;
    uint32_t bytes = (uint32_t)counters->end - pc;
    return counters->cycles - (bytes <= COST_BYTES(counters->last) ? COST_CYCLES(cost_of(m, pc, bytes)) : 0u);
}

void count_back(machine *m, uint32_t from) {
    machine_counters *counters = &m->state.counters;
    uint32_t bytes = (uint32_t)counters->end - from;
    if (bytes <= COST_BYTES(counters->last)) {
        uint64_t cost = cost_of(m, from, bytes);
        counters->instructions -= COST_INSTRUCTIONS(cost);
        counters->cycles -= COST_CYCLES(cost);
    }
    counters->last = 0;
}

/* The counts of what ran before the last block. */
void counts_before_last(const machine *m, uint64_t *instructions, uint64_t *cycles) {
    const machine_counters *counters = &m->state.counters;
    *instructions = counters->instructions - COST_INSTRUCTIONS(counters->last);
    *cycles = counters->cycles - COST_CYCLES(counters->last);
}

static inline uint32_t block_index(uint32_t address) {
    uint32_t offset = address - SRAM_BASE;
    return (offset < SRAM_BYTES ? offset : address - FLASH_BASE + SRAM_BYTES) / 2u;
}

/* The slow paths are calls in tail position, so that the common path, a third of the time of short loops, saves no
 * registers. A stop that attend() requests comes before the block runs; see run.c. */
static __attribute__((noinline)) void count_first_time(uc_engine *uc, uint32_t address, uint32_t size, machine *m) {
    m->blocks[block_index(address)] = cost_of(m, address, size);
    count_block(uc, address, size, m);
}

void count_block(uc_engine *uc, uint64_t address64, uint32_t size, void *user) {
    machine *m = user;
    machine_counters *counters = &m->state.counters;
    uint32_t address = (uint32_t)address64;
    uint64_t cost = m->blocks[block_index(address)];
    if (__builtin_expect(COST_BYTES(cost) != size, 0)) {
        count_first_time(uc, address, size, m);
        return;
    }
    counters->instructions += COST_INSTRUCTIONS(cost);
    counters->cycles += COST_CYCLES(cost) + (COST_CONDITIONAL(counters->last) & (uint32_t)(address != counters->end));
    counters->last = cost;
    counters->end = address + size;
    if (__builtin_expect(counters->cycles >= m->attention, 0)) {
        attend(m, counters->instructions - COST_INSTRUCTIONS(cost));
    }
}
