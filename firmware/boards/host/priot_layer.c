#include "priot_layer.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "priot_math.h"

/* Part of each function that is built for a certain processor. */
#define PART static inline __attribute__((always_inline))

enum {
    GROUP = 4 /* inputs that are added to a gradient at once */
};

/* gradient += the sum of value * input over a group. Two products fit in 16 bits: 2 * 127 * 127 = 32,258. */
PART void add_group(int32_t *restrict gradient, const int8_t *restrict inputs, uint32_t columns,
                    const uint32_t positions[GROUP], const int8_t values[GROUP]) {
    const int8_t *restrict a = inputs + (size_t)positions[0] * columns;
    const int8_t *restrict b = inputs + (size_t)positions[1] * columns;
    const int8_t *restrict c = inputs + (size_t)positions[2] * columns;
    const int8_t *restrict d = inputs + (size_t)positions[3] * columns;

    for (uint32_t i = 0; i < columns; ++i) {
        const int16_t first = (int16_t)(values[0] * a[i] + values[1] * b[i]);
        const int16_t second = (int16_t)(values[2] * c[i] + values[3] * d[i]);
        gradient[i] += first + second;
    }
}

/* The gradient of a row; false where the row has no error, so that all of it is 0. */
PART bool sum_up(const priot_layer *layer, uint32_t row, int32_t *gradient) {
    const int8_t *errors = layer->errors + (size_t)row * layer->positions;
    uint32_t positions[GROUP];
    int8_t values[GROUP];
    uint32_t count = 0;
    bool any = false;

    for (uint32_t position = 0; position < layer->positions; ++position) {
        if (errors[position] == 0) {
            continue;
        }
        if (!any) {
            memset(gradient, 0, layer->columns * sizeof *gradient);
            any = true;
        }
        positions[count] = position;
        values[count] = errors[position];
        if (++count == GROUP) {
            add_group(gradient, layer->inputs, layer->columns, positions, values);
            count = 0;
        }
    }
    if (count > 0) {
        for (; count < GROUP; ++count) {
            positions[count] = positions[0];
            values[count] = 0;
        }
        add_group(gradient, layer->inputs, layer->columns, positions, values);
    }
    return any;
}

PART void learn_weights(int8_t *restrict weights, float *restrict effective, const int32_t *restrict gradient,
                        uint32_t columns, priot_psto psto) {
    for (uint32_t i = 0; i < columns; ++i) {
        weights[i] = priot_clip_s8(weights[i] - priot_psto_clip(gradient[i], &psto));
        effective[i] = weights[i];
    }
}

PART void learn_scores(int8_t *restrict scores, float *restrict effective, const int8_t *restrict weights,
                       const int32_t *restrict gradient, uint32_t columns, int32_t theta, priot_psto psto) {
    for (uint32_t i = 0; i < columns; ++i) {
        const int32_t weight = weights[i];
        const int32_t score = priot_clip_s8(scores[i] - priot_psto_clip(weight * gradient[i], &psto));
        scores[i] = (int8_t)score;
        effective[i] = (float)(score < theta ? 0 : weight);
    }
}

PART void learn_some_scores(int8_t *restrict scores, float *restrict effective, const int8_t *restrict weights,
                            const uint8_t *restrict scored, const int32_t *restrict gradient, uint32_t columns,
                            int32_t theta, priot_psto psto) {
    for (uint32_t i = 0; i < columns; ++i) {
        const int32_t weight = weights[i];
        const int32_t score = priot_clip_s8(scores[i] - scored[i] * priot_psto_clip(weight * gradient[i], &psto));
        scores[i] = (int8_t)score;
        effective[i] = (float)(scored[i] && score < theta ? 0 : weight);
    }
}

PART void learn(const priot_layer *layer, uint32_t first, uint32_t last, uint32_t shift, int32_t *gradient) {
    const priot_psto psto = priot_psto_of(shift);
    const uint32_t columns = layer->columns;

    for (uint32_t row = first; row < last; ++row) {
        if (!sum_up(layer, row, gradient)) {
            continue;
        }
        const size_t start = (size_t)row * columns;
        int8_t *values = layer->values + start;
        float *effective = layer->effective + start;
        if (layer->weights == NULL) {
            learn_weights(values, effective, gradient, columns, psto);
        } else if (layer->scored == NULL) {
            learn_scores(values, effective, layer->weights + start, gradient, columns, layer->theta, psto);
        } else {
            learn_some_scores(values, effective, layer->weights + start, layer->scored + start, gradient, columns,
                              layer->theta, psto);
        }
    }
}

PART uint32_t largest_of(const int32_t *restrict gradient, const int8_t *restrict weights,
                         const uint8_t *restrict scored, uint32_t columns) {
    uint32_t largest = 0;

    for (uint32_t i = 0; i < columns; ++i) {
        const int32_t weight = weights == NULL ? 1 : scored == NULL ? weights[i] : weights[i] * scored[i];
        const uint32_t magnitude = priot_magnitude(weight * gradient[i]);
        largest = magnitude > largest ? magnitude : largest;
    }
    return largest;
}

PART uint32_t find_largest(const priot_layer *layer, uint32_t first, uint32_t last, int32_t *gradient) {
    uint32_t largest = 0;

    for (uint32_t row = first; row < last; ++row) {
        if (!sum_up(layer, row, gradient)) {
            continue;
        }
        const size_t start = (size_t)row * layer->columns;
        const int8_t *weights = layer->weights == NULL ? NULL : layer->weights + start;
        const uint8_t *scored = layer->scored == NULL ? NULL : layer->scored + start;
        const uint32_t here = largest_of(gradient, weights, scored, layer->columns);
        largest = here > largest ? here : largest;
    }
    return largest;
}

void priot_layer_learn(const priot_layer *layer, uint32_t first, uint32_t last, uint32_t shift, int32_t *gradient) {
    learn(layer, first, last, shift, gradient);
}

uint32_t priot_layer_largest(const priot_layer *layer, uint32_t first, uint32_t last, int32_t *gradient) {
    return find_largest(layer, first, last, gradient);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) void priot_layer_learn_avx2(const priot_layer *layer, uint32_t first, uint32_t last,
                                                            uint32_t shift, int32_t *gradient) {
    learn(layer, first, last, shift, gradient);
}

__attribute__((target("avx2"))) uint32_t priot_layer_largest_avx2(const priot_layer *layer, uint32_t first,
                                                                  uint32_t last, int32_t *gradient) {
    return find_largest(layer, first, last, gradient);
}
#endif
