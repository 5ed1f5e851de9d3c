/* What a gradient does to the learned values, one row (output channel or feature) at a time. Defined by reference/methods.py. */
#ifndef PRIOT_UPDATE_S8_H
#define PRIOT_UPDATE_S8_H

#include <stdint.h>

/* NITI: W = clip(W - clip(psto_shift(G, shift))). */
void priot_update_niti(int8_t *weights, const int32_t *gradient, uint32_t count, uint32_t shift);

/* PRIOT: S = clip(S - clip(psto_shift(W * G, shift))), W unmasked: pruned edges learn too. Exact while 127 * |G| <= INT32_MAX. */
void priot_update_priot(int8_t *scores, const int8_t *weights, const int32_t *gradient, uint32_t count, uint32_t shift);

/* max|W * G|, for dynamic shifts. */
uint32_t priot_largest_score_gradient(const int8_t *weights, const int32_t *gradient, uint32_t count);

/* PRIOT-S: a bit says which edges are scored; their scores and weights stand packed beside, in the edges' order.
 * The row's dense weights are the effective ones: 0 where an edge is pruned. */
typedef struct {
    const uint8_t *scored;  /* a bit for each edge of the layer, least significant first */
    uint32_t first_edge;    /* the row's first edge */
    uint32_t count;         /* edges of the row */
    int8_t *effective;      /* [count] */
    int8_t *scores;         /* of the row's scored edges */
    const int8_t *weights;  /* of the row's scored edges, unmasked */
    int8_t theta;
} priot_scored_row;

void priot_update_priot_s(const priot_scored_row *row, const int32_t *gradient, uint32_t shift);

uint32_t priot_largest_score_gradient_s(const priot_scored_row *row, const int32_t *gradient);

/* Whether an edge carries a score. */
static inline int priot_is_scored(const uint8_t *scored, uint32_t edge) {
    return (scored[edge >> 3] >> (edge & 7u)) & 1;
}

#endif
