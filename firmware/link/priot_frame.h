/* Frames: COBS(header, payload, CRC-32), ended by a zero byte. The receiver decodes byte by byte into one buffer. */
#ifndef PRIOT_FRAME_H
#define PRIOT_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "priot_protocol.h"

#define PRIOT_FRAME_CRC_BYTES 4u
#define PRIOT_FRAME_DECODED_LIMIT (PRIOT_FRAME_BYTES + PRIOT_PAYLOAD_LIMIT + PRIOT_FRAME_CRC_BYTES)
/* COBS adds a byte for every 254, one at the start, and the delimiter stands at both ends. */
#define PRIOT_FRAME_ENCODED_LIMIT (PRIOT_FRAME_DECODED_LIMIT + PRIOT_FRAME_DECODED_LIMIT / 254u + 4u)

/* Little-endian numbers at any address: the core loads no unaligned words. */
static inline uint32_t priot_get_u16(const uint8_t *at) {
    return at[0] | (uint32_t)at[1] << 8;
}

static inline uint32_t priot_get_u32(const uint8_t *at) {
    return priot_get_u16(at) | priot_get_u16(at + 2) << 16;
}

static inline void priot_put_u16(uint8_t *at, uint32_t value) {
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

static inline void priot_put_u32(uint8_t *at, uint32_t value) {
    priot_put_u16(at, value);
    priot_put_u16(at + 2, value >> 16);
}

static inline void priot_put_u64(uint8_t *at, uint64_t value) {
    priot_put_u32(at, (uint32_t)value);
    priot_put_u32(at + 4, (uint32_t)(value >> 32));
}

typedef struct {
    uint8_t decoded[PRIOT_FRAME_DECODED_LIMIT];
    size_t count;      /* decoded bytes so far */
    uint8_t run;       /* literal bytes left of the COBS block */
    uint8_t has_zero;  /* a zero follows the block */
    uint8_t is_broken; /* too long, or a block cut off: wait for the next delimiter */
} priot_receiver;

typedef enum {
    PRIOT_RECEIVED_NOTHING = 0,
    PRIOT_RECEIVED_FRAME,
    PRIOT_RECEIVED_GARBAGE,
} priot_received;

void priot_receiver_init(priot_receiver *receiver);

/* Takes a byte. On FRAME, decoded[] holds a checked header and payload until the next call; on GARBAGE a delimiter
 * ended something that is no frame. */
priot_received priot_frame_receive(priot_receiver *receiver, uint8_t byte);

/* Encodes `decoded` (header and payload, with PRIOT_FRAME_CRC_BYTES of room behind them) into `encoded`; returns its
 * length. */
size_t priot_frame_encode(uint8_t *decoded, size_t count, uint8_t *encoded);

#endif
