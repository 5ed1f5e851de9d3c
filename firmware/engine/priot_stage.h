/* One stage's kernels, with the arguments that a laid-out model gives them. Shared by the training step and by kernel
 * mode. */
#ifndef PRIOT_STAGE_H
#define PRIOT_STAGE_H

#include "priot_engine.h"
#include "priot_update_s8.h"

/* A shift to use: `fixed`, or computed where fixed is PRIOT_DYNAMIC_SHIFT. After use `used` and `is_zero` tell what
 * came of it; is_zero is known for computed shifts only. */
typedef struct {
    uint32_t fixed;
    uint32_t used;
    int is_zero;
} priot_shift;

/* input -> stage->output, with the route of its maxima. */
void priot_stage_forward(priot_model *model, priot_stage *stage, const int8_t *input, priot_shift *shift);

/* stage->error -> the error at the stage's input. */
void priot_stage_error_to_input(priot_model *model, const priot_stage *stage, int8_t *input_error, priot_shift *shift);

/* The gradients of a stage's rows, one after the other. */
typedef struct {
    priot_model *model;
    const priot_stage *stage;
    const int8_t *input;
    priot_row_gradient row; /* of the row asked for last */
} priot_gradients;

priot_gradients priot_stage_gradients(priot_model *model, const priot_stage *stage, const int8_t *input);

/* Works out gradients->row; returns 0 where it is all zero, and the row's contents are then undefined. */
uint32_t priot_stage_gradient_row(priot_gradients *gradients, uint32_t row);

/* Computes the shift of the update where it is dynamic: a pass over all rows. */
void priot_stage_gradient_shift(priot_model *model, const priot_stage *stage, const int8_t *input, priot_shift *shift);

/* Updates the learned values with shift->used. */
void priot_stage_update(priot_model *model, const priot_stage *stage, const int8_t *input, const priot_shift *shift);

/* The layers [begin, end) without weights over values, in place: pools, then relu. route: NULL where no error comes
 * back. */
void priot_stage_behind(const priot_model *model, uint32_t begin, uint32_t end, priot_shape shape, const int8_t *values,
                        int8_t *output, uint32_t *route);

#endif
