/* Any bytes at all on one line: COBS, CRC-32, header. */
#include <string.h>

#include "witness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    witness_begin(0);
    while (size > 0) {
        const uint8_t *end = memchr(data, 0, size);
        const size_t count = end != NULL ? (size_t)(end - data) : size;
        witness_send(0, data, count, end != NULL);
        data += count + (end != NULL);
        size -= count + (end != NULL);
    }
    witness_end();
    return 0;
}
