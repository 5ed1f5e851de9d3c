#include "priot_update_s8.h"

static inline void learn(int8_t *score, int32_t weight, int32_t gradient, priot_psto psto) {
    *score = priot_clip_s8(*score - priot_psto_clip(weight * gradient, &psto));
}

void priot_update_priot(int8_t *scores, const int8_t *weights, const priot_row_gradient *gradient, priot_psto psto) {
    if (gradient->dense != NULL) {
        for (uint32_t i = 0; i < gradient->count; ++i) {
            learn(&scores[i], weights[i], gradient->dense[i], psto);
        }
    } else {
        const priot_term *end = gradient->terms + gradient->term_count;
        for (const priot_term *term = gradient->terms; term != end; ++term) {
            const uint32_t edge = priot_term_position(*term);
            learn(&scores[edge], weights[edge], gradient->error * priot_term_value(*term), psto);
        }
    }
}

uint32_t priot_largest_score_gradient(const int8_t *weights, const priot_row_gradient *gradient) {
    uint32_t largest = 0;
    for (uint32_t i = 0; i < gradient->count; ++i) {
        const uint32_t magnitude = priot_magnitude(weights[i] * priot_gradient_of(gradient, i));
        largest = magnitude > largest ? magnitude : largest;
    }
    return largest;
}
