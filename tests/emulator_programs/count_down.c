/* Each byte costs as many thousand rounds of a loop through memory, then goes back. */
#include "registers.h"

static volatile uint32_t rounds;

void uart_interrupt(void) {
    REGISTER(UART_IMSC) = 0;
}

int main(void) {
    uart_start();
    for (;;) {
        REGISTER(UART_IMSC) = 0x50;
        __asm volatile("wfi");
        uint32_t byte = REGISTER(UART_DR);
        rounds = byte * 1000u;
        while (rounds > 0) {
            rounds--;
        }
        REGISTER(UART_DR) = byte;
    }
}
