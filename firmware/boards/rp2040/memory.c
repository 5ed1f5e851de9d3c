/* Byte-exact; aligned words where both sides allow, since ARMv6-M faults on any other. */
#include "memory.h"

#include <stdint.h>

/* Words that may alias memory of any type. */
typedef uint32_t __attribute__((may_alias)) word;

static int both_aligned(const void *a, const void *b) {
    return (((uintptr_t)a | (uintptr_t)b) & 3u) == 0;
}

/* Upwards; also right where `to` lies below an overlapping `from`. Four words at a time: load them all, then store. */
static void copy_up(uint8_t *to, const uint8_t *from, size_t count) {
    if (both_aligned(to, from)) {
        for (; count >= 16; count -= 16, to += 16, from += 16) {
            word a = ((const word *)from)[0], b = ((const word *)from)[1];
            word c = ((const word *)from)[2], d = ((const word *)from)[3];
            ((word *)to)[0] = a;
            ((word *)to)[1] = b;
            ((word *)to)[2] = c;
            ((word *)to)[3] = d;
        }
        for (; count >= 4; count -= 4, to += 4, from += 4) {
            *(word *)to = *(const word *)from;
        }
    }
    while (count-- > 0) {
        *to++ = *from++;
    }
}

/* From the end; for `to` inside `from`. */
static void copy_down(uint8_t *to, const uint8_t *from, size_t count) {
    if (both_aligned(to, from)) {
        for (; count % 4 != 0; --count) {
            to[count - 1] = from[count - 1];
        }
        for (; count > 0; count -= 4) {
            *(word *)(to + count - 4) = *(const word *)(from + count - 4);
        }
    }
    for (; count > 0; --count) {
        to[count - 1] = from[count - 1];
    }
}

void *memcpy(void *restrict to, const void *restrict from, size_t count) {
    copy_up(to, from, count);
    return to;
}

void *memmove(void *to, const void *from, size_t count) {
    if ((uintptr_t)to - (uintptr_t)from >= count) {
        copy_up(to, from, count);
    } else {
        copy_down(to, from, count);
    }
    return to;
}

void *memset(void *to, int value, size_t count) {
    uint8_t *out = to;
    word pattern = (uint8_t)value * 0x01010101u;

    for (; count > 0 && ((uintptr_t)out & 3u) != 0; --count) {
        *out++ = (uint8_t)value;
    }
    for (; count >= 4; count -= 4, out += 4) {
        *(word *)out = pattern;
    }
    while (count-- > 0) {
        *out++ = (uint8_t)value;
    }
    return to;
}

int memcmp(const void *left, const void *right, size_t count) {
    const uint8_t *a = left, *b = right;

    for (; count > 0; --count, ++a, ++b) {
        if (*a != *b) {
            return *a < *b ? -1 : 1;
        }
    }
    return 0;
}
