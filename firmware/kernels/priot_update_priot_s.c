#include "priot_update_s8.h"

void priot_update_priot_s(const priot_scored_row *row, const priot_row_gradient *gradient, priot_psto psto) {
    for (uint32_t i = 0; i < row->count; ++i) {
        const uint32_t column = row->columns[i];
        const int32_t weight = row->weights[i];
        const int32_t step = priot_psto_clip(weight * priot_gradient_of(gradient, column), &psto);
        if (step != 0) {
            row->scores[i] = priot_clip_s8(row->scores[i] - step);
            row->effective[column] = (int8_t)(row->scores[i] < row->theta ? 0 : weight);
        }
    }
}

uint32_t priot_largest_score_gradient_s(const priot_scored_row *row, const priot_row_gradient *gradient) {
    uint32_t largest = 0;
    for (uint32_t i = 0; i < row->count; ++i) {
        const uint32_t magnitude = priot_magnitude(row->weights[i] * priot_gradient_of(gradient, row->columns[i]));
        largest = magnitude > largest ? magnitude : largest;
    }
    return largest;
}
