#include "flash.h"

#include "bootrom.h"
#include "plain_reads.h"
#include "registers.h"
#include <stddef.h>

#define BLOCK_BYTES 0x10000u /* what one command of the chip erases at once */
#define BLOCK_ERASE 0xd8u

typedef enum {
    EXCHANGE,
    ERASE,
    PROGRAM
} operation;

typedef void (*bootrom_erase)(uint32_t offset, size_t count, uint32_t block_bytes, uint8_t block_erase);
typedef void (*bootrom_program)(uint32_t offset, const uint8_t *bytes, size_t count);

static struct {
    bootrom_function connect, exit_xip, flush_cache;
    bootrom_erase erase;
    bootrom_program program;
} rom;

int flash_start(void) {
    rom.connect = bootrom_find('I', 'F');
    rom.exit_xip = bootrom_find('E', 'X');
    rom.flush_cache = bootrom_find('F', 'C');
    rom.erase = (bootrom_erase)bootrom_find('R', 'E');
    rom.program = (bootrom_program)bootrom_find('R', 'P');
    return rom.connect != NULL && rom.exit_xip != NULL && rom.flush_cache != NULL && rom.erase != NULL &&
           rom.program != NULL;
}

/* Always within its caller: a function of its own would lie in flash. */
__attribute__((always_inline)) static inline void exchange(uint8_t *frame, uint32_t count) {
    REGISTER(GPIO_QSPI_SS_CTRL) = QSPI_SS_LOW;
    for (uint32_t i = 0; i < count; ++i) {
        REGISTER(SSI + SSI_DR0) = frame[i];
    }
    for (uint32_t i = 0; i < count; ++i) {
        while (REGISTER(SSI + SSI_RXFLR) == 0) {
        }
        frame[i] = (uint8_t)REGISTER(SSI + SSI_DR0);
    }
    REGISTER(GPIO_QSPI_SS_CTRL) = QSPI_SS_HIGH;
}

/* All that happens while flash cannot be read: no call but into the bootrom, no constant outside its own code. */
__attribute__((section(".ramcode"), noinline)) static void command_flash(operation what, uint32_t offset,
                                                                         uint8_t *bytes, uint32_t count) {
    rom.connect();  /* pins to the flash interface */
    rom.exit_xip(); /* the chip back to plain commands, the interface to frames of one byte */
    if (what == ERASE) {
        rom.erase(offset, count, BLOCK_BYTES, BLOCK_ERASE);
    } else if (what == PROGRAM) {
        rom.program(offset, bytes, count);
    } else {
        exchange(bytes, count);
    }
    rom.flush_cache();              /* the cache knows nothing; the select pin is the interface's again */
    REGISTER(SSI + SSI_SSIENR) = 0; /* settings change only while the interface is off */
    REGISTER(SSI + SSI_BAUDR) = PLAIN_BAUDR;
    REGISTER(SSI + SSI_CTRLR0) = PLAIN_CTRLR0;
    REGISTER(SSI + SSI_SPI_CTRLR0) = PLAIN_SPI_CTRLR0;
    REGISTER(SSI + SSI_CTRLR1) = PLAIN_CTRLR1;
    REGISTER(SSI + SSI_SSIENR) = 1;
}

/* Through a pointer that the compiler cannot see through: from flash, SRAM is too far for a plain call. */
static void command_masked(operation what, uint32_t offset, uint8_t *bytes, uint32_t count) {
    void (*volatile in_sram)(operation, uint32_t, uint8_t *, uint32_t) = command_flash;
    uint32_t primask;
    __asm volatile("mrs %0, primask\n cpsid i" : "=r"(primask)::"memory");
    in_sram(what, offset, bytes, count);
    __asm volatile("msr primask, %0" ::"r"(primask) : "memory");
}

void flash_exchange(uint8_t *frame, uint32_t count) {
    command_masked(EXCHANGE, 0, frame, count);
}

/* Block by block, so that interrupts wait no longer than one takes. */
void flash_erase(uint32_t offset, uint32_t bytes) {
    while (bytes > 0) {
        const uint32_t left = BLOCK_BYTES - (offset & (BLOCK_BYTES - 1)), count = bytes < left ? bytes : left;
        command_masked(ERASE, offset, NULL, count);
        offset += count;
        bytes -= count;
    }
}

void flash_program(uint32_t offset, const uint8_t *bytes, uint32_t count) {
    command_masked(PROGRAM, offset, (uint8_t *)(uintptr_t)bytes, count);
}
