/* What the device says it is: a CDC serial port of the abstract control model (USB 2.0, chapter 9; CDC 1.1; PSTN 1.2).
 * Vendor and product are the test ids of pid.codes, 1209:0001, fit for private use only. */
#ifndef PRIOT_RP2040_USB_DESCRIPTORS_H
#define PRIOT_RP2040_USB_DESCRIPTORS_H

#include <stdint.h>

#include "unique_id.h"

/* Sets the serial number: the id in hexadecimal. */
void usb_descriptors_start(const uint8_t id[UNIQUE_ID_BYTES]);

/* A descriptor and its length; NULL where there is none of that type and index. It is overwritten by the next call. */
const uint8_t *usb_descriptor(uint32_t type, uint32_t index, uint32_t *bytes);

#endif
