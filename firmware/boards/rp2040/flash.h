/* The flash chip, through the bootrom's functions. While it takes commands nothing can be fetched from it, so each of
 * these runs from SRAM with interrupts masked, and then leaves flash as boot2 does: to be read with command 03h. */
#ifndef PRIOT_RP2040_FLASH_H
#define PRIOT_RP2040_FLASH_H

#include <stdint.h>

#define FLASH_EXCHANGE_LIMIT 16 /* bytes, as many as the interface keeps */

/* Finds the bootrom's functions; 0 where there are none. First of all: the others trust that it found them. */
int flash_start(void);

/* Sends a command and replaces its bytes by those that came back meanwhile. */
void flash_exchange(uint8_t *frame, uint32_t count);

/* Erases whole sectors of 4096 bytes to 0xff; takes up to 0.4 s for each. Offsets are from the start of flash. */
void flash_erase(uint32_t offset, uint32_t bytes);

/* Writes whole pages of 256 bytes that are erased; `bytes` lie in SRAM. */
void flash_program(uint32_t offset, const uint8_t *bytes, uint32_t count);

#endif
