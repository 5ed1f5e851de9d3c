/* A model as it lies in the arena: what was described, checked and laid out.
 * Its rules are those of reference/network.py; nothing that could overflow or leave the arena gets past
 * priot_model_plan. */
#ifndef PRIOT_MODEL_H
#define PRIOT_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "priot_conv2d_s8.h"
#include "priot_status.h"

/* One layer as it was described. */
typedef struct {
    uint8_t type; /* priot_layer_type */
    int8_t exponent;
    uint32_t out;
    uint16_t kernel, stride, padding;
    uint8_t forward, backward, gradient; /* static shifts, 0..31 */
    uint32_t scored;                     /* PRIOT-S: number of scored edges */
} priot_layer_spec;

typedef struct {
    uint8_t mode;     /* priot_mode */
    uint8_t method;   /* priot_method */
    uint8_t rounding; /* priot_rounding */
    uint8_t mu;       /* 0..7 */
    uint8_t dynamic;  /* 1: every shift is computed */
    int8_t theta, input_exponent;
    uint8_t layer_count;
    uint32_t rng;           /* not 0 */
    uint32_t channels;      /* of the image */
    uint16_t height, width; /* of the image; both 0: a vector */
    uint16_t epoch;         /* room for the order of so many samples */
    priot_layer_spec layers[PRIOT_MAX_LAYERS];
} priot_model_spec;

typedef struct {
    uint32_t channels; /* a vector is channels x 1 x 1 */
    uint16_t height, width;
} priot_shape;

static inline size_t priot_elements(priot_shape shape) {
    return (size_t)shape.channels * shape.height * shape.width;
}

/* A layer with weights and the layers without weights behind it. */
typedef struct {
    uint8_t layer; /* index of the layer with weights */
    uint8_t end;   /* index behind the stage's last layer */
    uint8_t is_linear;
    uint8_t has_relu; /* a relu stands behind the weights; where does not matter (priot_errors.h) */
    uint8_t has_pool;
    priot_conv2d_geometry geometry; /* a linear layer: in_channels x 1 x 1 to out_channels x 1 x 1, kernel 1 */
    priot_shape output_shape;       /* of the stage, before it is flattened */
    uint32_t
        room; /* elements that output and route hold: those behind the first pool, which a second shrinks in place */
    uint32_t fan_in; /* weights of a row */
    uint32_t edges;  /* weights of the layer */

    int8_t *weights;    /* [edges]; PRIOT-S: the effective ones */
    int8_t *scores;     /* PRIOT: [edges]; PRIOT-S: [scored], packed */
    uint16_t *columns;  /* PRIOT-S: [scored] the scored edges' places in their rows, row by row, ascending */
    uint32_t *row_ends; /* PRIOT-S: [rows] where each row's scored edges end among the packed ones */
    int8_t *unmasked;   /* PRIOT-S: [scored] weights of the scored edges */
    int8_t *output;     /* of the stage */
    int8_t *error;      /* at the stage's output */
    uint32_t *route;    /* with pools: where each maximum came from */
} priot_stage;

typedef struct {
    priot_model_spec spec;
    priot_stage stages[PRIOT_MAX_STAGES];
    uint32_t stage_count;
    priot_shape image_shape;
    priot_shape input_shape; /* of the first stage, behind layers that stand before it */
    uint32_t arena_used;

    int8_t *image;        /* the sample */
    int8_t *input;        /* of the first stage; NULL where that is the image itself */
    int8_t *input_error;  /* kernel mode */
    uint16_t *order;      /* [spec.epoch] */
    int32_t *accumulator; /* scratch: sums of one layer, or one row of a gradient, or the loss's probabilities */
    priot_term *terms;    /* scratch */
    priot_error *errors;  /* scratch */
} priot_model;

/* Why a model was refused. */
typedef struct {
    uint32_t layer; /* index in the description, or PRIOT_NO_DETAIL */
    uint32_t value; /* what was too much or out of range, saturated, or PRIOT_NO_DETAIL */
} priot_detail;

/* Checks model->spec and lays the model out from `arena` (aligned to 8). On any status but ok the rest of *model is
 * undefined and the arena untouched. */
priot_status priot_model_plan(priot_model *model, uint8_t *arena, size_t arena_bytes, priot_detail *detail);

#endif
