#include "priot_layer.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

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

PART void dots_plain(int32_t sums[PAIR][GROUP], const int8_t *const rows[PAIR], const int8_t *const vectors[GROUP],
                     uint32_t length) {
    memset(sums, 0, PAIR * sizeof *sums);
    for (uint32_t r = 0; r < PAIR; ++r) {
        add_dots(sums[r], rows[r], vectors, 0, length);
    }
}

#if defined(__x86_64__)
#define AVX2 __attribute__((target("avx2")))

AVX2 static inline __m256i widened(const int8_t *values) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)values));
}

AVX2 static inline int32_t total(__m256i sums) {
    const __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    const __m128i two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
    return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 1)));
}

/* The same: compilers do not find vpmaddwd, which makes it twice as fast, in the loop above. */
AVX2 static inline void dots_avx2(int32_t sums[PAIR][GROUP], const int8_t *const rows[PAIR],
                                  const int8_t *const vectors[GROUP], uint32_t length) {
    const uint32_t whole = length - length % 16;
    __m256i in[PAIR][GROUP];

    for (uint32_t k = 0; k < GROUP; ++k) {
        in[0][k] = in[1][k] = _mm256_setzero_si256();
    }
    for (uint32_t i = 0; i < whole; i += 16) {
        const __m256i one = widened(rows[0] + i), other = widened(rows[1] + i);
        for (uint32_t k = 0; k < GROUP; ++k) {
            const __m256i each = widened(vectors[k] + i);
            in[0][k] = _mm256_add_epi32(in[0][k], _mm256_madd_epi16(one, each));
            in[1][k] = _mm256_add_epi32(in[1][k], _mm256_madd_epi16(other, each));
        }
    }
    for (uint32_t r = 0; r < PAIR; ++r) {
        for (uint32_t k = 0; k < GROUP; ++k) {
            sums[r][k] = total(in[r][k]);
        }
        add_dots(sums[r], rows[r], vectors, whole, length);
    }
}
#endif

/* sum += factor * vector over a group. Two products fit in 16 bits: 2 * 127 * 127 = 32,258. */
PART void add_group(int32_t *restrict sum, const int8_t *const vectors[GROUP], const int8_t factors[GROUP],
                    uint32_t length) {
    const int8_t *restrict a = vectors[0];
    const int8_t *restrict b = vectors[1];
    const int8_t *restrict c = vectors[2];
    const int8_t *restrict d = vectors[3];

    for (uint32_t i = 0; i < length; ++i) {
        const int16_t first = (int16_t)(factors[0] * a[i] + factors[1] * b[i]);
        const int16_t second = (int16_t)(factors[2] * c[i] + factors[3] * d[i]);
        sum[i] += first + second;
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
    if (waiting > 0) {
        for (; waiting < GROUP; ++waiting) {
            group[waiting] = group[0];
            by[waiting] = 0;
        }
        add_group(sum, group, by, length);
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

PART void learn(const priot_layer *layer, uint32_t first, uint32_t last, int32_t *gradient) {
    const priot_psto psto = priot_psto_of(layer->shift);
    const uint32_t columns = columns_of(layer);

    for (uint32_t row = first; row < last; ++row) {
        if (!gradient_of(layer, row, gradient)) {
            continue;
        }
        const size_t start = (size_t)row * columns;
        int8_t *values = layer->values + start, *effective = layer->effective + start;
        if (layer->weights == NULL) {
            learn_weights(values, gradient, columns, psto);
        } else if (layer->scored == NULL) {
            learn_scores(values, effective, layer->weights + start, gradient, columns, layer->theta, psto);
        } else {
            learn_some_scores(values, effective, layer->weights + start, layer->scored + start, gradient, columns,
                              layer->theta, psto);
        }
    }
}

PART void requantize(const int32_t *restrict sums, uint32_t count, uint32_t shift, int8_t *restrict values) {
    const uint32_t half = priot_rounding_half(shift);

    for (uint32_t i = 0; i < count; ++i) {
        values[i] = priot_requantize(sums[i], shift, half);
    }
}

void priot_layer_forward(const priot_layer *layer, uint32_t first, uint32_t last) {
    forward(layer, first, last, dots_plain);
}

void priot_layer_input_error(const priot_layer *layer, uint32_t first, uint32_t last, int32_t *own) {
    input_error(layer, first, last, own);
}

uint32_t priot_layer_largest(const priot_layer *layer, uint32_t first, uint32_t last, int32_t *own) {
    return find_largest(layer, first, last, own);
}

void priot_layer_learn(const priot_layer *layer, uint32_t first, uint32_t last, int32_t *own) {
    learn(layer, first, last, own);
}

void priot_layer_requantize(const int32_t *sums, uint32_t count, uint32_t shift, int8_t *values) {
    requantize(sums, count, shift, values);
}

#if defined(__x86_64__)
AVX2 void priot_layer_forward_avx2(const priot_layer *layer, uint32_t first, uint32_t last) {
    forward(layer, first, last, dots_avx2);
}

AVX2 void priot_layer_input_error_avx2(const priot_layer *layer, uint32_t first, uint32_t last, int32_t *own) {
    input_error(layer, first, last, own);
}

AVX2 uint32_t priot_layer_largest_avx2(const priot_layer *layer, uint32_t first, uint32_t last, int32_t *own) {
    return find_largest(layer, first, last, own);
}

AVX2 void priot_layer_learn_avx2(const priot_layer *layer, uint32_t first, uint32_t last, int32_t *own) {
    learn(layer, first, last, own);
}

AVX2 void priot_layer_requantize_avx2(const int32_t *sums, uint32_t count, uint32_t shift, int8_t *values) {
    requantize(sums, count, shift, values);
}
#endif
