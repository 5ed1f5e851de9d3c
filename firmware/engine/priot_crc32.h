/* CRC-32 as in zlib: reflected 0xedb88320, start and end inverted. */
#ifndef PRIOT_CRC32_H
#define PRIOT_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* Goes on from `crc`, which is 0 at the start: crc32(crc32(0, a), b) is that of a followed by b. */
uint32_t priot_crc32(uint32_t crc, const void *data, size_t count);

#endif
