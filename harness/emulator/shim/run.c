/* Runs the core from wait to wait, and does by hand what Unicorn leaves to its user: interrupts, faults, resets. */
#define _POSIX_C_SOURCE 199309L /* clock_gettime */
#include "machine.h"

#include <string.h>
#include <time.h>

enum {
    EXCEPTION_HARD_FAULT = 3,
    EXCEPTION_SVC = 11,
    EXCEPTION_IRQ0 = 16
};
/* Exceptions that QEMU reports; a data abort is an unaligned access, since all others are errors of Unicorn. */
enum {
    QEMU_NONE = -1,
    QEMU_SVC = 2,
    QEMU_DATA_ABORT = 4,
    QEMU_EXCEPTION_EXIT = 8
};
#define WFI 0xbf30u
/* A few milliseconds of the host. Looks are taken where the count passes a multiple of it, so that what a busy core
 * receives does not depend on how its run was sliced. */
#define LOOK_CYCLES 1000000u

static double host_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Unicorn stops at the end of the block that is running; but where blocks are chained it enters, and counts, one more
 * that it then does not run. run_on() takes that one back. */
void request_stop(machine *m, machine_stop why, uint64_t instructions_before) {
    if (m->requested == STOP_NONE) {
        m->requested = why;
        m->requested_instructions = instructions_before;
        m->api.emu_stop(m->uc);
    }
}

static void attend_later(machine *m) {
    m->attention = m->state.look_due < m->state.watchdog_due ? m->state.look_due : m->state.watchdog_due;
}

void attend(machine *m, uint64_t instructions_before) {
    machine_state *state = &m->state;
    if (state->counters.cycles >= state->watchdog_due) {
        *stored_value(m, 0x40058008u, 0) = 1u; /* WATCHDOG_REASON: its timer */
        request_stop(m, STOP_RESET, instructions_before);
    } else if (state->depth == 0 && m->input.first < m->input.end) {
        request_stop(m, STOP_INPUT, instructions_before);
    } else if (m->slice_end > 0 && host_seconds() > m->slice_end) {
        request_stop(m, STOP_SLICE, instructions_before);
    }
    state->look_due = (state->counters.cycles / LOOK_CYCLES + 1) * LOOK_CYCLES;
    attend_later(m);
}

void machine_reset(machine *m) {
    machine_state *state = &m->state;
    peripheral_reset(m);
    memset(state->registers, 0, sizeof state->registers);
    state->registers[SP] = m->entry_sp;
    state->registers[LR] = 0xffffffffu;
    state->registers[PC] = m->entry;
    state->registers[XPSR] = 0x01000000u;
    state->waiting = state->locked = state->depth = state->hard_fault = 0;
    state->counters.last = 0;
    core_load(m);
}

static void take_interrupt(machine *m, int interrupt) {
    m->state.nvic_pending &= ~(1u << interrupt);
    if (!exception_enter(m, EXCEPTION_IRQ0 + (uint32_t)interrupt)) {
        m->state.locked = 1;
    }
}

/* A core at work, in thread mode, between two blocks: the next bytes of the queue reach the UART, and its interrupt is
 * taken unless PRIMASK holds it back; then the bytes wait for the next look. */
static void interrupt_work(machine *m) {
    core_save(m);
    if (m->state.registers[PRIMASK] & 1u) {
        return;
    }
    uart_receive(m, true);
    int interrupt = pending_interrupt(m);
    if (interrupt >= 0) {
        take_interrupt(m, interrupt);
    }
}

/* Called behind a WFI. True when there is a reason to go on. PRIMASK does not keep the core waiting; the interrupt is
 * taken here even so, not at the CPSIE that follows: the firmware cannot tell, since it does nothing in between. */
static bool wake(machine *m) {
    uart_receive(m, true);
    int interrupt = pending_interrupt(m);
    if (interrupt < 0) {
        return false;
    }
    m->state.waiting = 0;
    if (m->state.depth == 0) { /* a handler that waits is not preempted by one of its own priority */
        take_interrupt(m, interrupt);
    }
    return true;
}

/* A fault enters HardFault with the faulting instruction's address; where that is impossible the core locks up. */
static void raise_fault(machine *m, fault_kind kind, uint32_t pc) {
    machine_state *state = &m->state;
    state->fault.kind = kind;
    state->fault.pc = pc;
    state->fault.address = m->touched;
    count_back(m, pc);
    if (state->hard_fault || !exception_enter(m, EXCEPTION_HARD_FAULT)) {
        state->locked = 1;
        return;
    }
    state->hard_fault = state->depth;
}

static fault_kind kind_of(const machine *m, uc_err error) {
    switch (error) {
    case UC_ERR_READ_UNMAPPED:
    case UC_ERR_READ_PROT:
        return FAULT_READ;
    case UC_ERR_WRITE_UNMAPPED:
    case UC_ERR_WRITE_PROT:
        return FAULT_WRITE;
    case UC_ERR_FETCH_UNMAPPED:
    case UC_ERR_FETCH_PROT:
        return FAULT_FETCH;
    case UC_ERR_READ_UNALIGNED:
    case UC_ERR_WRITE_UNALIGNED:
        return FAULT_UNALIGNED;
    case UC_ERR_INSN_INVALID:
        return FAULT_INSTRUCTION;
    default:
        return m->denied;
    }
}

static bool stands_behind_wfi(const machine *m, uint32_t pc) {
    uint16_t opcode = 0;
    uint32_t at = pc - 2u;
    if (in_sram(at, 2)) {
        memcpy(&opcode, m->sram + (at - SRAM_BASE), 2);
    } else if (at - FLASH_BASE < FLASH_BYTES - 1u) {
        memcpy(&opcode, m->flash + (at - FLASH_BASE), 2);
    }
    return opcode == WFI;
}

/* One uc_emu_start and what follows from how it ended. */
static machine_stop run_on(machine *m) {
    machine_state *state = &m->state;
    uint32_t until = state->depth > 1 ? 0xfffffff0u : 0xfffffff8u, pc = state->registers[PC];
    m->requested = STOP_NONE;
    m->interrupt = QEMU_NONE;
    m->denied = FAULT_EXCEPTION;
    m->touched = 0;
    uc_err error = m->api.emu_start(m->uc, pc | 1u, until, 0, 0);
    state->registers[PC] = pc = core_pc(m);
    if (m->requested != STOP_NONE) {
        if (state->counters.instructions != m->requested_instructions) {
            count_back(m, last_block(m));
        }
        if (m->requested == STOP_RESET) {
            machine_reset(m);
        }
        return m->requested;
    }
    /* Unicorn learns of handler mode only when the handler touches PRIMASK or CONTROL: two ways to leave. */
    bool returns = m->interrupt == QEMU_EXCEPTION_EXIT || (m->interrupt == QEMU_NONE && pc == until);
    if (returns && state->depth > 0) {
        state->hard_fault = state->hard_fault == state->depth ? 0 : state->hard_fault;
        if (!exception_leave(m)) {
            raise_fault(m, FAULT_READ, pc);
        }
    } else if (m->interrupt == QEMU_SVC) {
        /* SVC needs a free priority: in a handler it becomes a HardFault. */
        if (state->depth > 0 || !exception_enter(m, EXCEPTION_SVC)) {
            raise_fault(m, FAULT_EXCEPTION, pc - 2u);
        }
    } else if (m->interrupt != QEMU_NONE) {
        raise_fault(m, m->interrupt == QEMU_DATA_ABORT ? FAULT_UNALIGNED : FAULT_EXCEPTION, pc);
    } else if (error != UC_ERR_OK) {
        raise_fault(m, kind_of(m, error), pc);
    } else if (stands_behind_wfi(m, pc)) {
        state->waiting = 1;
    } else {
        raise_fault(m, FAULT_FETCH, pc); /* a branch to EXC_RETURN outside an exception */
    }
    return STOP_NONE;
}

/* Runs until there is nothing to do; at most `seconds` of the host's time, without end where that is not positive. */
int machine_run(machine *m, double seconds) {
    machine_stop stop = STOP_NONE;
    m->slice_end = seconds > 0 ? host_seconds() + seconds : 0;
    attend_later(m);
    while (stop == STOP_NONE) {
        if (m->state.locked) {
            stop = STOP_LOCKUP;
        } else if (m->state.waiting && !wake(m)) {
            stop = STOP_IDLE;
        } else if (!m->state.locked) {
            stop = run_on(m);
        }
        if (stop == STOP_INPUT) {
            interrupt_work(m);
            stop = STOP_NONE;
        }
    }
    return stop;
}
