/* The way of an error back through what lies behind a layer's weights.
 *
 * relu, maxpool2d and flatten move no sum: each element of a stage's output goes back to one element of the layer's own
 * output, or to none. Max and relu commute in both directions (where a window's maximum is not positive, relu stops its
 * error wherever it was placed), so a stage is its pools, then at most one relu, whatever their order was. */
#ifndef PRIOT_ERRORS_H
#define PRIOT_ERRORS_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    const int8_t *error;    /* [channels][height][width], at the stage's output */
    const int8_t *output;   /* the same shape: the stage's output where a relu stops errors, else NULL */
    const uint32_t *route;  /* the same shape: where each maximum came from (priot_route_of), NULL without pools */
    uint16_t height, width; /* 1, 1 behind a linear layer */
} priot_stage_error;

/* A non-zero error at one position of a channel of the layer's own output. */
typedef struct {
    uint16_t y, x;
    int32_t value; /* -127..127 */
} priot_error;

static inline uint32_t priot_route_of(uint32_t y, uint32_t x) {
    return (y << 16) | x;
}

/* Lists the errors that reach one channel of the layer's own output; returns how many. errors holds height * width. */
uint32_t priot_errors_of_channel(const priot_stage_error *stage, uint32_t channel, priot_error *errors);

#endif
