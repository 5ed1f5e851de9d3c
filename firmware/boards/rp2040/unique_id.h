/* What tells one board from another: the 64-bit number that its flash chip was made with. */
#ifndef PRIOT_RP2040_UNIQUE_ID_H
#define PRIOT_RP2040_UNIQUE_ID_H

#include <stdint.h>

enum {
    UNIQUE_ID_BYTES = 8
};

/* Reads it; zeros where there is none to be had: no bootrom to help, or a chip that does not answer. Call it before any
 * interrupt is enabled, and before the clocks are changed: for a millisecond nothing can be fetched from flash. */
void unique_id_read(uint8_t id[UNIQUE_ID_BYTES]);

#endif
