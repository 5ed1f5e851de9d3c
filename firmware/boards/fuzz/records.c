#include "records.h"

#include <string.h>

int record_next(const uint8_t *data, size_t size, size_t *at, record *next) {
    if (*at > size || size - *at < RECORD_HEAD_BYTES) {
        return 0;
    }
    const uint8_t *head = data + *at;
    const size_t left = size - *at - RECORD_HEAD_BYTES, length = head[2] | (size_t)head[3] << 8;
    *next = (record){head[0], head[1], head + RECORD_HEAD_BYTES, length < left ? length : left};
    *at += RECORD_HEAD_BYTES + next->count;
    return 1;
}

size_t record_append(uint8_t *data, size_t size, size_t room, const record *next) {
    if (next->count > 0xffff || size + RECORD_HEAD_BYTES + next->count > room) {
        return size;
    }
    uint8_t *head = data + size;
    head[0] = next->command;
    head[1] = next->way;
    head[2] = (uint8_t)next->count;
    head[3] = (uint8_t)(next->count >> 8);
    memcpy(head + RECORD_HEAD_BYTES, next->payload, next->count);
    return size + RECORD_HEAD_BYTES + next->count;
}
