/* Room behind each tensor of the arena. None, but in the fuzzer's build: there PRIOT_GUARD_BYTES is a power of two of 8
 * or more and the board is told where each tensor lies, so that address sanitizer sees whatever leaves one. */
#ifndef PRIOT_GUARD_H
#define PRIOT_GUARD_H

#include <stddef.h>

#ifdef PRIOT_GUARD_BYTES
void priot_guard_tensor(void *tensor, size_t bytes);
#else
#define PRIOT_GUARD_BYTES 0u
static inline void priot_guard_tensor(void *tensor, size_t bytes) {
    (void)tensor;
    (void)bytes;
}
#endif

#endif
