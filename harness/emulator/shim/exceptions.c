/* Entering and leaving an exception by hand, since Unicorn has no NVIC: eight words on the main stack, EXC_RETURN in
 * LR; emulation runs until the core branches there. */
#include "machine.h"

#include <string.h>

static const int register_ids[REGISTERS] = {
    UC_ARM_REG_R0,  UC_ARM_REG_R1,   UC_ARM_REG_R2,      UC_ARM_REG_R3,      UC_ARM_REG_R4,
    UC_ARM_REG_R5,  UC_ARM_REG_R6,   UC_ARM_REG_R7,      UC_ARM_REG_R8,      UC_ARM_REG_R9,
    UC_ARM_REG_R10, UC_ARM_REG_R11,  UC_ARM_REG_R12,     UC_ARM_REG_SP,      UC_ARM_REG_LR,
    UC_ARM_REG_PC,  UC_ARM_REG_XPSR, UC_ARM_REG_PRIMASK, UC_ARM_REG_CONTROL,
};
#define ENTRY_CYCLES 15u /* Arm DDI 0484C, section 3.6.1; what leaving costs is not published */
#define FRAME_BYTES 32u
#define XPSR_FLAGS 0xf0000000u
#define XPSR_THUMB 0x01000000u
#define XPSR_NUMBER 0x3fu   /* of the exception that runs, 0: none */
#define XPSR_ALIGNED 0x200u /* four bytes were skipped to align the frame to 8 */

void core_save(machine *m) {
    void *values[REGISTERS];
    for (uint32_t i = 0; i < REGISTERS; i++) {
        values[i] = &m->state.registers[i];
    }
    m->api.reg_read_batch(m->uc, (int *)register_ids, values, REGISTERS);
}

uint32_t core_pc(machine *m) {
    uint32_t pc = 0;
    void *value = &pc;
    m->api.reg_read_batch(m->uc, (int *)&register_ids[PC], &value, 1);
    return pc;
}

void core_load(machine *m) {
    void *values[REGISTERS];
    uint32_t pc = m->state.registers[PC];
    m->state.registers[PC] = pc | 1u; /* else the core leaves Thumb state */
    for (uint32_t i = 0; i < REGISTERS; i++) {
        values[i] = &m->state.registers[i];
    }
    m->api.reg_write_batch(m->uc, (int *)register_ids, values, REGISTERS);
    m->state.registers[PC] = pc;
}

static uint32_t vector(machine *m, uint32_t number) {
    uint32_t address = vector_table(m) + 4u * number, value = 0;
    if (in_sram(address, 4)) {
        memcpy(&value, m->sram + (address - SRAM_BASE), 4);
    } else if (address - FLASH_BASE < FLASH_BYTES) {
        memcpy(&value, m->flash + (address - FLASH_BASE), 4);
    }
    return value;
}

static const uint8_t stacked[8] = {R0, R1, R2, R3, R12, LR, PC, XPSR};

bool exception_enter(machine *m, uint32_t number) {
    core_save(m);
    uint32_t *registers = m->state.registers, frame[8];
    uint32_t handler = vector(m, number);
    uint32_t misaligned = registers[SP] & 4u;
    uint32_t sp = registers[SP] - FRAME_BYTES - misaligned;
    if (!(handler & 1u) || !in_sram(sp, FRAME_BYTES)) {
        return false;
    }
    for (uint32_t i = 0; i < 8; i++) {
        frame[i] = registers[stacked[i]];
    }
    frame[7] = (frame[7] & ~XPSR_ALIGNED) | XPSR_THUMB | (misaligned ? XPSR_ALIGNED : 0u);
    memcpy(m->sram + (sp - SRAM_BASE), frame, FRAME_BYTES);
    registers[SP] = sp;
    registers[LR] = m->state.depth == 0 ? 0xfffffff9u : 0xfffffff1u;
    registers[PC] = handler & ~1u;
    registers[XPSR] = (frame[7] & XPSR_FLAGS) | XPSR_THUMB | number;
    core_load(m);
    m->state.depth++;
    m->state.counters.cycles += ENTRY_CYCLES;
    m->state.counters.last = 0;
    return true;
}

bool exception_leave(machine *m) {
    core_save(m);
    uint32_t *registers = m->state.registers, frame[8];
    uint32_t sp = registers[SP];
    if (!in_sram(sp, FRAME_BYTES)) {
        return false;
    }
    memcpy(frame, m->sram + (sp - SRAM_BASE), FRAME_BYTES);
    for (uint32_t i = 0; i < 8; i++) {
        registers[stacked[i]] = frame[i];
    }
    registers[SP] = sp + FRAME_BYTES + (frame[7] & XPSR_ALIGNED ? 4u : 0u);
    registers[XPSR] = (frame[7] & XPSR_FLAGS) | XPSR_THUMB | (frame[7] & XPSR_NUMBER);
    core_load(m);
    m->state.depth--;
    m->state.counters.last = 0;
    return true;
}
