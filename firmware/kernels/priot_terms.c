#include "priot_terms.h"

uint32_t priot_terms_of_vector(const int8_t *values, uint32_t count, priot_term *terms) {
    priot_term *next = terms;
    for (uint32_t i = 0; i < count; ++i) {
        if (values[i] != 0) {
            *next++ = priot_term_of(i, values[i]);
        }
    }
    return (uint32_t)(next - terms);
}

int32_t priot_terms_dot(const priot_term *terms, uint32_t count, const int8_t *vector) {
    int32_t sum = 0;
    for (const priot_term *end = terms + count; terms != end; ++terms) {
        sum += priot_term_value(*terms) * vector[priot_term_position(*terms)];
    }
    return sum;
}

void priot_terms_scatter(const priot_term *terms, uint32_t count, int32_t weight, int32_t *accumulator) {
    for (const priot_term *end = terms + count; terms != end; ++terms) {
        *priot_term_element(*terms, accumulator) += weight * priot_term_value(*terms);
    }
}
