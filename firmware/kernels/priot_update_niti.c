#include "priot_update_s8.h"

static inline void learn(int8_t *weight, int32_t gradient, priot_psto psto) {
    *weight = priot_clip_s8(*weight - priot_psto_clip(gradient, &psto));
}

void priot_update_niti(int8_t *weights, const priot_row_gradient *gradient, priot_psto psto) {
    if (gradient->dense != NULL) {
        for (uint32_t i = 0; i < gradient->count; ++i) {
            learn(&weights[i], gradient->dense[i], psto);
        }
    } else {
        const priot_term *end = gradient->terms + gradient->term_count;
        for (const priot_term *term = gradient->terms; term != end; ++term) {
            learn(&weights[priot_term_position(*term)], gradient->error * priot_term_value(*term), psto);
        }
    }
}

uint32_t priot_largest_gradient(const priot_row_gradient *gradient) {
    uint32_t largest = 0;
    for (uint32_t i = 0; i < gradient->count; ++i) {
        const uint32_t magnitude = priot_magnitude(priot_gradient_of(gradient, i));
        largest = magnitude > largest ? magnitude : largest;
    }
    return largest;
}
