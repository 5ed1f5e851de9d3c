/* UART0, 115200 8N1, on GPIO0 (TX) and GPIO1 (RX). Bytes are received by interrupt into a ring. */
#ifndef PRIOT_RP2040_UART_H
#define PRIOT_RP2040_UART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* After clocks_start. */
void uart_start(void);

/* No byte is waiting. */
bool uart_is_empty(void);

/* Takes the oldest byte; false if there is none. */
bool uart_take(uint8_t *byte);

/* Returns when the last byte lies in the transmitter's FIFO. */
void uart_send(const uint8_t *bytes, size_t count);

/* Returns when the line has carried every byte. */
void uart_flush(void);

/* Interrupt 20. */
void uart_interrupt(void);

#endif
