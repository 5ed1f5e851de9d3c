/* Two-dimensional convolution, int8, zero padding, any kernel and stride. Defined by reference/layers.py.
 * Exact while all of these are at most INT32_MAX: forward 127^2 * in_channels * kernel^2, error
 * 127^2 * out_channels * kernel^2, gradient 127^2 * out_height * out_width. Planes have fewer than
 * PRIOT_TERM_POSITIONS elements. Below, iy = y * stride + ky - padding and ix = x * stride + kx - padding. */
#ifndef PRIOT_CONV2D_S8_H
#define PRIOT_CONV2D_S8_H

#include "priot_errors.h"
#include "priot_terms.h"
#include "priot_weights.h"

typedef struct {
    uint32_t in_channels, out_channels; /* 1.. */
    uint16_t in_height, in_width;       /* 1.. */
    uint16_t out_height, out_width;     /* 1..; (in + 2 * padding - kernel) / stride + 1 */
    uint16_t kernel, stride, padding;   /* kernel, stride 1..; padding 0..kernel - 1 */
} priot_conv2d_geometry;

/* accumulator[o][y][x] = sum over i, ky, kx of What[o][i][ky][kx] * input[i][iy][ix]. */
typedef struct {
    priot_conv2d_geometry geometry;
    priot_weights weights; /* OIHW */
    const int8_t *input;   /* [in_channels][in_height][in_width] */
    int32_t *accumulator;  /* out: [out_channels][out_height][out_width] */
    priot_term *terms;     /* scratch: out_height * out_width */
} priot_conv2d_s8_forward_args;

void priot_conv2d_s8_forward(const priot_conv2d_s8_forward_args *args);

/* The exact transpose of the forward sum: accumulator over the unpadded input positions. */
typedef struct {
    priot_conv2d_geometry geometry;
    priot_weights weights;
    priot_stage_error error; /* what arrives at the output */
    int32_t *accumulator;    /* out: [in_channels][in_height][in_width] */
    priot_error *errors;     /* scratch: elements of one channel of the stage's output */
    priot_term *terms;       /* scratch: as many */
} priot_conv2d_s8_error_args;

void priot_conv2d_s8_error(const priot_conv2d_s8_error_args *args);

/* One output channel's gradient: gradient[i][ky][kx] = sum over y, x of error[row][y][x] * input[i][iy][ix].
 * Returns how many errors the row has; where that is 0 the gradient is zero and is not written. */
typedef struct {
    priot_conv2d_geometry geometry;
    priot_stage_error error;
    const int8_t *input;
    uint32_t row;        /* the output channel */
    int32_t *gradient;   /* out: [in_channels][kernel][kernel] */
    priot_error *errors; /* scratch, as above */
    priot_term *terms;   /* scratch, as above */
} priot_conv2d_s8_gradient_args;

uint32_t priot_conv2d_s8_gradient(const priot_conv2d_s8_gradient_args *args);

#endif
