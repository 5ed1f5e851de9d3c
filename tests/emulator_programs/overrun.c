/* Sends a word for each received byte: the whole of UARTDR, error flags included. */
#include "registers.h"

void uart_interrupt(void) {
    while (!(REGISTER(UART_FR) & UART_RXFE)) {
        send_word(REGISTER(UART_DR));
    }
    REGISTER(UART_ICR) = 0x7ff;
}

int main(void) {
    uart_start();
    for (;;) {
        __asm volatile("wfi");
    }
}
