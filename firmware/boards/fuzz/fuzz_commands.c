/* Requests that the target frames itself: every command, in any order, with any payload. */
#include <string.h>

#include "codec.h"
#include "priot_frame.h"
#include "records.h"
#include "witness.h"

#define FRAME_BYTES (PRIOT_FRAME_DECODED_LIMIT + 64u) /* payloads a little too long are of interest as well */
#define EPOCH_SAMPLES 32u                             /* so that an input takes milliseconds */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t sent[FRAME_BYTES * 2];
static size_t sent_bytes;

static void make_frame(const record *request) {
    static uint8_t frame[FRAME_BYTES];
    const unsigned way = request->way & WAY_MASK;
    const size_t room = FRAME_BYTES - PRIOT_FRAME_BYTES - PRIOT_FRAME_CRC_BYTES;
    const size_t payload = request->count < room ? request->count : room, body = PRIOT_FRAME_BYTES + payload;
    const uint32_t session = way == WAY_OTHER_SESSION ? witness_session() + 1u
                             : way == WAY_NO_SESSION  ? 0
                                                      : witness_session();
    const int ahead = way == WAY_AHEAD ? 1 : way == WAY_BEHIND ? -2 : 0;
    frame[PRIOT_FRAME_VERSION] = PRIOT_VERSION + (way == WAY_BAD_VERSION);
    frame[PRIOT_FRAME_KIND] = way == WAY_BAD_KIND ? PRIOT_KIND_RESPONSE : PRIOT_KIND_REQUEST;
    priot_put_u16(frame + PRIOT_FRAME_SEQUENCE, (uint32_t)(witness_next_sequence() + ahead));
    frame[PRIOT_FRAME_COMMAND] = request->command;
    frame[PRIOT_FRAME_STATUS] = 0;
    priot_put_u16(frame + PRIOT_FRAME_LENGTH, (uint32_t)payload + (way == WAY_BAD_LENGTH));
    priot_put_u32(frame + PRIOT_FRAME_SESSION, session);
    memcpy(frame + PRIOT_FRAME_BYTES, request->payload, payload);
    if (request->command == PRIOT_COMMAND_LOAD && payload >= PRIOT_MODEL_RECORD_BYTES) {
        uint8_t *epoch = frame + PRIOT_FRAME_BYTES + PRIOT_MODEL_RECORD_EPOCH;
        priot_put_u16(epoch, priot_get_u16(epoch) % (EPOCH_SAMPLES + 1));
    }
    priot_put_u32(frame + body, codec_crc32(frame, body) ^ (way == WAY_BAD_CRC));
    sent_bytes = codec_encode(frame, body + PRIOT_FRAME_CRC_BYTES, sent);
    if (way == WAY_CUT) {
        --sent_bytes;
    }
}

static void put_flash(const record *set) {
    static uint8_t bytes[0x10000];
    memcpy(bytes, set->payload, set->count);
    if (set->count >= PRIOT_DATASET_RECORD_BYTES) {
        const size_t body = set->count - PRIOT_DATASET_RECORD_BYTES;
        priot_put_u32(bytes + PRIOT_DATASET_RECORD_MAGIC, PRIOT_DATASET_MAGIC);
        priot_put_u32(bytes + PRIOT_DATASET_RECORD_CRC, codec_crc32(bytes + PRIOT_DATASET_RECORD_BYTES, body));
    }
    witness_flash(bytes, set->count);
}

static void start_session(void) {
    static const record hello = {PRIOT_COMMAND_HELLO, WAY_OTHER_SESSION, sent, 0};
    make_frame(&hello);
    witness_send(0, sent, sent_bytes, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t at = 1;
    record next;
    if (size == 0) {
        return 0;
    }
    sent_bytes = 0;
    witness_begin(data[0]);
    for (unsigned count = 0; count < RECORDS_MAX && record_next(data, size, &at, &next); ++count) {
        const unsigned way = next.way & WAY_MASK;
        if (witness_session() == 0) {
            start_session(); /* the first request, and the first after a reset */
        }
        if (way == WAY_FLASH) {
            put_flash(&next);
            continue;
        }
        if (way != WAY_AGAIN) {
            make_frame(&next);
        }
        witness_send((next.way & WAY_SECOND_LINE) != 0, sent, sent_bytes, 1);
    }
    witness_end();
    return 0;
}
