/* Works through three stretches of sums with carries, the middle one with interrupts masked, while bytes come in; then
 * sends the sum and how many bytes had come at each stretch's end. */
#include "registers.h"

#define ROUNDS 60000u

volatile uint8_t bytes[256];
static volatile uint32_t count;

void uart_interrupt(void) {
    while (!(REGISTER(UART_FR) & UART_RXFE)) {
        bytes[count++ % sizeof bytes] = (uint8_t)REGISTER(UART_DR);
    }
    REGISTER(UART_ICR) = 0x50;
}

static uint64_t stretch(uint64_t sum) {
    for (uint32_t i = 0; i < ROUNDS; ++i) {
        sum = sum + (sum << 7) + (sum >> 3) + 0xffffffffu;
        if ((int32_t)sum < 0) {
            sum ^= 0x8000000000000001u;
        }
    }
    return sum;
}

static void send(uint32_t word) {
    for (uint32_t i = 0; i < 4; ++i) {
        REGISTER(UART_DR) = word >> 8 * i & 0xffu;
    }
}

int main(void) {
    uart_start();
    __asm volatile("wfi");
    uint64_t sum = stretch(1);
    const uint32_t first = count;
    __asm volatile("cpsid i" ::: "memory");
    sum = stretch(sum);
    const uint32_t second = count;
    __asm volatile("cpsie i" ::: "memory");
    sum = stretch(sum);
    const uint32_t third = count;
    send((uint32_t)sum);
    send((uint32_t)(sum >> 32));
    send(first);
    send(second);
    send(third);
    return 0;
}
