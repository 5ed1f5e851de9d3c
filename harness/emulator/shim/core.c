/* The core's own registers at 0xe000e000: SysTick, NVIC, vector table, reset request. Priorities are plain memory:
 * the lowest pending number wins. */
#include "machine.h"

enum {
    SYST_CSR = 0x010,
    SYST_RVR = 0x014,
    SYST_CVR = 0x018,
    SYST_CALIB = 0x01c,
    NVIC_ISER = 0x100,
    NVIC_ICER = 0x180,
    NVIC_ISPR = 0x200,
    NVIC_ICPR = 0x280,
    NVIC_IPR = 0x400,
    CPUID = 0xd00,
    VTOR = 0xd08,
    AIRCR = 0xd0c,
    CCR = 0xd14,
    SHPR2 = 0xd1c,
    SHPR3 = 0xd20,
};
enum {
    CSR_ENABLE = 1u << 0,
    CSR_TICKINT = 1u << 1,
    CSR_PROCESSOR_CLOCK = 1u << 2,
    CSR_COUNTFLAG = 1u << 16
};
#define AIRCR_KEY 0x05fa0000u
#define AIRCR_SYSRESETREQ (1u << 2)
#define UART0_IRQ 20u
#define INTERRUPTS 0x03ffffffu /* 26 on this chip */

static uint32_t *reg(machine *m, uint32_t offset) {
    return stored_value(m, 0xe000e000u + offset, 0);
}

/* Counter and wraps of SysTick, from the cycles since it was cleared: 0, then down from the reload value to 0. */
static uint32_t systick(machine *m, uint64_t *wraps) {
    uint64_t elapsed = m->now - m->state.systick_zero;
    uint64_t period = (uint64_t)*reg(m, SYST_RVR) + 1u;
    *wraps = elapsed / period;
    return elapsed == 0 ? 0u : (uint32_t)(period - 1u - (elapsed - 1u) % period);
}

static uint32_t systick_read(machine *m, uint32_t offset) {
    uint64_t wraps;
    uint32_t control = *reg(m, SYST_CSR) & 7u;
    if (!(control & CSR_ENABLE)) {
        return offset == SYST_CSR ? control : 0u;
    }
    uint32_t value = systick(m, &wraps);
    if (offset == SYST_CVR) {
        return value;
    }
    control |= wraps != m->state.systick_wraps ? (uint32_t)CSR_COUNTFLAG : 0u;
    m->state.systick_wraps = wraps;
    return control;
}

static void systick_write(machine *m, uint32_t offset, uint32_t value) {
    if (offset == SYST_RVR) {
        *reg(m, SYST_RVR) = value & 0xffffffu;
        return;
    }
    if (offset == SYST_CSR) {
        bool starts = (value & CSR_ENABLE) && !(*reg(m, SYST_CSR) & CSR_ENABLE);
        *reg(m, SYST_CSR) = value & 7u;
        if ((value & CSR_TICKINT) || !(value & CSR_PROCESSOR_CLOCK)) {
            note_unmodelled(m, 0xe000e000u + SYST_CSR);
        }
        if (!starts) {
            return;
        }
    }
    m->state.systick_zero = m->now;
    m->state.systick_wraps = 0;
}

uint32_t core_read(machine *m, uint32_t offset) {
    switch (offset) {
    case SYST_CSR:
    case SYST_CVR:
        return systick_read(m, offset);
    case SYST_CALIB:
        return 0xc0000000u; /* no reference clock of exact 10 ms */
    case NVIC_ISER:
    case NVIC_ICER:
        return m->state.nvic_enabled;
    case NVIC_ISPR:
    case NVIC_ICPR:
        return m->state.nvic_pending | (uint32_t)uart_interrupt(m) << UART0_IRQ;
    case CPUID:
        return 0x410cc601u; /* Cortex-M0+ r0p1 */
    case AIRCR:
        return 0xfa050000u;
    case CCR:
        return 0x208u;
    case SYST_RVR:
    case VTOR:
    case SHPR2:
    case SHPR3:
        return *reg(m, offset);
    default:
        if (offset < NVIC_IPR || offset >= NVIC_IPR + 32u) {
            note_unmodelled(m, 0xe000e000u + offset);
        }
        return *reg(m, offset);
    }
}

void core_write(machine *m, uint32_t offset, uint32_t value) {
    switch (offset) {
    case SYST_CSR:
    case SYST_RVR:
    case SYST_CVR:
        systick_write(m, offset, value);
        break;
    case NVIC_ISER:
        m->state.nvic_enabled |= value & INTERRUPTS;
        break;
    case NVIC_ICER:
        m->state.nvic_enabled &= ~value;
        break;
    case NVIC_ISPR:
        m->state.nvic_pending |= value & INTERRUPTS;
        break;
    case NVIC_ICPR:
        m->state.nvic_pending &= ~value;
        break;
    case VTOR:
        *reg(m, VTOR) = value & 0xffffff00u;
        break;
    case AIRCR:
        if ((value & 0xffff0000u) == AIRCR_KEY && (value & AIRCR_SYSRESETREQ)) {
            request_stop(m, STOP_RESET, m->state.counters.instructions);
        }
        break;
    case CPUID:
    case CCR:
        break;
    default:
        if ((offset < NVIC_IPR || offset >= NVIC_IPR + 32u) && offset != SHPR2 && offset != SHPR3) {
            note_unmodelled(m, 0xe000e000u + offset);
        }
        *reg(m, offset) = value;
    }
}

uint32_t vector_table(machine *m) {
    return *reg(m, VTOR);
}

int pending_interrupt(machine *m) {
    uint32_t pending = m->state.nvic_pending | (uint32_t)uart_interrupt(m) << UART0_IRQ;
    pending &= m->state.nvic_enabled;
    return pending == 0 ? -1 : __builtin_ctz(pending);
}
