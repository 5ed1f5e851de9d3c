#include "uart.h"

#include "clocks.h"
#include "registers.h"
#include "ring.h"

/* Two of the link's longest frames: a UART cannot ask the host to wait. */
enum {
    RING_BYTES = 4096
};

static ring received;
static uint8_t memory[RING_BYTES];
static volatile uint32_t lost; /* bytes that found FIFO or ring full; for a debugger, as the CRC tells the host */

void uart_start(void) {
    ring_init(&received, memory, RING_BYTES);
    lost = 0;
    peripherals_restart(RESET_IO_BANK0 | RESET_PADS_BANK0 | RESET_UART0);
    REGISTER(PADS_GPIO1) = PAD_INPUT_PULLED_UP;
    REGISTER(GPIO0_CTRL) = GPIO_FUNCTION_UART;
    REGISTER(GPIO1_CTRL) = GPIO_FUNCTION_UART;
    REGISTER(UART0_IBRD) = 67u; /* 125 MHz / (16 * 115200) = 67 + 52/64 */
    REGISTER(UART0_FBRD) = 52u;
    REGISTER(UART0_LCR_H) = 0x70u; /* 8 bits, no parity, one stop bit, FIFOs on; written last, it latches the divisor */
    REGISTER(UART0_IFLS) = 0x10u;  /* interrupt at half a FIFO */
    REGISTER(UART0_IMSC) = UART_RX_INTERRUPTS;
    REGISTER(UART0_CR) = 0x301u; /* receive, transmit, enable */
    REGISTER(NVIC_ISER) = 1u << UART0_IRQ;
}

void uart_interrupt(void) {
    REGISTER(UART0_ICR) = UART_RX_INTERRUPTS;
    while (!(REGISTER(UART0_FR) & UART_FR_RX_EMPTY)) {
        uint32_t data = REGISTER(UART0_DR);
        if (data & UART_DR_OVERRUN) {
            lost++;
        }
        if (ring_room(&received) == 0) {
            lost++;
        } else {
            ring_put(&received, (uint8_t)data);
        }
    }
}

bool uart_is_empty(void) {
    return ring_is_empty(&received);
}

bool uart_take(uint8_t *byte) {
    return ring_take(&received, byte);
}

void uart_send(const uint8_t *bytes, size_t count) {
    for (size_t i = 0; i < count; ++i) {
        while (REGISTER(UART0_FR) & UART_FR_TX_FULL) {
        }
        REGISTER(UART0_DR) = bytes[i];
    }
}

void uart_flush(void) {
    while (REGISTER(UART0_FR) & UART_FR_BUSY) {
    }
}
