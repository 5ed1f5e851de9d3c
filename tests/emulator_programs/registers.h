/* What the programs touch. */
#ifndef EMULATOR_PROGRAMS_REGISTERS_H
#define EMULATOR_PROGRAMS_REGISTERS_H

#include <stddef.h>
#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define CLEAR_ALIAS 0x3000u

#define RESETS_RESET 0x4000c000u
#define RESETS_DONE 0x4000c008u
#define RESETS_UART0 (1u << 22)
#define RESETS_TIMER (1u << 21)
#define WATCHDOG_LOAD 0x40058004u
#define WATCHDOG_CTRL 0x40058000u
#define WATCHDOG_REASON 0x40058008u
#define WATCHDOG_TICK 0x4005802cu
#define TIMER_RAWL 0x40054028u

#define UART_DR 0x40034000u
#define UART_FR 0x40034018u
#define UART_LCR_H 0x4003402cu
#define UART_CR 0x40034030u
#define UART_IMSC 0x40034038u
#define UART_ICR 0x40034044u
#define UART_RXFE (1u << 4)

#define SYST_CSR 0xe000e010u
#define SYST_RVR 0xe000e014u
#define SYST_CVR 0xe000e018u
#define NVIC_ISER 0xe000e100u
#define AIRCR 0xe000ed0cu

static inline void take_out_of_reset(uint32_t bits) {
    REGISTER(RESETS_RESET + CLEAR_ALIAS) = bits;
    while ((REGISTER(RESETS_DONE) & bits) != bits) {
    }
}

static inline void uart_start(void) {
    take_out_of_reset(RESETS_UART0);
    REGISTER(UART_LCR_H) = 0x70; /* 8 bits, FIFO */
    REGISTER(UART_CR) = 0x301;
    REGISTER(UART_IMSC) = 0x50; /* receive, receive timeout */
    REGISTER(NVIC_ISER) = 1u << 20;
}

static inline void uart_send(const void *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        REGISTER(UART_DR) = ((const uint8_t *)bytes)[i];
    }
}

static inline void send_word(uint32_t word) {
    uart_send(&word, 4);
}

#endif
