#include "uart.h"

#include "clocks.h"
#include "registers.h"

/* Two of the link's longest frames; a power of two, so that free-running counters index it. */
enum {
    RING_BYTES = 4096
};

static struct {
    volatile uint32_t written; /* by the interrupt only */
    volatile uint32_t read;    /* by the main loop only */
    volatile uint32_t lost; /* bytes that found the FIFO or the ring full; for a debugger, as the CRC tells the host */
    uint8_t bytes[RING_BYTES];
} ring;

void uart_start(void) {
    ring.written = ring.read = ring.lost = 0;
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
            ring.lost++;
        }
        if (ring.written - ring.read == RING_BYTES) {
            ring.lost++;
        } else {
            ring.bytes[ring.written % RING_BYTES] = (uint8_t)data;
            ring.written++;
        }
    }
}

/* With interrupts masked, one that comes between the look and the sleep still ends the sleep. */
void uart_wait(void) {
    __asm volatile("cpsid i" ::: "memory");
    if (ring.read == ring.written) {
        __asm volatile("wfi" ::: "memory");
    }
    __asm volatile("cpsie i" ::: "memory");
}

bool uart_take(uint8_t *byte) {
    if (ring.read == ring.written) {
        return false;
    }
    *byte = ring.bytes[ring.read % RING_BYTES];
    ring.read++;
    return true;
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
