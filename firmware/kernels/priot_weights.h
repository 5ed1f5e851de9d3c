/* The weights a kernel sees: W for NITI and PRIOT-S, W masked by its scores for PRIOT. */
#ifndef PRIOT_WEIGHTS_H
#define PRIOT_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    const int8_t *values; /* OIHW or [out][in], -127..127 */
    const int8_t *scores; /* the same shape; NULL where nothing is masked */
    int8_t theta;         /* an edge whose score is below it is pruned */
} priot_weights;

/* What = 0 where the edge is scored and S < theta, else W. */
static inline int32_t priot_effective(const priot_weights *weights, size_t edge) {
    if (weights->scores != NULL && weights->scores[edge] < weights->theta) {
        return 0;
    }
    return weights->values[edge];
}

#endif
