/* Frames, written apart from the firmware's own, so that a mistake there is none here. */
#ifndef PRIOT_CODEC_H
#define PRIOT_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "priot_frame.h"

#define CODEC_FRAME_BYTES (PRIOT_FRAME_DECODED_LIMIT + 2u) /* room that codec_decode needs */

/* CRC-32 as in zlib. */
uint32_t codec_crc32(const uint8_t *bytes, size_t count);

/* COBS without its delimiters; returns the length of `out`, which has a byte more and one for every 254. */
size_t codec_encode(const uint8_t *bytes, size_t count, uint8_t *out);

/* Undoes COBS and checks what every frame has; returns the length of its payload, or -1. */
long codec_decode(const uint8_t *piece, size_t count, uint8_t *frame);

#endif
