/* Instructions and Cortex-M0+ cycles, counted block by block. Text cannot be written, so a block is decoded once.
 * Costs: Arm DDI 0484C, table 3-1, with the single-cycle multiplier and zero-wait memory. A block is counted as it is
 * entered: a timer read within it sees the count at its end. */
#include "machine.h"

/* A decoded block: bytes in bits 0-15, instructions in 16-31, cycles in 32-62, "ends in a conditional branch" in 63. */
#define COST(bytes, instructions, cycles) \
    ((uint64_t)(bytes) | (uint64_t)(instructions) << 16 | (uint64_t)(cycles) << 32)
#define COST_BYTES(cost) ((uint32_t)(cost)&0xffffu)
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

void count_back(machine *m, uint32_t from) {
    machine_counters *counters = &m->state.counters;
    uint32_t bytes = counters->end - from;
    if (bytes == 0 || bytes > counters->size) {
        return;
    }
    uint64_t cost = cost_of(m, from, bytes);
    counters->instructions -= COST_INSTRUCTIONS(cost);
    counters->cycles -= COST_CYCLES(cost);
    counters->conditional = 0;
    counters->end = from;
    counters->size -= bytes;
}

void count_block(uc_engine *uc, uint64_t address64, uint32_t size, void *user) {
    (void)uc;
    machine *m = user;
    machine_counters *counters = &m->state.counters;
    uint32_t address = (uint32_t)address64, index = address - SRAM_BASE;
    if (index >= SRAM_BYTES) {
        index = address - FLASH_BASE;
        if (index >= FLASH_BYTES) {
            return; /* not text: the fetch faults */
        }
        index += SRAM_BYTES;
    }
    uint64_t cost = m->blocks[index / 2];
    if (COST_BYTES(cost) != size) {
        m->blocks[index / 2] = cost = cost_of(m, address, size);
    }
    counters->instructions += COST_INSTRUCTIONS(cost);
    counters->cycles += COST_CYCLES(cost) + (counters->conditional & (uint32_t)(address != counters->end));
    counters->conditional = COST_CONDITIONAL(cost);
    counters->end = address + size;
    counters->size = size;
    if (counters->cycles >= m->attention) {
        /* A stop that is requested here comes before the block runs; see run.c. */
        attend(m, counters->instructions - COST_INSTRUCTIONS(cost));
    }
}
