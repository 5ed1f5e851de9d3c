#include "priot_math.h"
#include "priot_update_s8.h"

void priot_update_priot(int8_t *scores, const int8_t *weights, const int32_t *gradient, uint32_t count, uint32_t shift) {
    const priot_psto psto = priot_psto_of(shift);
    for (uint32_t i = 0; i < count; ++i) {
        if (gradient[i] != 0) {
            scores[i] = priot_clip_s8(scores[i] - priot_psto_clip(weights[i] * gradient[i], &psto));
        }
    }
}

uint32_t priot_largest_score_gradient(const int8_t *weights, const int32_t *gradient, uint32_t count) {
    uint32_t largest = 0;
    for (uint32_t i = 0; i < count; ++i) {
        const uint32_t magnitude = priot_magnitude(weights[i] * gradient[i]);
        largest = magnitude > largest ? magnitude : largest;
    }
    return largest;
}
