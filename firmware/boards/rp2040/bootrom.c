#include "bootrom.h"

#include <stddef.h>
#include <stdint.h>

#define ROM_MAGIC 0x10u /* "Mu", 1, then the version */
#define ROM_FUNCTIONS 0x14u

/* The empty assembly hides from the compiler that these addresses lie where it expects a null pointer's target. */
static uint16_t rom_half(uint32_t address) {
    __asm volatile("" : "+r"(address));
    return *(const volatile uint16_t *)address;
}

bootrom_function bootrom_find(char first, char second) {
    const uint16_t name = (uint16_t)((uint8_t)first | (uint8_t)second << 8);

    if (rom_half(ROM_MAGIC) != ('M' | 'u' << 8) || (rom_half(ROM_MAGIC + 2) & 0xffu) != 1u) {
        return NULL;
    }
    for (uint32_t entry = rom_half(ROM_FUNCTIONS); rom_half(entry) != 0; entry += 4) {
        if (rom_half(entry) == name) {
            return (bootrom_function)(uintptr_t)rom_half(entry + 2);
        }
    }
    return NULL;
}
