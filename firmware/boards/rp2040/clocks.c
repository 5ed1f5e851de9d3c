#include "clocks.h"

#include "registers.h"

static uint64_t epoch_us; /* TIMER when SysTick began to count */

void peripherals_restart(uint32_t mask) {
    SET(RESETS_RESET) = mask;
    CLEAR(RESETS_RESET) = mask;
    while ((REGISTER(RESETS_DONE) & mask) != mask) {
    }
}

static void crystal_start(void) {
    REGISTER(XOSC_CTRL) = 0xaa0u; /* 1 to 15 MHz */
    REGISTER(XOSC_STARTUP) = 47u; /* about 1 ms in units of 256 periods of 12 MHz */
    SET(XOSC_CTRL) = 0xfabu << 12;
    while (!(REGISTER(XOSC_STATUS) & XOSC_STABLE)) {
    }
}

/* 12 MHz * feedback / (first * second); the product with the feedback lies between 750 and 1600 MHz. */
static void pll_start(uint32_t pll, uint32_t reset, uint32_t feedback, uint32_t first, uint32_t second) {
    peripherals_restart(reset);
    REGISTER(pll + PLL_CS) = 1u; /* 12 MHz / 1 */
    REGISTER(pll + PLL_FBDIV) = feedback;
    CLEAR(pll + PLL_PWR) = PLL_PWR_PD | PLL_PWR_VCOPD;
    while (!(REGISTER(pll + PLL_CS) & PLL_LOCK)) {
    }
    REGISTER(pll + PLL_PRIM) = (first << 16) | (second << 12);
    CLEAR(pll + PLL_PWR) = PLL_PWR_POSTDIVPD;
}

/* A glitchless switch is over when the one-hot SELECTED shows the new source. */
static void await_selected(uint32_t selected, uint32_t source) {
    while (REGISTER(selected) != 1u << source) {
    }
}

static uint64_t timer_us(void) {
    uint32_t high, low;
    do {
        high = REGISTER(TIMER_RAWH);
        low = REGISTER(TIMER_RAWL);
    } while (high != REGISTER(TIMER_RAWH));
    return (uint64_t)high << 32 | low;
}

void clocks_start(void) {
    REGISTER(CLK_SYS_CTRL) = 0; /* off the PLL, onto clk_ref */
    await_selected(CLK_SYS_SELECTED, 0);
    crystal_start();
    REGISTER(CLK_REF_CTRL) = 2u; /* crystal */
    await_selected(CLK_REF_SELECTED, 2);
    pll_start(PLL_SYS, RESET_PLL_SYS, 125, 6, 2);
    REGISTER(CLK_SYS_CTRL) = 1u; /* auxiliary source 0: the PLL */
    await_selected(CLK_SYS_SELECTED, 1);
    REGISTER(CLK_PERI_CTRL) = CLK_ENABLE; /* from clk_sys */
    pll_start(PLL_USB, RESET_PLL_USB, 100, 5, 5);
    REGISTER(CLK_USB_CTRL) = CLK_ENABLE; /* from its PLL */

    REGISTER(WATCHDOG_TICK) = WATCHDOG_TICK_ENABLE | 12u; /* 12 MHz / 12 */
    peripherals_restart(RESET_TIMER);
    REGISTER(SYSTICK_RVR) = 0xffffffu;
    REGISTER(SYSTICK_CVR) = 0;
    REGISTER(SYSTICK_CSR) = SYSTICK_RUN_ON_CORE_CLOCK;
    epoch_us = timer_us();
}

/* SysTick gives the low 24 bits. TIMER, a few hundred cycles off at most, tells how often they went round. */
uint64_t clocks_cycles(void) {
    uint32_t low = 0u - REGISTER(SYSTICK_CVR);
    uint64_t near = (timer_us() - epoch_us) * CLOCK_MHZ;
    uint32_t ahead = (low - (uint32_t)near) & 0xffffffu;
    return ahead < 0x800000u ? near + ahead : near + ahead - 0x1000000u;
}
