/* Max pooling, n x n windows, stride n, the remainder dropped. Defined by reference/layers.py: maxpool2d. */
#ifndef PRIOT_MAXPOOL2D_S8_H
#define PRIOT_MAXPOOL2D_S8_H

#include <stdint.h>

typedef struct {
    uint32_t channels;              /* 1.. */
    uint16_t height, width;         /* of the input */
    uint16_t out_height, out_width; /* height / size, width / size; 1.. */
    uint16_t size;                  /* n, 1.. */
    const int8_t *input;            /* [channels][height][width] */
    int8_t *output;                 /* [channels][out_height][out_width]; may be the input: it shrinks in place */
    const uint32_t *input_route;    /* an earlier pool's route, or NULL */
    uint32_t *route;                /* out: where each first maximum came from; may be input_route; NULL: not wanted */
} priot_maxpool2d_s8_args;

void priot_maxpool2d_s8(const priot_maxpool2d_s8_args *args);

/* values[i] = max(values[i], 0). */
void priot_relu_s8(int8_t *values, uint32_t count);

#endif
