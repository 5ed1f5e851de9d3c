#include "priot_linear_s8.h"

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
        const int8_t *values = weights->values + (size_t)row * args->in;
        if (weights->scores == NULL) {
            for (uint32_t i = 0; i < args->in; ++i) {
                args->accumulator[i] += values[i] * error.value;
            }
        } else {
            const int8_t *scores = weights->scores + (size_t)row * args->in;
            for (uint32_t i = 0; i < args->in; ++i) {
                if (scores[i] >= weights->theta) {
                    args->accumulator[i] += values[i] * error.value;
                }
            }
        }
    }
}
