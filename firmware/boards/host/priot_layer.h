/* Passes of a whole layer, for an engine on the host whose networks are too large for the kernels of a board. Errors
 * are mostly 0 once a network has learned: on the way back, what meets a 0 is skipped. The gradient of a row lasts
 * until the row has learned, so that none is ever stored. Defined by reference/layers.py and reference/methods.py. */
#ifndef PRIOT_LAYER_H
#define PRIOT_LAYER_H

#include <stdint.h>

#include "priot_host.h"

/* Channels lie last in all tensors: a column is tap * channels + channel. A linear layer has one position, one tap, and
 * an input of one pixel. The bounds on sums are those of Network.check_overflow. */
typedef struct {
    const int8_t *errors;  /* [positions][rows] at the layer's output */
    const int8_t *inputs;  /* [positions][columns] what each position sees of the layer's input */
    const int32_t *pixels; /* [positions][taps] which pixel of the input that is; of padding, the one behind the last */
    const int8_t *weights; /* [rows][columns] W, unmasked; NULL: NITI */
    const uint8_t *scored; /* [rows][columns] 1 where an edge is scored, else 0; NULL: all are */
    int8_t *values;        /* [rows][columns] what is learned: W (NITI) or S */
    int8_t *effective;     /* [rows][columns] the weights as a pass sees them; of NITI, the values themselves */
    int32_t *accumulators; /* [positions][rows] forward writes them */
    uint32_t rows;         /* output channels or features */
    uint32_t positions;    /* of the output */
    uint32_t taps;         /* of the kernel */
    uint32_t channels;     /* of the input */
    uint32_t pixels_in;    /* of the input */
    uint32_t shift;        /* of the update, 0..31 */
    int32_t theta;         /* a score below it prunes its edge; NITI: not used */
} priot_layer;

/* Each works on a part, so that threads can share a layer. `own` is memory of the thread's own, of the size that is
 * given; what is in it before does not matter. */

/* accumulators of rows first..last - 1. */
PRIOT_HOST_EXPORT void priot_layer_forward(const priot_layer *layer, uint32_t first, uint32_t last);

/* What positions first..last - 1 add to the error of the input before its shift: own[columns..], [pixels +
 * 1][channels], is set to it. own: [columns + (pixels + 1) * channels]. */
PRIOT_HOST_EXPORT void priot_layer_input_error(const priot_layer *layer, uint32_t first, uint32_t last, int32_t *own);

/* max|G|, or max|W * G| over the scored edges, of rows first..last - 1, for dynamic shifts. own: [columns]. */
PRIOT_HOST_EXPORT uint32_t priot_layer_largest(const priot_layer *layer, uint32_t first, uint32_t last, int32_t *own);

/* Updates rows first..last - 1. own: [columns]. */
PRIOT_HOST_EXPORT void priot_layer_learn(const priot_layer *layer, uint32_t first, uint32_t last, int32_t *own);

/* values[i] = requantize(sums[i], shift), shift 0..31. */
PRIOT_HOST_EXPORT void priot_layer_requantize(const int32_t *sums, uint32_t count, uint32_t shift, int8_t *values);

#if defined(__x86_64__)
/* The same for processors with AVX2, several times as fast; which processor this is, the caller knows. */
PRIOT_HOST_EXPORT void priot_layer_forward_avx2(const priot_layer *layer, uint32_t first, uint32_t last);
PRIOT_HOST_EXPORT void priot_layer_input_error_avx2(const priot_layer *layer, uint32_t first, uint32_t last,
                                                    int32_t *own);
PRIOT_HOST_EXPORT uint32_t priot_layer_largest_avx2(const priot_layer *layer, uint32_t first, uint32_t last,
                                                    int32_t *own);
PRIOT_HOST_EXPORT void priot_layer_learn_avx2(const priot_layer *layer, uint32_t first, uint32_t last, int32_t *own);
PRIOT_HOST_EXPORT void priot_layer_requantize_avx2(const int32_t *sums, uint32_t count, uint32_t shift, int8_t *values);
#endif

#endif
