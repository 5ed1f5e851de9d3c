/* UART0, a PL011: its receive FIFO fills from the host's queue, at most one FIFO at a time and only while the core
 * waits, so that a firmware which keeps up loses nothing; sending takes no time. */
#include "machine.h"

enum {
    DR = 0x00,
    RSR = 0x04,
    FR = 0x18,
    LCR_H = 0x2c,
    CR = 0x30,
    IFLS = 0x34,
    IMSC = 0x38,
    RIS = 0x3c,
    MIS = 0x40,
    ICR = 0x44,
};
enum {
    INT_RX = 1u << 4,
    INT_TX = 1u << 5,
    INT_RT = 1u << 6,
    INT_OE = 1u << 10
};
enum {
    FR_RXFE = 1u << 4,
    FR_RXFF = 1u << 6,
    FR_TXFE = 1u << 7
};
enum {
    CR_UARTEN = 1u << 0,
    CR_TXE = 1u << 8,
    CR_RXE = 1u << 9
};
#define LCR_FEN (1u << 4)
#define DR_OE (1u << 11)
#define RESET_BIT 22u

static uint32_t *reg(machine *m, uint32_t offset) {
    uint32_t reset_value = offset == CR ? 0x300u : offset == IFLS ? 0x12u : 0;
    return stored_value(m, 0x40034000u + offset, reset_value);
}

static uint32_t capacity(machine *m) {
    return *reg(m, LCR_H) & LCR_FEN ? UART_FIFO : 1u;
}

static bool enabled(machine *m, uint32_t direction) {
    uint32_t needed = CR_UARTEN | direction;
    return !in_reset(m, RESET_BIT) && (*reg(m, CR) & needed) == needed;
}

static uint32_t raw_interrupts(machine *m) {
    static const uint8_t eighths_of_32[8] = {4, 8, 16, 24, 28, 28, 28, 28};
    machine_uart *uart = &m->state.uart;
    uint32_t level = capacity(m) == 1u ? 1u : eighths_of_32[*reg(m, IFLS) >> 3 & 7u];
    return uart->interrupts | (uart->count >= level ? (uint32_t)INT_RX : 0u);
}

static uint32_t take(machine *m) {
    machine_uart *uart = &m->state.uart;
    if (uart->count == 0) {
        return 0;
    }
    uint32_t entry = uart->fifo[uart->first];
    uart->first = (uart->first + 1) % UART_FIFO;
    if (--uart->count == 0) {
        uart->interrupts &= ~(uint32_t)INT_RT;
    }
    *reg(m, RSR) |= entry & DR_OE ? 8u : 0u;
    return entry;
}

uint32_t uart_read(machine *m, uint32_t offset, bool peek) {
    uint32_t count = m->state.uart.count;
    switch (offset) {
    case DR:
        return peek ? 0 : take(m);
    case FR:
        return FR_TXFE | (count == 0 ? (uint32_t)FR_RXFE : 0u) | (count >= capacity(m) ? (uint32_t)FR_RXFF : 0u);
    case RIS:
        return raw_interrupts(m);
    case MIS:
        return raw_interrupts(m) & *reg(m, IMSC);
    case ICR:
        return 0;
    default:
        return *reg(m, offset);
    }
}

void uart_write(machine *m, uint32_t offset, uint32_t value) {
    machine_uart *uart = &m->state.uart;
    uint8_t byte = (uint8_t)value;
    switch (offset) {
    case DR:
        if (enabled(m, CR_TXE)) {
            queue_put(&m->output, &byte, 1);
            uart->interrupts |= INT_TX;
        }
        break;
    case RSR:
        *reg(m, RSR) = 0;
        break;
    case ICR:
        uart->interrupts &= ~value;
        break;
    case FR:
    case RIS:
    case MIS:
        break;
    default:
        *reg(m, offset) = value;
    }
}

/* Called while the core waits: what has come in by then is followed by silence, hence the receive timeout. Unpaced,
 * the whole queue arrives at once and overruns the FIFO. */
void uart_receive(machine *m, bool paced) {
    machine_uart *uart = &m->state.uart;
    byte_queue *input = &m->input;
    if (!enabled(m, CR_RXE)) {
        return;
    }
    while (input->first < input->end && (uart->count < capacity(m) || !paced)) {
        uint8_t byte = input->bytes[input->first++];
        if (uart->count < capacity(m)) {
            uint32_t slot = (uart->first + uart->count++) % UART_FIFO;
            uart->fifo[slot] = (uint16_t)(byte | (uart->overrun ? DR_OE : 0u));
            uart->overrun = 0;
        } else {
            uart->overrun = 1;
            uart->interrupts |= INT_OE;
        }
    }
    if (uart->count > 0) {
        uart->interrupts |= INT_RT;
    }
}

bool uart_interrupt(machine *m) {
    return (raw_interrupts(m) & *reg(m, IMSC)) != 0;
}
