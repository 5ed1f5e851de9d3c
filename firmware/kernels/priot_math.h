/* The arithmetic of reference/arithmetic.py on a 32-bit core: sign and magnitude, so that no shift ever sees a negative
 * number. */
#ifndef PRIOT_MATH_H
#define PRIOT_MATH_H

#include <stdint.h>

#define PRIOT_INT8_MAX 127

/* |v| as unsigned: right for INT32_MIN too. */
static inline uint32_t priot_magnitude(int32_t v) {
    return v < 0 ? 0u - (uint32_t)v : (uint32_t)v;
}

/* The value with this magnitude (at most INT32_MAX) and the sign of `like`. */
static inline int32_t priot_with_sign(uint32_t magnitude, int32_t like) {
    return like < 0 ? -(int32_t)magnitude : (int32_t)magnitude;
}

/* clip(v) to the stored range -127..127; -128 never occurs. */
static inline int8_t priot_clip_s8(int32_t v) {
    return (int8_t)(v > PRIOT_INT8_MAX ? PRIOT_INT8_MAX : v < -PRIOT_INT8_MAX ? -PRIOT_INT8_MAX : v);
}

/* dividend / divisor for sizes of layers, divisor 1..: by subtraction, as the core has no divider and nobody else's
 * routine or peripheral is to be trusted with it. Sizes are small and this runs a few times a pass at most. */
static inline uint32_t priot_quotient(uint32_t dividend, uint32_t divisor) {
    uint32_t quotient = 0;
    for (; dividend >= divisor; dividend -= divisor) {
        ++quotient;
    }
    return quotient;
}

/* bit_width of a tensor whose largest magnitude is `largest`: ceil(log2(largest)), and 0 for 0 and 1. */
static inline uint32_t priot_bit_width(uint32_t largest) {
    uint32_t width = 0;
    if (largest > 1) {
        for (uint32_t rest = largest - 1; rest != 0; rest >>= 1) {
            ++width;
        }
    }
    return width;
}

/* What round_shift adds before it shifts: half of the last kept bit, nothing where nothing is shifted. */
static inline uint32_t priot_rounding_half(uint32_t shift) {
    return shift == 0 ? 0 : 1u << (shift - 1);
}

/* requantize(acc, shift) = clip(round_shift(acc, shift)), half away from zero; shift 0..31, half =
 * priot_rounding_half(shift). A magnitude up to 2^31 plus a half up to 2^30 needs 32 bits unsigned. */
static inline int8_t priot_requantize(int32_t accumulator, uint32_t shift, uint32_t half) {
    const uint32_t rounded = (priot_magnitude(accumulator) + half) >> shift;
    return (int8_t)priot_with_sign(rounded > PRIOT_INT8_MAX ? PRIOT_INT8_MAX : rounded, accumulator);
}

/* NITI's pseudo-stochastic rounding, its constants worked out once for a shift of 0..31. */
typedef struct {
    uint32_t shift;
    uint32_t half;  /* h = shift / 2: how many of the discarded bits stand in for a random number */
    uint32_t upper; /* mask of the discarded bits above them, moved down by h */
    uint32_t lower; /* mask of the lowest h bits */
    uint32_t odd;   /* 1 where shift is odd: the lower part counts double */
} priot_psto;

static inline priot_psto priot_psto_of(uint32_t shift) {
    const uint32_t half = shift >> 1;
    const priot_psto psto = {shift, half, ((1u << shift) - 1u) >> half, (1u << half) - 1u, shift & 1u};
    return psto;
}

/* clip(psto_shift(v, shift)). */
static inline int8_t priot_psto_clip(int32_t v, const priot_psto *psto) {
    const uint32_t magnitude = priot_magnitude(v);
    if (magnitude >> psto->half == 0) {
        return 0; /* neither a whole part nor upper bits: the common case once a network has learned */
    }
    const uint32_t upper = (magnitude >> psto->half) & psto->upper;
    const uint32_t lower = (magnitude & psto->lower) << psto->odd;
    const uint32_t rounded = (magnitude >> psto->shift) + (upper > lower ? 1u : 0u);
    /* Clipped before the sign returns: 2^31 >> 1 rounded up stays in range either way. */
    return (int8_t)priot_with_sign(rounded > PRIOT_INT8_MAX ? PRIOT_INT8_MAX : rounded, v);
}

/* next(): xorshift32; the state is never 0. */
static inline uint32_t priot_next(uint32_t *rng) {
    uint32_t x = *rng;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    *rng = x;
    return x;
}

#endif
