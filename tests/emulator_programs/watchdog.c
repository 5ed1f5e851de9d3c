/* Says why it started; the byte 1 lets the watchdog bite after 10 ms, the byte 2 triggers it at once, 3 loops for ever.
 */
#include "registers.h"

void uart_interrupt(void) {
    REGISTER(UART_IMSC) = 0;
}

int main(void) {
    uart_start();
    REGISTER(WATCHDOG_TICK) = 0x200 | 12;
    send_word(REGISTER(WATCHDOG_REASON));
    REGISTER(UART_IMSC) = 0x50;
    __asm volatile("wfi");
    uint32_t byte = REGISTER(UART_DR);
    if (byte == 2) {
        REGISTER(WATCHDOG_CTRL) = 0x80000000;
    }
    REGISTER(WATCHDOG_LOAD) = 20000; /* counts twice a microsecond */
    REGISTER(WATCHDOG_CTRL) = byte == 1 ? 0x40000000 : 0;
    for (;;) {
    }
}
