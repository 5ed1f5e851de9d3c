/* The functions of the bootrom, found by their two letters (RP2040 datasheet, section 2.8.3.1). */
#ifndef PRIOT_RP2040_BOOTROM_H
#define PRIOT_RP2040_BOOTROM_H

typedef void (*bootrom_function)(void);

/* The function's entry, to be called through its true type; NULL if the ROM has none of that name, or if there is no
 * bootrom at all, as on an emulator with an empty one. */
bootrom_function bootrom_find(char first, char second);

#endif
