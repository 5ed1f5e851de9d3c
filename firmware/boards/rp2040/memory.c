/* The four functions that a compiler may call even in freestanding code. Byte-exact; aligned words where both sides allow,
 * since ARMv6-M faults on any other. */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t count);
void *memmove(void *to, const void *from, size_t count);
void *memset(void *to, int value, size_t count);
int memcmp(const void *left, const void *right, size_t count);

/* Words that may alias memory of any type. */
typedef uint32_t __attribute__((may_alias)) word;

static int both_aligned(const void *a, const void *b)
{
    return (((uintptr_t)a | (uintptr_t)b) & 3u) == 0;
}

void *memcpy(void *restrict to, const void *restrict from, size_t count)
{
    uint8_t *out = to;
    const uint8_t *in = from;

    if (both_aligned(out, in)) {
        for (; count >= 16; count -= 16, out += 16, in += 16) {
            word a = ((const word *)in)[0], b = ((const word *)in)[1];
            word c = ((const word *)in)[2], d = ((const word *)in)[3];
            ((word *)out)[0] = a;
            ((word *)out)[1] = b;
            ((word *)out)[2] = c;
            ((word *)out)[3] = d;
        }
        for (; count >= 4; count -= 4, out += 4, in += 4) {
            *(word *)out = *(const word *)in;
        }
    }
    while (count-- > 0) {
        *out++ = *in++;
    }
    return to;
}

void *memmove(void *to, const void *from, size_t count)
{
    uint8_t *out = to;
    const uint8_t *in = from;

    if ((uintptr_t)out - (uintptr_t)in >= count) {
        return memcpy(to, from, count); /* which goes upwards: right unless `to` lies inside `from` */
    }
    if (both_aligned(out, in)) {
        for (; count % 4 != 0; count--) {
            out[count - 1] = in[count - 1];
        }
        for (; count > 0; count -= 4) {
            *(word *)(out + count - 4) = *(const word *)(in + count - 4);
        }
    }
    for (; count > 0; count--) {
        out[count - 1] = in[count - 1];
    }
    return to;
}

void *memset(void *to, int value, size_t count)
{
    uint8_t *out = to;
    word pattern = (uint8_t)value * 0x01010101u;

    for (; count > 0 && ((uintptr_t)out & 3u) != 0; count--) {
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

int memcmp(const void *left, const void *right, size_t count)
{
    const uint8_t *a = left, *b = right;

    for (; count > 0; count--, a++, b++) {
        if (*a != *b) {
            return *a < *b ? -1 : 1;
        }
    }
    return 0;
}
