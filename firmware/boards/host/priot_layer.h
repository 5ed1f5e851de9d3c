/* What a whole layer learns from an error, for an engine on the host that has its passes from elsewhere. The gradient
 * of a row lasts until the row has learned, so that none is ever stored; rows without an error cost nothing. Rows are
 * independent: several threads may take some each. Defined by reference/layers.py (conv2d_gradient, linear_gradient)
 * and reference/methods.py. */
#ifndef PRIOT_LAYER_H
#define PRIOT_LAYER_H

#include <stdint.h>

#include "priot_host.h"

typedef struct {
    const int8_t *errors;  /* [rows][positions] at the layer's output */
    const int8_t *inputs;  /* [positions][columns] what each position of the output sees of the layer's input */
    const int8_t *weights; /* [rows][columns] W, unmasked; NULL: NITI */
    const uint8_t *scored; /* [rows][columns] 1 where an edge is scored, else 0; NULL: all are */
    int8_t *values;        /* [rows][columns] what is learned: W (NITI) or S */
    float *effective;      /* [rows][columns] the weights as the next pass sees them, kept up to date */
    uint32_t positions;    /* 1 of a linear layer; 127 * 127 * positions <= INT32_MAX, 127 times that where W * G is */
    uint32_t columns;      /* edges of a row */
    int32_t theta;         /* an edge whose score is below it is pruned; NITI: not used */
} priot_layer;

/* Updates rows first..last - 1 with shift 0..31. `gradient`: scratch, [columns]. */
PRIOT_HOST_EXPORT void priot_layer_learn(const priot_layer *layer, uint32_t first, uint32_t last, uint32_t shift,
                                         int32_t *gradient);

/* max|G|, or max|W * G| over the scored edges, of rows first..last - 1, for dynamic shifts; changes nothing. */
PRIOT_HOST_EXPORT uint32_t priot_layer_largest(const priot_layer *layer, uint32_t first, uint32_t last,
                                               int32_t *gradient);

#if defined(__x86_64__)
/* The same for processors with AVX2, several times as fast. The caller knows which processor this is. */
PRIOT_HOST_EXPORT void priot_layer_learn_avx2(const priot_layer *layer, uint32_t first, uint32_t last, uint32_t shift,
                                              int32_t *gradient);
PRIOT_HOST_EXPORT uint32_t priot_layer_largest_avx2(const priot_layer *layer, uint32_t first, uint32_t last,
                                                    int32_t *gradient);
#endif

#endif
