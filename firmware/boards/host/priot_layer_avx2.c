/* Layers on processors with AVX2. */
#if defined(__x86_64__)
#include <immintrin.h>

#include "priot_layer_loops.h"

#define AVX2 __attribute__((target("avx2")))

enum {
    LANES = 32 /* int8 values in a register */
};

AVX2 PART __m256i load(const int8_t *values) {
    return _mm256_loadu_si256((const __m256i *)values);
}

AVX2 PART void store(int8_t *values, __m256i from) {
    _mm256_storeu_si256((__m256i *)values, from);
}

AVX2 PART int32_t total(__m256i sums) {
    const __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    const __m128i two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
    return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 1)));
}

/* vpmaddubsw, which compilers do not find, multiplies magnitudes by signed values and adds pairs of products. */
AVX2 PART void find_dots(int32_t sums[PAIR][GROUP], const int8_t *const rows[PAIR], const int8_t *const vectors[GROUP],
                         uint32_t length, bool are_signed) {
    const uint32_t whole = length - length % LANES;
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i in[PAIR][GROUP];

    for (uint32_t k = 0; k < GROUP; ++k) {
        in[0][k] = in[1][k] = _mm256_setzero_si256();
    }
    for (uint32_t i = 0; i < whole; i += LANES) {
        for (uint32_t k = 0; k < GROUP; ++k) {
            const __m256i each = load(vectors[k] + i);
            const __m256i magnitudes = are_signed ? _mm256_abs_epi8(each) : each;
            for (uint32_t r = 0; r < PAIR; ++r) {
                const __m256i row = load(rows[r] + i);
                const __m256i by = are_signed ? _mm256_sign_epi8(row, each) : row;
                const __m256i pairs = _mm256_maddubs_epi16(magnitudes, by); /* 2 * 127 * 127 fits in 16 bits */
                in[r][k] = _mm256_add_epi32(in[r][k], _mm256_madd_epi16(pairs, ones));
            }
        }
    }
    for (uint32_t r = 0; r < PAIR; ++r) {
        for (uint32_t k = 0; k < GROUP; ++k) {
            sums[r][k] = total(in[r][k]);
        }
        add_dots(sums[r], rows[r], vectors, whole, length);
    }
}

AVX2 PART void dots_of_signed(int32_t sums[PAIR][GROUP], const int8_t *const rows[PAIR],
                              const int8_t *const vectors[GROUP], uint32_t length) {
    find_dots(sums, rows, vectors, length, true);
}

AVX2 PART void dots_of_magnitudes(int32_t sums[PAIR][GROUP], const int8_t *const rows[PAIR],
                                  const int8_t *const vectors[GROUP], uint32_t length) {
    find_dots(sums, rows, vectors, length, false);
}

/* clip(psto_shift(v, shift)) of eight values, as in priot_psto_clip. */
AVX2 PART __m256i steps(__m256i values, priot_psto psto) {
    const __m256i magnitudes = _mm256_abs_epi32(values);
    const __m256i upper = _mm256_and_si256(_mm256_srl_epi32(magnitudes, _mm_cvtsi32_si128((int)psto.half)),
                                           _mm256_set1_epi32((int)psto.upper));
    const __m256i lower = _mm256_sll_epi32(_mm256_and_si256(magnitudes, _mm256_set1_epi32((int)psto.lower)),
                                           _mm_cvtsi32_si128((int)psto.odd));
    const __m256i down = _mm256_srl_epi32(magnitudes, _mm_cvtsi32_si128((int)psto.shift));
    const __m256i rounded = _mm256_sub_epi32(down, _mm256_cmpgt_epi32(upper, lower)); /* true is -1 */
    return _mm256_sign_epi32(_mm256_min_epu32(rounded, _mm256_set1_epi32(PRIOT_INT8_MAX)), values);
}

/* The same of LANES gradients, times as many weights unless there are none. */
AVX2 PART __m256i steps_of(const int32_t *gradient, const int8_t *weights, priot_psto psto) {
    const __m256i in_order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7); /* packing goes half by half */
    __m256i found[LANES / 8];

    for (uint32_t k = 0; k < LANES / 8; ++k) {
        __m256i values = _mm256_loadu_si256((const __m256i *)(gradient + 8 * k));
        if (weights != NULL) {
            const __m128i eight = _mm_loadl_epi64((const __m128i *)(weights + 8 * k));
            values = _mm256_mullo_epi32(values, _mm256_cvtepi8_epi32(eight));
        }
        found[k] = steps(values, psto);
    }
    const __m256i one = _mm256_packs_epi32(found[0], found[1]), other = _mm256_packs_epi32(found[2], found[3]);
    return _mm256_permutevar8x32_epi32(_mm256_packs_epi16(one, other), in_order);
}

/* Compilers keep all of this in 32 bits, which takes twice as long. */
AVX2 PART void learn_row_avx2(const priot_layer *layer, uint32_t row, const int32_t *gradient, priot_psto psto) {
    const uint32_t columns = columns_of(layer), whole = columns - columns % LANES;
    const __m256i lowest = _mm256_set1_epi8(-PRIOT_INT8_MAX), theta = _mm256_set1_epi8((int8_t)layer->theta);

    for (uint32_t i = 0; i < whole; i += LANES) {
        const size_t at = (size_t)row * columns + i;
        const int8_t *weights = layer->weights == NULL ? NULL : layer->weights + at;
        __m256i step = steps_of(gradient + i, weights, psto);
        __m256i unscored = _mm256_setzero_si256();
        if (layer->scored != NULL) {
            unscored = _mm256_cmpeq_epi8(load((const int8_t *)layer->scored + at), unscored);
            step = _mm256_andnot_si256(unscored, step);
        }
        const __m256i learned = _mm256_max_epi8(_mm256_subs_epi8(load(layer->values + at), step), lowest);
        store(layer->values + at, learned);
        if (weights != NULL) {
            const __m256i pruned = _mm256_andnot_si256(unscored, _mm256_cmpgt_epi8(theta, learned));
            store(layer->effective + at, _mm256_andnot_si256(pruned, load(weights)));
        }
    }
    learn_columns(layer, row, whole, gradient, psto);
}

PART bool have_negatives(const int8_t *values, size_t count) {
    int8_t any = 0;

    for (size_t i = 0; i < count; ++i) {
        any |= values[i];
    }
    return any < 0;
}

AVX2 void priot_layer_forward_avx2(const priot_layer *layer, uint32_t first, uint32_t last) {
    if (have_negatives(layer->inputs, (size_t)layer->positions * columns_of(layer))) {
        forward(layer, first, last, dots_of_signed);
    } else { /* behind a relu */
        forward(layer, first, last, dots_of_magnitudes);
    }
}

AVX2 void priot_layer_input_error_avx2(const priot_layer *layer, uint32_t first, uint32_t last, int32_t *own) {
    input_error(layer, first, last, own);
}

AVX2 uint32_t priot_layer_largest_avx2(const priot_layer *layer, uint32_t first, uint32_t last, int32_t *own) {
    return find_largest(layer, first, last, own);
}

AVX2 void priot_layer_learn_avx2(const priot_layer *layer, uint32_t first, uint32_t last, int32_t *own) {
    learn(layer, first, last, own, learn_row_avx2);
}

AVX2 void priot_layer_requantize_avx2(const int32_t *sums, uint32_t count, uint32_t shift, int8_t *values) {
    requantize(sums, count, shift, values);
}
#else
typedef int priot_no_avx2; /* a file may not be empty */
#endif
