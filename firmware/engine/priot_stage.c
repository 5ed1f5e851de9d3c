#include "priot_stage.h"

#include "priot_linear_s8.h"
#include "priot_math.h"
#include "priot_maxpool2d_s8.h"
#include "priot_requantize_s8.h"

#define OUTPUT_BITS 7 /* of a stored int8 */

/* max(0, bit_width - bits) where the shift is dynamic. */
static void settle(priot_shift *shift, uint32_t largest, uint32_t bits) {
    const uint32_t width = priot_bit_width(largest);
    shift->used = width > bits ? width - bits : 0;
    shift->is_zero = largest == 0;
}

static void settle_sum(priot_shift *shift, const int32_t *accumulator, uint32_t count) {
    if (shift->fixed == PRIOT_DYNAMIC_SHIFT) {
        settle(shift, priot_largest_s32(accumulator, count), OUTPUT_BITS);
    } else {
        shift->used = shift->fixed;
    }
}

static priot_weights weights_of(const priot_model *model, const priot_stage *stage) {
    /* PRIOT-S keeps its effective weights in place, so only PRIOT masks on the way. */
    const int is_masked = model->spec.method == PRIOT_METHOD_PRIOT;
    const priot_weights weights = {stage->weights, is_masked ? stage->scores : NULL, model->spec.theta};
    return weights;
}

static priot_stage_error error_of(const priot_stage *stage) {
    const priot_stage_error error = {stage->error, stage->has_relu ? stage->output : NULL, stage->route,
                                     stage->output_shape.height, stage->output_shape.width};
    return error;
}

void priot_stage_behind(const priot_model *model, uint32_t begin, uint32_t end, priot_shape shape, const int8_t *values,
                        int8_t *output, uint32_t *route) {
    const uint32_t *earlier_route = NULL;
    int has_relu = 0;
    for (uint32_t i = begin; i < end; ++i) {
        const priot_layer_spec *layer = &model->spec.layers[i];
        has_relu |= layer->type == PRIOT_LAYER_TYPE_RELU;
        if (layer->type != PRIOT_LAYER_TYPE_MAXPOOL2D) {
            continue;
        }
        const uint16_t out_height = (uint16_t)priot_quotient(shape.height, layer->kernel);
        const uint16_t out_width = (uint16_t)priot_quotient(shape.width, layer->kernel);
        const priot_maxpool2d_s8_args pool = {shape.channels, shape.height, shape.width, out_height,    out_width,
                                              layer->kernel,  values,       output,      earlier_route, route};
        priot_maxpool2d_s8(&pool);
        shape.height = out_height;
        shape.width = out_width;
        values = output;
        earlier_route = route;
    }
    const uint32_t elements = (uint32_t)priot_elements(shape);
    if (values != output) {
        for (uint32_t i = 0; i < elements; ++i) {
            output[i] = values[i];
        }
    }
    if (has_relu) {
        priot_relu_s8(output, elements);
    }
}

void priot_stage_forward(priot_model *model, priot_stage *stage, const int8_t *input, priot_shift *shift) {
    const priot_conv2d_geometry *g = &stage->geometry;
    const priot_shape shape = {g->out_channels, g->out_height, g->out_width};
    const uint32_t elements = (uint32_t)priot_elements(shape);
    if (stage->is_linear) {
        const priot_linear_s8_forward_args args = {g->in_channels, g->out_channels,    weights_of(model, stage),
                                                   input,          model->accumulator, model->terms};
        priot_linear_s8_forward(&args);
    } else {
        const priot_conv2d_s8_forward_args args = {*g, weights_of(model, stage), input, model->accumulator,
                                                   model->terms};
        priot_conv2d_s8_forward(&args);
    }
    settle_sum(shift, model->accumulator, elements);
    /* Pools read the whole layer, so it narrows in place first; without them it goes straight to the output. */
    int8_t *narrowed = stage->has_pool ? (int8_t *)model->accumulator : stage->output;
    priot_requantize_s8(model->accumulator, elements, shift->used, narrowed);
    priot_stage_behind(model, stage->layer + 1u, stage->end, shape, narrowed, stage->output, stage->route);
}

void priot_stage_error_to_input(priot_model *model, const priot_stage *stage, int8_t *input_error, priot_shift *shift) {
    const priot_conv2d_geometry *g = &stage->geometry;
    const uint32_t elements = (uint32_t)g->in_channels * g->in_height * g->in_width;
    if (stage->is_linear) {
        const priot_linear_s8_error_args args = {g->in_channels, g->out_channels, weights_of(model, stage),
                                                 error_of(stage), model->accumulator};
        priot_linear_s8_error(&args);
    } else {
        const priot_conv2d_s8_error_args args = {
            *g, weights_of(model, stage), error_of(stage), model->accumulator, model->errors, model->terms};
        priot_conv2d_s8_error(&args);
    }
    settle_sum(shift, model->accumulator, elements);
    priot_requantize_s8(model->accumulator, elements, shift->used, input_error);
}

priot_gradients priot_stage_gradients(priot_model *model, const priot_stage *stage, const int8_t *input) {
    priot_gradients gradients = {model, stage, input, {NULL, stage->fan_in, 0, input, model->terms, 0}};
    if (stage->is_linear) {
        gradients.row.term_count = priot_terms_of_vector(input, stage->fan_in, model->terms);
    } else {
        gradients.row.dense = model->accumulator;
    }
    return gradients;
}

uint32_t priot_stage_gradient_row(priot_gradients *gradients, uint32_t row) {
    priot_model *model = gradients->model;
    const priot_stage *stage = gradients->stage;
    if (stage->is_linear) {
        const priot_stage_error at_output = error_of(stage);
        priot_error error;
        const uint32_t count = priot_errors_of_channel(&at_output, row, &error);
        gradients->row.error = count != 0 ? error.value : 0;
        return count;
    }
    const priot_conv2d_s8_gradient_args args = {stage->geometry,    error_of(stage), gradients->input, row,
                                                model->accumulator, model->errors,   model->terms};
    return priot_conv2d_s8_gradient(&args);
}

static priot_scored_row scored_row(const priot_model *model, const priot_stage *stage, uint32_t row) {
    const uint32_t begin = row == 0 ? 0 : stage->row_ends[row - 1];
    const priot_scored_row scored = {stage->row_ends[row] - begin,
                                     stage->columns + begin,
                                     stage->scores + begin,
                                     stage->unmasked + begin,
                                     stage->weights + (size_t)row * stage->fan_in,
                                     model->spec.theta};
    return scored;
}

/* The largest magnitude that the update of a row rounds: of G, or of W * G on the scored edges. */
static uint32_t largest_of_row(const priot_gradients *gradients, uint32_t row) {
    const priot_model *model = gradients->model;
    const priot_stage *stage = gradients->stage;
    if (model->spec.method == PRIOT_METHOD_PRIOT) {
        return priot_largest_score_gradient(stage->weights + (size_t)row * stage->fan_in, &gradients->row);
    }
    if (model->spec.method == PRIOT_METHOD_PRIOT_S) {
        const priot_scored_row scored = scored_row(model, stage, row);
        return priot_largest_score_gradient_s(&scored, &gradients->row);
    }
    return priot_largest_gradient(&gradients->row);
}

void priot_stage_gradient_shift(priot_model *model, const priot_stage *stage, const int8_t *input, priot_shift *shift) {
    if (shift->fixed != PRIOT_DYNAMIC_SHIFT) {
        shift->used = shift->fixed;
        return;
    }
    priot_gradients gradients = priot_stage_gradients(model, stage, input);
    uint32_t largest = 0;
    for (uint32_t row = 0; row < stage->geometry.out_channels; ++row) {
        if (priot_stage_gradient_row(&gradients, row) != 0) {
            const uint32_t largest_here = largest_of_row(&gradients, row);
            largest = largest_here > largest ? largest_here : largest;
        }
    }
    settle(shift, largest, model->spec.mu);
}

void priot_stage_update(priot_model *model, const priot_stage *stage, const int8_t *input, const priot_shift *shift) {
    const priot_psto psto = priot_psto_of(shift->used);
    priot_gradients gradients = priot_stage_gradients(model, stage, input);
    for (uint32_t row = 0; row < stage->geometry.out_channels; ++row) {
        if (priot_stage_gradient_row(&gradients, row) == 0) {
            continue; /* psto_shift(0) is 0 */
        }
        int8_t *weights = stage->weights + (size_t)row * stage->fan_in;
        if (model->spec.method == PRIOT_METHOD_PRIOT) {
            priot_update_priot(stage->scores + (size_t)row * stage->fan_in, weights, &gradients.row, psto);
        } else if (model->spec.method == PRIOT_METHOD_PRIOT_S) {
            const priot_scored_row scored = scored_row(model, stage, row);
            priot_update_priot_s(&scored, &gradients.row, psto);
        } else {
            priot_update_niti(weights, &gradients.row, psto);
        }
    }
}
