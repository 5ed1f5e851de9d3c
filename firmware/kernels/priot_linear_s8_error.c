#include "priot_linear_s8.h"

/* The loops take plain arguments: behind a pointer to a structure, every store would make the compiler read its fields
 * again. */
static void accumulate(const int8_t *values, int32_t error, uint32_t count, int32_t *accumulator) {
    for (uint32_t i = 0; i < count; ++i) {
        accumulator[i] += values[i] * error;
    }
}

static void accumulate_masked(const int8_t *values, const int8_t *scores, int32_t theta, int32_t error, uint32_t count,
                              int32_t *accumulator) {
    for (uint32_t i = 0; i < count; ++i) {
        if (scores[i] >= theta) {
            accumulator[i] += values[i] * error;
        }
    }
}

void priot_linear_s8_error(const priot_linear_s8_error_args *args) {
    const priot_weights *weights = &args->weights;
    for (uint32_t i = 0; i < args->in; ++i) {
        args->accumulator[i] = 0;
    }
    for (uint32_t row = 0; row < args->out; ++row) {
        priot_error error;
        if (priot_errors_of_channel(&args->error, row, &error) == 0) {
            continue;
        }
        const size_t edge = (size_t)row * args->in;
        if (weights->scores == NULL) {
            accumulate(weights->values + edge, error.value, args->in, args->accumulator);
        } else {
            accumulate_masked(weights->values + edge, weights->scores + edge, weights->theta, error.value, args->in,
                              args->accumulator);
        }
    }
}
