/* What tells one board from another: the 64-bit number that its flash chip was made with. */
#ifndef PRIOT_RP2040_UNIQUE_ID_H
#define PRIOT_RP2040_UNIQUE_ID_H

#include <stdint.h>

enum {
    UNIQUE_ID_BYTES = 8
};

/* Reads it; zeros where the chip does not answer. After flash_start. */
void unique_id_read(uint8_t id[UNIQUE_ID_BYTES]);

#endif
