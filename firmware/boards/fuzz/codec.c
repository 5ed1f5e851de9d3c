#include "codec.h"

#include <string.h>

uint32_t codec_crc32(const uint8_t *bytes, size_t count) {
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < count; ++i) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; ++bit) {
            crc = crc >> 1 ^ (0xedb88320u & -(crc & 1));
        }
    }
    return ~crc;
}

size_t codec_encode(const uint8_t *bytes, size_t count, uint8_t *out) {
    size_t size = 0;
    for (size_t at = 0;; ++at) {
        size_t run = 0;
        while (at + run < count && bytes[at + run] != 0 && run < 254) {
            ++run;
        }
        out[size] = (uint8_t)(run + 1);
        memcpy(out + size + 1, bytes + at, run);
        size += run + 1;
        at += run;
        if (at >= count) {
            return size;
        }
        at -= run == 254; /* such a block has no zero behind it */
    }
}

long codec_decode(const uint8_t *piece, size_t count, uint8_t *frame) {
    size_t at = 0, length = 0;
    while (at < count) {
        const size_t code = piece[at];
        if (code > count - at || length + code > PRIOT_FRAME_DECODED_LIMIT + 1) {
            return -1;
        }
        memcpy(frame + length, piece + at + 1, code - 1);
        length += code - 1;
        at += code;
        if (code != 0xff && at < count) {
            frame[length++] = 0;
        }
    }
    const size_t around = PRIOT_FRAME_BYTES + PRIOT_FRAME_CRC_BYTES;
    if (length < around || length > around + PRIOT_PAYLOAD_LIMIT || frame[PRIOT_FRAME_VERSION] != PRIOT_VERSION ||
        priot_get_u16(frame + PRIOT_FRAME_LENGTH) != length - around ||
        priot_get_u32(frame + length - 4) != codec_crc32(frame, length - 4)) {
        return -1;
    }
    return (long)(length - around);
}
