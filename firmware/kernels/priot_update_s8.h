/* What a gradient does to the learned values, one row (output channel or feature) at a time. Defined by
 * reference/methods.py. */
#ifndef PRIOT_UPDATE_S8_H
#define PRIOT_UPDATE_S8_H

#include <stddef.h>
#include <stdint.h>

#include "priot_math.h"
#include "priot_terms.h"

/* The gradient of one row of weights, in the form in which the layer has it: a convolution sums it up edge by edge; a
 * linear layer's is its one error times the input, and never stored. */
typedef struct {
    const int32_t *dense;    /* [edges of the row], or NULL: linear */
    uint32_t count;          /* edges of the row */
    int32_t error;           /* linear: -127..127 */
    const int8_t *input;     /* linear: [count] */
    const priot_term *terms; /* linear: the non-zero elements of the input */
    uint32_t term_count;
} priot_row_gradient;

static inline int32_t priot_gradient_of(const priot_row_gradient *gradient, uint32_t edge) {
    return gradient->dense != NULL ? gradient->dense[edge] : gradient->error * gradient->input[edge];
}

/* NITI: W = clip(W - clip(psto_shift(G, shift))). */
void priot_update_niti(int8_t *weights, const priot_row_gradient *gradient, priot_psto psto);

/* max|G|, for dynamic shifts. */
uint32_t priot_largest_gradient(const priot_row_gradient *gradient);

/* PRIOT: S = clip(S - clip(psto_shift(W * G, shift))), W unmasked: pruned edges learn too. Exact while 127 * |G| <=
 * INT32_MAX. */
void priot_update_priot(int8_t *scores, const int8_t *weights, const priot_row_gradient *gradient, priot_psto psto);

/* max|W * G|, for dynamic shifts. */
uint32_t priot_largest_score_gradient(const int8_t *weights, const priot_row_gradient *gradient);

/* PRIOT-S: the scored edges of a row, ascending; the row's dense weights are the effective ones: 0 where an edge is
 * pruned. */
typedef struct {
    uint32_t count;
    const uint16_t *columns; /* [count] the edge's place in the row */
    int8_t *scores;          /* [count] */
    const int8_t *weights;   /* [count] unmasked */
    int8_t *effective;       /* the row's dense weights */
    int8_t theta;
} priot_scored_row;

void priot_update_priot_s(const priot_scored_row *row, const priot_row_gradient *gradient, priot_psto psto);

uint32_t priot_largest_score_gradient_s(const priot_scored_row *row, const priot_row_gradient *gradient);

#endif
