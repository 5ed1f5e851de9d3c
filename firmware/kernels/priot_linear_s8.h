/* Fully connected layer, int8. Defined by reference/layers.py.
 * Exact while 127^2 * in (forward) and 127^2 * out (error) are at most INT32_MAX. */
#ifndef PRIOT_LINEAR_S8_H
#define PRIOT_LINEAR_S8_H

#include "priot_errors.h"
#include "priot_terms.h"
#include "priot_weights.h"

/* accumulator[o] = sum over i of What[o][i] * input[i]. */
typedef struct {
    uint32_t in, out;
    priot_weights weights; /* [out][in] */
    const int8_t *input;   /* [in] */
    int32_t *accumulator;  /* out: [out] */
    priot_term *terms;     /* scratch: in */
} priot_linear_s8_forward_args;

void priot_linear_s8_forward(const priot_linear_s8_forward_args *args);

/* accumulator[i] = sum over o of What[o][i] * error[o]. */
typedef struct {
    uint32_t in, out;
    priot_weights weights;
    priot_stage_error error;
    int32_t *accumulator; /* out: [in] */
} priot_linear_s8_error_args;

void priot_linear_s8_error(const priot_linear_s8_error_args *args);

#endif
