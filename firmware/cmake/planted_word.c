/* One word of four letters among 2^32: a fuzzer has to find it letter by letter. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 3 && data[0] == 'w' && data[1] == 'o' && data[2] == 'r' && data[3] == 'd') {
        abort();
    }
    return 0;
}
