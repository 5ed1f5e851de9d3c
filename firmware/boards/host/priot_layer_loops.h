/* The loops of priot_layer.h, for a kind of processor to take: what it does best in its own way is given to them as a
 * function, and all of them become part of whatever calls them. */
#ifndef PRIOT_LAYER_LOOPS_H
#define PRIOT_LAYER_LOOPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "priot_layer.h"
#include "priot_math.h"

/* Part of functions that are built for more than one kind of processor. */
#define PART static inline __attribute__((always_inline))

enum {
    GROUP = 4, /* vectors that one loop goes through at once */
    PAIR = 2   /* rows of weights that meet them meanwhile */
};

/* sums[r][k] = the sum of row r * vector k. */
typedef void dots(int32_t sums[PAIR][GROUP], const int8_t *const rows[PAIR], const int8_t *const vectors[GROUP],
                  uint32_t length);

/* sums[k] += the sum of common * vector k. */
PART void add_dots(int32_t sums[GROUP], const int8_t *restrict common, const int8_t *const vectors[GROUP],
                   uint32_t first, uint32_t length) {
    const int8_t *restrict a = vectors[0];
    const int8_t *restrict b = vectors[1];
    const int8_t *restrict c = vectors[2];
    const int8_t *restrict d = vectors[3];
    int32_t in_a = 0, in_b = 0, in_c = 0, in_d = 0;

    for (uint32_t i = first; i < length; ++i) {
        in_a += common[i] * a[i];
        in_b += common[i] * b[i];
        in_c += common[i] * c[i];
        in_d += common[i] * d[i];
    }
    sums[0] += in_a;
    sums[1] += in_b;
    sums[2] += in_c;
    sums[3] += in_d;
}

/* sum += factor * vector over a group. */
PART void add_group(int32_t *restrict sum, const int8_t *const vectors[GROUP], const int8_t factors[GROUP],
                    uint32_t length) {
    const int8_t *restrict a = vectors[0];
    const int8_t *restrict b = vectors[1];
    const int8_t *restrict c = vectors[2];
    const int8_t *restrict d = vectors[3];

    for (uint32_t i = 0; i < length; ++i) {
        sum[i] += factors[0] * a[i] + factors[1] * b[i] + factors[2] * c[i] + factors[3] * d[i];
    }
}

/* The same over two alone, as errors are few. */
PART void add_two(int32_t *restrict sum, const int8_t *const vectors[GROUP], const int8_t factors[GROUP],
                  uint32_t length) {
    const int8_t *restrict a = vectors[0];
    const int8_t *restrict b = vectors[1];

    for (uint32_t i = 0; i < length; ++i) {
        sum[i] += factors[0] * a[i] + factors[1] * b[i];
    }
}

/* sum = the sum of factor * vector over all vectors; false where every factor is 0, and then `sum` is not written. */
PART bool sum_up(int32_t *sum, const int8_t *vectors, uint32_t length, const int8_t *factors, uint32_t count,
                 uint32_t stride) {
    const int8_t *group[GROUP];
    int8_t by[GROUP];
    uint32_t waiting = 0;
    bool any = false;

    for (uint32_t i = 0; i < count; ++i) {
        const int8_t factor = factors[(size_t)i * stride];
        if (factor == 0) {
            continue;
        }
        if (!any) {
            memset(sum, 0, length * sizeof *sum);
            any = true;
        }
        group[waiting] = vectors + (size_t)i * length;
        by[waiting] = factor;
        if (++waiting == GROUP) {
            add_group(sum, group, by, length);
            waiting = 0;
        }
    }
    for (uint32_t k = waiting; k < GROUP; ++k) {
        group[k] = vectors;
        by[k] = 0;
    }
    if (waiting > 2) {
        add_group(sum, group, by, length);
    } else if (waiting > 0) {
        add_two(sum, group, by, length);
    }
    return any;
}

PART uint32_t columns_of(const priot_layer *layer) {
    return layer->taps * layer->channels;
}

PART void forward(const priot_layer *layer, uint32_t first, uint32_t last, dots *dots_by) {
    const uint32_t columns = columns_of(layer);

    for (uint32_t row = first; row < last; row += PAIR) {
        const uint32_t rows_left = last - row, rows = rows_left < PAIR ? rows_left : PAIR;
        const int8_t *weights[PAIR];
        for (uint32_t r = 0; r < PAIR; ++r) {
            weights[r] = layer->effective + (size_t)(row + (r < rows ? r : 0)) * columns;
        }
        for (uint32_t position = 0; position < layer->positions; position += GROUP) {
            const uint32_t left = layer->positions - position, count = left < GROUP ? left : GROUP;
            const int8_t *inputs[GROUP];
            int32_t found[PAIR][GROUP];
            for (uint32_t k = 0; k < GROUP; ++k) {
                inputs[k] = layer->inputs + (size_t)(position + (k < count ? k : 0)) * columns;
            }
            dots_by(found, weights, inputs, columns);
            for (uint32_t k = 0; k < count; ++k) {
                int32_t *to = layer->accumulators + (size_t)(position + k) * layer->rows + row;
                for (uint32_t r = 0; r < rows; ++r) {
                    to[r] = found[r][k];
                }
            }
        }
    }
}

PART bool gradient_of(const priot_layer *layer, uint32_t row, int32_t *gradient) {
    return sum_up(gradient, layer->inputs, columns_of(layer), layer->errors + row, layer->positions, layer->rows);
}

PART void input_error(const priot_layer *layer, uint32_t first, uint32_t last, int32_t *own) {
    const uint32_t columns = columns_of(layer), channels = layer->channels;
    int32_t *row = own, *sums = own + columns;

    memset(sums, 0, ((size_t)layer->pixels_in + 1) * channels * sizeof *sums);
    for (uint32_t position = first; position < last; ++position) {
        const int8_t *errors = layer->errors + (size_t)position * layer->rows;
        if (!sum_up(row, layer->effective, columns, errors, layer->rows, 1)) {
            continue;
        }
        const int32_t *pixels = layer->pixels + (size_t)position * layer->taps;
        for (uint32_t tap = 0; tap < layer->taps; ++tap) {
            int32_t *restrict to = sums + (size_t)pixels[tap] * channels;
            const int32_t *restrict from = row + (size_t)tap * channels;
            for (uint32_t i = 0; i < channels; ++i) {
                to[i] += from[i];
            }
        }
    }
}

PART uint32_t larger(uint32_t largest, int32_t value) {
    const uint32_t magnitude = priot_magnitude(value);
    return magnitude > largest ? magnitude : largest;
}

PART uint32_t largest_gradient(const int32_t *restrict gradient, uint32_t count) {
    uint32_t largest = 0;

    for (uint32_t i = 0; i < count; ++i) {
        largest = larger(largest, gradient[i]);
    }
    return largest;
}

PART uint32_t largest_product(const int32_t *restrict gradient, const int8_t *restrict weights, uint32_t count) {
    uint32_t largest = 0;

    for (uint32_t i = 0; i < count; ++i) {
        largest = larger(largest, weights[i] * gradient[i]);
    }
    return largest;
}

PART uint32_t largest_of_some(const int32_t *restrict gradient, const int8_t *restrict weights,
                              const uint8_t *restrict scored, uint32_t count) {
    uint32_t largest = 0;

    for (uint32_t i = 0; i < count; ++i) {
        largest = larger(largest, scored[i] * weights[i] * gradient[i]);
    }
    return largest;
}

PART uint32_t find_largest(const priot_layer *layer, uint32_t first, uint32_t last, int32_t *gradient) {
    const uint32_t columns = columns_of(layer);
    uint32_t largest = 0;

    for (uint32_t row = first; row < last; ++row) {
        if (!gradient_of(layer, row, gradient)) {
            continue;
        }
        const size_t start = (size_t)row * columns;
        uint32_t here;
        if (layer->weights == NULL) {
            here = largest_gradient(gradient, columns);
        } else if (layer->scored == NULL) {
            here = largest_product(gradient, layer->weights + start, columns);
        } else {
            here = largest_of_some(gradient, layer->weights + start, layer->scored + start, columns);
        }
        largest = here > largest ? here : largest;
    }
    return largest;
}

PART void learn_weights(int8_t *restrict weights, const int32_t *restrict gradient, uint32_t count, priot_psto psto) {
    for (uint32_t i = 0; i < count; ++i) {
        weights[i] = priot_clip_s8(weights[i] - priot_psto_clip(gradient[i], &psto));
    }
}

PART void learn_scores(int8_t *restrict scores, int8_t *restrict effective, const int8_t *restrict weights,
                       const int32_t *restrict gradient, uint32_t count, int32_t theta, priot_psto psto) {
    for (uint32_t i = 0; i < count; ++i) {
        const int32_t score = priot_clip_s8(scores[i] - priot_psto_clip(weights[i] * gradient[i], &psto));
        scores[i] = (int8_t)score;
        effective[i] = (int8_t)(score < theta ? 0 : weights[i]);
    }
}

PART void learn_some_scores(int8_t *restrict scores, int8_t *restrict effective, const int8_t *restrict weights,
                            const uint8_t *restrict scored, const int32_t *restrict gradient, uint32_t count,
                            int32_t theta, priot_psto psto) {
    for (uint32_t i = 0; i < count; ++i) {
        const int32_t step = scored[i] * priot_psto_clip(weights[i] * gradient[i], &psto);
        const int32_t score = priot_clip_s8(scores[i] - step);
        scores[i] = (int8_t)score;
        effective[i] = (int8_t)(scored[i] != 0 && score < theta ? 0 : weights[i]);
    }
}

/* Columns first.. of a row learn from its gradient. */
PART void learn_columns(const priot_layer *layer, uint32_t row, uint32_t first, const int32_t *gradient,
                        priot_psto psto) {
    const uint32_t columns = columns_of(layer), count = columns - first;
    const size_t start = (size_t)row * columns + first;
    int8_t *values = layer->values + start, *effective = layer->effective + start;

    gradient += first;
    if (layer->weights == NULL) {
        learn_weights(values, gradient, count, psto);
    } else if (layer->scored == NULL) {
        learn_scores(values, effective, layer->weights + start, gradient, count, layer->theta, psto);
    } else {
        learn_some_scores(values, effective, layer->weights + start, layer->scored + start, gradient, count,
                          layer->theta, psto);
    }
}

/* A row learns from its gradient. */
typedef void learn_row(const priot_layer *layer, uint32_t row, const int32_t *gradient, priot_psto psto);

PART void learn(const priot_layer *layer, uint32_t first, uint32_t last, int32_t *gradient, learn_row *learn_by) {
    const priot_psto psto = priot_psto_of(layer->shift);

    for (uint32_t row = first; row < last; ++row) {
        if (gradient_of(layer, row, gradient)) {
            learn_by(layer, row, gradient, psto);
        }
    }
}

PART void requantize(const int32_t *restrict sums, uint32_t count, uint32_t shift, int8_t *restrict values) {
    const uint32_t half = priot_rounding_half(shift);

    for (uint32_t i = 0; i < count; ++i) {
        values[i] = priot_requantize(sums[i], shift, half);
    }
}

#endif
