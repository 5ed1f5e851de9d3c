/* Bytes between the host and the UART: they grow at one end and shrink at the other. */
#include "machine.h"

#include <stdlib.h>
#include <string.h>

bool queue_put(byte_queue *q, const uint8_t *bytes, size_t count) {
    if (q->first == q->end) {
        q->first = q->end = 0;
    }
    if (q->end + count > q->room) {
        size_t room = (q->end + count) * 2;
        uint8_t *grown = realloc(q->bytes, room);
        if (grown == NULL) {
            return false;
        }
        q->bytes = grown;
        q->room = room;
    }
    memcpy(q->bytes + q->end, bytes, count);
    q->end += count;
    return true;
}
