#include "priot_math.h"
#include "priot_update_s8.h"

void priot_update_priot_s(const priot_scored_row *row, const int32_t *gradient, uint32_t shift) {
    const priot_psto psto = priot_psto_of(shift);
    uint32_t packed = 0;
    for (uint32_t i = 0; i < row->count; ++i) {
        if (!priot_is_scored(row->scored, row->first_edge + i)) {
            continue;
        }
        const int32_t step = priot_psto_clip(row->weights[packed] * gradient[i], &psto);
        row->scores[packed] = priot_clip_s8(row->scores[packed] - step);
        row->effective[i] = row->scores[packed] < row->theta ? 0 : row->weights[packed];
        ++packed;
    }
}

uint32_t priot_largest_score_gradient_s(const priot_scored_row *row, const int32_t *gradient) {
    uint32_t largest = 0, packed = 0;
    for (uint32_t i = 0; i < row->count; ++i) {
        if (priot_is_scored(row->scored, row->first_edge + i)) {
            const uint32_t magnitude = priot_magnitude(row->weights[packed++] * gradient[i]);
            largest = magnitude > largest ? magnitude : largest;
        }
    }
    return largest;
}
