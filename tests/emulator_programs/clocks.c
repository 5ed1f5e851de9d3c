/* SysTick and TIMER around a delay whose cycles the host knows too; four words for each byte received. */
#include "registers.h"

void uart_interrupt(void) {
    REGISTER(UART_IMSC) = 0;
}

static uint32_t delay(uint32_t rounds) {
    uint32_t before = REGISTER(SYST_CVR);
    __asm volatile("1: subs %0, #1\n\tbne 1b" : "+l"(rounds) : : "cc");
    return before - REGISTER(SYST_CVR);
}

int main(void) {
    uart_start();
    take_out_of_reset(RESETS_TIMER);
    REGISTER(WATCHDOG_TICK) = 0x200 | 12;
    REGISTER(SYST_RVR) = 0xffffff;
    REGISTER(SYST_CVR) = 0;
    REGISTER(SYST_CSR) = 5;
    for (;;) {
        REGISTER(UART_IMSC) = 0x50;
        __asm volatile("wfi");
        uint32_t thousands = REGISTER(UART_DR);
        uint32_t timer = REGISTER(TIMER_RAWL);
        uint32_t ticks = delay(thousands * 1000u);
        send_word(ticks & 0xffffff);
        send_word(REGISTER(TIMER_RAWL) - timer);
        send_word(REGISTER(SYST_CSR) >> 16 & 1u);
        send_word(REGISTER(SYST_CSR) >> 16 & 1u);
    }
}
