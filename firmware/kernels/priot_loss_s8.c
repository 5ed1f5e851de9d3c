#include "priot_loss_s8.h"

#include <stddef.h>

#include "priot_math.h"

#define LOG2_E_Q15 47274 /* log2(e) * 2^15 */
#define PROBABILITY_BITS 11
#define ERROR_SHIFT 4

uint32_t priot_predict_s8(const int8_t *logits, uint32_t classes) {
    uint32_t best = 0;
    for (uint32_t i = 1; i < classes; ++i) {
        if (logits[i] > logits[best]) {
            best = i;
        }
    }
    return best;
}

/* Logits of a coarse exponent (> -7): s = trunc(trunc(o * log2(e)) * 2^exponent), a power of two to be. Monotonic in
 * the logit. */
static int64_t power_of(int32_t logit, int32_t exponent) {
    const uint32_t scaled = (priot_magnitude(logit) * LOG2_E_Q15) >> 15;
    const int64_t magnitude = exponent >= 0 ? (int64_t)scaled << exponent : (int64_t)(scaled >> -exponent);
    return logit < 0 ? -magnitude : magnitude;
}

/* g_i, the unnormalised probability of a class; `top` is power_of the largest logit. */
static uint64_t weight_of(int32_t logit, int32_t exponent, int64_t top) {
    if (exponent > -7) {
        const int64_t power = power_of(logit, exponent) - (top - 10);
        return power > 0 ? (1u << power) - 1u : 0u;
    }
    /* (1 + z) + z^2 / 2 for z = logit * 2^exponent, doubled and without its fraction: positive for every logit. */
    const int64_t unit = (int64_t)1 << -exponent;
    return (uint64_t)(2 * unit * unit + 2 * unit * logit + (int64_t)logit * logit);
}

/* The one division: floor(part * 2^11 / whole) for 0 <= part <= whole < 2^37, bit by bit, the same on every core. */
static int32_t probability(uint64_t part, uint64_t whole) {
    int32_t quotient = 0;
    uint64_t rest = part;
    for (uint32_t bit = 0; bit <= PROBABILITY_BITS; ++bit) {
        quotient <<= 1;
        if (rest >= whole) {
            rest -= whole;
            quotient |= 1;
        }
        rest <<= 1;
    }
    return quotient;
}

static int8_t round_error(int32_t value, uint32_t *rng) {
    if (rng == NULL) {
        return priot_requantize(value, ERROR_SHIFT, priot_rounding_half(ERROR_SHIFT));
    }
    const uint32_t magnitude = priot_magnitude(value), mask = (1u << ERROR_SHIFT) - 1u;
    const uint32_t threshold = priot_next(rng) & mask; /* drawn for every class, also where nothing is rounded */
    return priot_clip_s8(
        priot_with_sign((magnitude >> ERROR_SHIFT) + ((magnitude & mask) > threshold ? 1u : 0u), value));
}

void priot_loss_s8(const priot_loss_s8_args *args) {
    const int32_t exponent = args->exponent < -12 ? -12 : args->exponent > 24 ? 24 : args->exponent;
    const int64_t top =
        exponent > -7 ? power_of(args->logits[priot_predict_s8(args->logits, args->classes)], exponent) : 0;
    uint64_t whole = 0;
    for (uint32_t i = 0; i < args->classes; ++i) {
        whole += weight_of(args->logits[i], exponent, top);
    }
    int32_t total = 0;
    for (uint32_t i = 0; i < args->classes; ++i) {
        args->scratch[i] = probability(weight_of(args->logits[i], exponent, top), whole);
        total += args->scratch[i];
    }
    args->scratch[args->label] -= total;
    for (uint32_t i = 0; i < args->classes; ++i) {
        args->error[i] = round_error(args->scratch[i], args->rng);
    }
}
