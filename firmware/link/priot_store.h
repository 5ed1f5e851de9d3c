/* Giving a board its transfer set over the link: erase, then store, each read back. */
#ifndef PRIOT_STORE_H
#define PRIOT_STORE_H

#include "priot_device.h"

/* Both forget the set that was found; on PRIOT_STATUS_BAD_FLASH *value is the offset of the first wrong byte, and what
 * lies in the rest of the range is not known. */
priot_status priot_store_erase(priot_device *device, uint32_t offset, uint32_t bytes, uint32_t *value);
priot_status priot_store_write(priot_device *device, uint32_t offset, const uint8_t *bytes, uint32_t count,
                               uint32_t *value);

#endif
