/* The integer cross-entropy gradient. Defined by reference/loss.py. The only kernel with 64-bit numbers, and with a
 * division. */
#ifndef PRIOT_LOSS_S8_H
#define PRIOT_LOSS_S8_H

#include <stdint.h>

typedef struct {
    const int8_t *logits; /* [classes], -127..127 */
    uint16_t classes;     /* 2..1024 */
    uint16_t label;       /* below classes */
    int32_t exponent;     /* of the logits; clamped here to -12..24 */
    uint32_t *rng;        /* the generator's state: stochastic rounding, one draw a class; NULL: nearest */
    int8_t *error;        /* out: [classes] */
    int32_t *scratch;     /* [classes] */
} priot_loss_s8_args;

void priot_loss_s8(const priot_loss_s8_args *args);

/* The lowest index that holds the largest logit. */
uint32_t priot_predict_s8(const int8_t *logits, uint32_t classes);

#endif
