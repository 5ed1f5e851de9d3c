/* Changes to an input that keep it a list of requests. libFuzzer's own changes, byte by byte, are made within a
 * payload. */
#include <stdlib.h>
#include <string.h>

#include "priot_protocol.h"
#include "records.h"

#define PAYLOAD_MAX (PRIOT_PAYLOAD_LIMIT + 32u)
#define COMMANDS_END 0x20u /* codes of commands, and some beyond: new ones need no change here */

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *data1, size_t size1, const uint8_t *data2, size_t size2, uint8_t *out,
                                 size_t max_out_size, unsigned seed);

static uint32_t state;

static uint32_t draw(uint32_t below) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state % below;
}

static void start(unsigned seed) {
    state = seed * 2654435761u | 1u;
}

static size_t read_all(const uint8_t *data, size_t size, record *records) {
    size_t at = 1, count = 0;
    while (count < RECORDS_MAX && record_next(data, size, &at, &records[count])) {
        ++count;
    }
    return count;
}

static size_t write_all(uint8_t *out, size_t room, uint8_t board, const record *records, size_t count) {
    size_t size = 1;
    out[0] = board;
    for (size_t i = 0; i < count; ++i) {
        size = record_append(out, size, room, &records[i]);
    }
    return size;
}

static void insert(record *records, size_t *count, size_t at, record added) {
    if (*count < RECORDS_MAX) {
        memmove(records + at + 1, records + at, (*count - at) * sizeof *records);
        records[at] = added;
        ++*count;
    }
}

/* A description whose number of layers is another than its length says is refused at once. */
static void mend(record *request, uint8_t *payload) {
    if (request->command == PRIOT_COMMAND_LOAD && request->count >= PRIOT_MODEL_RECORD_BYTES && draw(8) != 0) {
        const size_t layers = (request->count - PRIOT_MODEL_RECORD_BYTES) / PRIOT_LAYER_RECORD_BYTES;
        payload[PRIOT_MODEL_RECORD_LAYERS] = (uint8_t)layers;
        request->count = PRIOT_MODEL_RECORD_BYTES + layers * PRIOT_LAYER_RECORD_BYTES;
    }
}

/* Sets one byte to a small number, or to an edge: what most fields of most requests are about. */
static void set_byte(uint8_t *payload, size_t count) {
    static const uint8_t edges[] = {0x00, 0x01, 0x7f, 0x80, 0x81, 0xff};
    payload[draw((uint32_t)count)] = draw(4) != 0 ? (uint8_t)draw(12) : edges[draw(sizeof edges)];
}

/* Doubles or drops one layer of a description. */
static void change_layers(record *request, uint8_t *payload) {
    const size_t layers = request->count < PRIOT_MODEL_RECORD_BYTES
                              ? 0
                              : (request->count - PRIOT_MODEL_RECORD_BYTES) / PRIOT_LAYER_RECORD_BYTES;
    if (layers == 0) {
        return;
    }
    const size_t layer = PRIOT_LAYER_RECORD_BYTES, at = PRIOT_MODEL_RECORD_BYTES + layer * draw((uint32_t)layers);
    if (draw(2) != 0 && request->count + layer <= PAYLOAD_MAX) {
        memmove(payload + at + layer, payload + at, request->count - at);
        request->count += layer;
    } else {
        memmove(payload + at, payload + at + layer, request->count - at - layer);
        request->count -= layer;
    }
}

static void change_payload(record *request, uint8_t *payload) {
    request->count = request->count < PAYLOAD_MAX ? request->count : PAYLOAD_MAX;
    memcpy(payload, request->payload, request->count);
    request->payload = payload;
    if (request->command == PRIOT_COMMAND_LOAD && draw(4) == 0) {
        change_layers(request, payload);
    } else if (request->count > 0 && draw(2) != 0) {
        set_byte(payload, request->count);
    } else {
        request->count = LLVMFuzzerMutate(payload, request->count, PAYLOAD_MAX);
    }
    mend(request, payload);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
    static uint8_t payload[PAYLOAD_MAX], out[1 << 16];
    static const record nothing = {PRIOT_COMMAND_HELLO, 0, payload, 0};
    record records[RECORDS_MAX];
    start(seed);
    size_t count = read_all(data, size, records);
    uint8_t board = size > 0 ? data[0] : 0;
    if (count == 0) {
        insert(records, &count, 0, nothing);
    }
    const size_t at = draw((uint32_t)count), other = draw((uint32_t)count);
    record *chosen = &records[at];
    switch (draw(16)) {
    case 0:
        insert(records, &count, other, *chosen);
        break;
    case 1:
        --count;
        memmove(chosen, chosen + 1, (count - at) * sizeof *records);
        break;
    case 2: {
        const record moved = *chosen;
        *chosen = records[other];
        records[other] = moved;
        break;
    }
    case 3: {
        const record added = {(uint8_t)draw(COMMANDS_END), 0, chosen->payload, draw(2) != 0 ? chosen->count : 0};
        insert(records, &count, other, added);
        break;
    }
    case 4:
        chosen->command = (uint8_t)draw(COMMANDS_END);
        break;
    case 5:
        chosen->way = draw(2) != 0 ? 0 : (uint8_t)draw(WAY_SECOND_LINE << 1);
        break;
    case 6:
        board = (uint8_t)draw(16);
        break;
    default:
        change_payload(chosen, payload);
        break;
    }
    const size_t written = write_all(out, max_size < sizeof out ? max_size : sizeof out, board, records, count);
    memcpy(data, out, written);
    return written;
}

/* The first requests of one input, then the last ones of another. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *data1, size_t size1, const uint8_t *data2, size_t size2, uint8_t *out,
                                 size_t max_out_size, unsigned seed) {
    record first[RECORDS_MAX], second[RECORDS_MAX];
    start(seed);
    size_t count = read_all(data1, size1, first);
    const size_t behind = read_all(data2, size2, second);
    count = draw((uint32_t)count + 1);
    for (size_t i = draw((uint32_t)behind + 1); i < behind; ++i) {
        insert(first, &count, count, second[i]);
    }
    return write_all(out, max_out_size, size1 > 0 ? data1[0] : 0, first, count);
}
