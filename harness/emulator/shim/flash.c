/* The flash chip, and as much of a bootrom as it takes to write it: a table of functions, each of which hands its
 * arguments to a port that no chip has and returns. What they do is done here. The chip keeps NOR's rules: erased bytes
 * are 0xff, and writing only clears bits. It obeys only between flash_exit_xip and flash_flush_cache, and does not
 * touch the program's own text. */
#include "machine.h"

#include <string.h>

enum {
    SSI_RXFLR = 0x24,
    SSI_SR = 0x28,
    SSI_DR0 = 0x60,
    PORT = 0xf00, /* four arguments, then which function */
    PORT_FUNCTION = 0x10,
};
#define SSI_IDLE 0x6u
#define TABLE 0x20u
#define SECTOR_BYTES 4096u
#define FLASH_PAGE_BYTES 256u
#define READ_UNIQUE_ID 0x4bu
#define ID_BEGINS 5u /* behind the command and four bytes of nothing */

static const uint8_t UNIQUE_ID[] = {0xe6, 0x60, 0x58, 0x38, 0x83, 0x41, 0x7a, 0x2c}; /* a number as any */

typedef enum {
    CONNECT,
    EXIT_XIP,
    ERASE,
    PROGRAM,
    FLUSH_CACHE,
    FUNCTIONS
} rom_function;

static void put_half(uint8_t *rom, uint32_t at, uint32_t half) {
    rom[at] = (uint8_t)half;
    rom[at + 1] = (uint8_t)(half >> 8);
}

void bootrom_fill(uint8_t rom[ROM_BYTES]) {
    static const char names[FUNCTIONS][3] = {"IF", "EX", "RE", "RP", "FC"};
    memset(rom, 0, ROM_BYTES);
    memcpy(rom + 0x10, "Mu\1\2", 4);
    put_half(rom, 0x14, TABLE);
    for (uint32_t i = 0; i < FUNCTIONS; i++) {
        const uint16_t code[] = {
            0xb530,
            0x4c02,
            0x2500u | i,
            0xc42f,
            0xbd30,
            0x46c0, /* push {r4, r5, lr}; ldr r4, PORT; movs r5, #i; */
            (0x18000000u + PORT) & 0xffffu,
            0x1800, /* stm r4!, {r0-r3, r5}; pop {r4, r5, pc}; nop */
        };
        uint32_t at = ROM_CODE + i * (uint32_t)sizeof code;
        for (uint32_t j = 0; j < sizeof code / sizeof code[0]; j++) {
            put_half(rom, at + 2u * j, code[j]);
        }
        memcpy(rom + TABLE + 4u * i, names[i], 2);
        put_half(rom, TABLE + 4u * i + 2u, at | 1u);
    }
}

/* Whether a range is whole units within flash, and none of it text that the core may have translated. */
static bool may_change(const machine *m, uint32_t offset, uint32_t count, uint32_t unit) {
    if (!m->state.chip.takes_commands || (offset | count) % unit != 0 || offset > FLASH_BYTES ||
        count > FLASH_BYTES - offset) {
        return false;
    }
    for (uint32_t at = offset; at < offset + count; at += unit) {
        for (uint32_t part = at; part < at + unit; part += PAGE_BYTES) {
            if (m->pages[(SRAM_BYTES + part) / PAGE_BYTES] & UC_PROT_EXEC) {
                return false;
            }
        }
    }
    return true;
}

static uint8_t byte_at(const machine *m, uint32_t address) {
    return in_sram(address, 1) ? m->sram[address - SRAM_BASE] : 0xffu;
}

static void call(machine *m, rom_function function) {
    machine_flash_chip *chip = &m->state.chip;
    uint32_t offset = chip->arguments[0], second = chip->arguments[1], third = chip->arguments[2];
    switch (function) {
    case EXIT_XIP:
        chip->takes_commands = 1;
        break;
    case FLUSH_CACHE:
        chip->takes_commands = chip->selected = 0;
        break;
    case ERASE:
        if (may_change(m, offset, second, SECTOR_BYTES)) {
            memset(m->flash + offset, 0xff, second);
            m->flash_changes++;
        }
        break;
    case PROGRAM:
        if (may_change(m, offset, third, FLASH_PAGE_BYTES)) {
            for (uint32_t i = 0; i < third; i++) {
                m->flash[offset + i] &= byte_at(m, second + i);
            }
            m->flash_changes++;
        }
        break;
    case CONNECT:
    case FUNCTIONS:
        break;
    }
}

void flash_select(machine *m, uint32_t control) {
    m->state.chip.selected = (control >> 8 & 3u) == 2u;
    m->state.chip.position = 0;
}

/* A byte to the chip brings one back. */
static void shift(machine *m, uint8_t byte) {
    machine_flash_chip *chip = &m->state.chip;
    if (!chip->takes_commands || !chip->selected || chip->count == SSI_FIFO) {
        return;
    }
    uint32_t place = chip->position++ - ID_BEGINS;
    chip->command = chip->position == 1 ? byte : chip->command;
    bool is_id = chip->command == READ_UNIQUE_ID && place < sizeof UNIQUE_ID;
    chip->fifo[(chip->first + chip->count++) % SSI_FIFO] = is_id ? UNIQUE_ID[place] : 0;
}

uint32_t ssi_read(machine *m, uint32_t offset, bool peek) {
    machine_flash_chip *chip = &m->state.chip;
    switch (offset) {
    case SSI_SR:
        return SSI_IDLE;
    case SSI_RXFLR:
        return chip->count;
    case SSI_DR0: {
        uint32_t byte = chip->count > 0 ? chip->fifo[chip->first] : 0;
        if (!peek && chip->count > 0) {
            chip->first = (chip->first + 1u) % SSI_FIFO;
            chip->count--;
        }
        return byte;
    }
    default:
        return *stored_value(m, 0x18000000u + offset, 0);
    }
}

void ssi_write(machine *m, uint32_t offset, uint32_t value) {
    if (offset - PORT < sizeof m->state.chip.arguments) {
        m->state.chip.arguments[(offset - PORT) / 4u] = value;
    } else if (offset == PORT + PORT_FUNCTION) {
        call(m, (rom_function)value);
    } else if (offset == SSI_DR0) {
        shift(m, (uint8_t)value);
    } else {
        *stored_value(m, 0x18000000u + offset, 0) = value;
    }
}
