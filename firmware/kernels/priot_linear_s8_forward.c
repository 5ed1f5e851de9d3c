#include "priot_linear_s8.h"

/* As priot_terms_dot, over the edges that are not pruned. */
static int32_t masked_dot(const priot_term *terms, uint32_t count, const int8_t *values, const int8_t *scores,
                          int8_t theta) {
    int32_t sum = 0;
    for (const priot_term *end = terms + count; terms != end; ++terms) {
        const uint32_t position = priot_term_position(*terms);
        if (scores[position] >= theta) {
            sum += priot_term_value(*terms) * values[position];
        }
    }
    return sum;
}

void priot_linear_s8_forward(const priot_linear_s8_forward_args *args) {
    const priot_weights *weights = &args->weights;
    const uint32_t count = priot_terms_of_vector(args->input, args->in, args->terms);
    for (uint32_t row = 0; row < args->out; ++row) {
        const size_t edge = (size_t)row * args->in;
        args->accumulator[row] = weights->scores == NULL ? priot_terms_dot(args->terms, count, weights->values + edge)
                                                         : masked_dot(args->terms, count, weights->values + edge,
                                                                      weights->scores + edge, weights->theta);
    }
}
