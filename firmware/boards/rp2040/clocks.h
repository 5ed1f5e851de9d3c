/* Clocks: everything runs from the crystal; clk_sys = clk_peri = 125 MHz, clk_usb = 48 MHz, TIMER counts
 * microseconds. */
#ifndef PRIOT_RP2040_CLOCKS_H
#define PRIOT_RP2040_CLOCKS_H

#include <stdint.h>

#define CLOCK_MHZ 125u

/* Starts the crystal, both PLLs, TIMER's tick and the cycle counter. Also right after a reset of the core alone,
 * when clk_sys still runs from the PLL. */
void clocks_start(void);

/* Takes peripherals (RESET_... bits) through reset and waits until they answer. */
void peripherals_restart(uint32_t mask);

/* Core cycles since clocks_start: exact, 64 bits, without an interrupt. */
uint64_t clocks_cycles(void);

#endif
