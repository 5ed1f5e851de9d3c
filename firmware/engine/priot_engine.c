#include "priot_engine.h"

#include "priot_crc32.h"
#include "priot_loss_s8.h"
#include "priot_stage.h"

volatile priot_progress_record priot_progress;

static void progress(uint32_t stage, uint32_t operation) {
    priot_progress.stage = stage;
    priot_progress.operation = operation;
}

void priot_engine_init(priot_engine *engine, uint8_t *arena, size_t arena_bytes) {
    engine->arena = arena;
    engine->arena_bytes = arena_bytes;
    engine->is_loaded = 0;
    engine->is_started = 0;
}

priot_status priot_engine_load(priot_engine *engine, priot_detail *detail) {
    const priot_status status = priot_model_plan(&engine->candidate, engine->arena, engine->arena_bytes, detail);
    if (status != PRIOT_STATUS_OK) {
        return status;
    }
    engine->model = engine->candidate;
    engine->rng = engine->model.spec.rng;
    engine->is_loaded = 1;
    engine->is_started = 0;
    for (size_t i = 0; i < engine->model.arena_used; ++i) {
        engine->arena[i] = 0;
    }
    return PRIOT_STATUS_OK;
}

/* Checks that the scored edges are in their rows and in order. */
static priot_status check_scored_edges(const priot_model *model, const priot_stage *stage, priot_detail *detail) {
    const uint32_t scored = model->spec.layers[stage->layer].scored;
    uint32_t checked = 0;
    detail->layer = stage->layer;
    for (uint32_t row = 0; row < stage->geometry.out_channels; ++row) {
        detail->value = row;
        const uint32_t end = stage->row_ends[row];
        if (end < checked || end > scored) {
            return PRIOT_STATUS_BAD_VALUE;
        }
        for (uint32_t next = 0; checked < end; ++checked) {
            const uint32_t column = stage->columns[checked];
            if (column < next || column >= stage->fan_in) {
                return PRIOT_STATUS_BAD_VALUE;
            }
            next = column + 1;
        }
    }
    return checked == scored ? PRIOT_STATUS_OK : PRIOT_STATUS_BAD_VALUE;
}

/* Packs the scored edges' weights and masks the dense ones. */
static void pack_scored_edges(const priot_model *model, priot_stage *stage) {
    uint32_t packed = 0;
    for (uint32_t row = 0; row < stage->geometry.out_channels; ++row) {
        int8_t *weights = stage->weights + (size_t)row * stage->fan_in;
        for (; packed < stage->row_ends[row]; ++packed) {
            int8_t *weight = &weights[stage->columns[packed]];
            stage->unmasked[packed] = *weight;
            if (stage->scores[packed] < model->spec.theta) {
                *weight = 0;
            }
        }
    }
}

priot_status priot_engine_start(priot_engine *engine, priot_detail *detail) {
    if (!engine->is_loaded || engine->is_started) {
        return PRIOT_STATUS_NOT_LOADED;
    }
    priot_model *model = &engine->model;
    if (model->spec.method == PRIOT_METHOD_PRIOT_S) {
        /* All stages are checked before the first is packed, so that a refusal changes nothing. */
        for (uint32_t i = 0; i < model->stage_count; ++i) {
            const priot_status status = check_scored_edges(model, &model->stages[i], detail);
            if (status != PRIOT_STATUS_OK) {
                return status;
            }
        }
        for (uint32_t i = 0; i < model->stage_count; ++i) {
            pack_scored_edges(model, &model->stages[i]);
        }
    }
    engine->is_started = 1;
    return PRIOT_STATUS_OK;
}

static priot_tensor_view view_of(void *data, size_t bytes, int is_stored) {
    const priot_tensor_view view = {data, data != NULL ? bytes : 0, (uint8_t)is_stored};
    return view;
}

static priot_status stage_tensor(priot_engine *engine, uint32_t tensor, priot_stage *stage, int is_write,
                                 priot_tensor_view *view) {
    const priot_model *model = &engine->model;
    const int is_kernel = model->spec.mode == PRIOT_MODE_KERNEL;
    const size_t outputs = priot_elements(stage->output_shape);
    const int8_t *learned;
    int may_write = !engine->is_started;
    switch (tensor) {
    case PRIOT_TENSOR_WEIGHTS:
        *view = view_of(stage->weights, stage->edges, 1);
        break;
    case PRIOT_TENSOR_SCORES:
        *view = view_of(stage->scores, priot_learned(engine, stage, &learned), 1);
        break;
    case PRIOT_TENSOR_COLUMNS:
        *view = view_of(stage->columns, model->spec.layers[stage->layer].scored * sizeof(uint16_t), 0);
        break;
    case PRIOT_TENSOR_ROW_ENDS:
        *view = view_of(stage->row_ends, stage->geometry.out_channels * sizeof(uint32_t), 0);
        break;
    case PRIOT_TENSOR_OUTPUT:
        *view = view_of(stage->output, outputs, 1);
        may_write = 0;
        break;
    case PRIOT_TENSOR_ERROR:
        *view = view_of(stage->error, outputs, 1);
        may_write = is_kernel;
        break;
    case PRIOT_TENSOR_GRADIENT:
        *view = view_of(is_kernel ? model->accumulator : NULL, stage->fan_in * sizeof(int32_t), 0);
        may_write = 0;
        break;
    default:
        return PRIOT_STATUS_BAD_TENSOR;
    }
    return view->data == NULL || (is_write && !may_write) ? PRIOT_STATUS_BAD_TENSOR : PRIOT_STATUS_OK;
}

priot_status priot_engine_tensor(priot_engine *engine, uint32_t tensor, uint32_t layer, int is_write,
                                 priot_tensor_view *view) {
    priot_model *model = &engine->model;
    const size_t image = priot_elements(model->image_shape);
    if (!engine->is_loaded) {
        return PRIOT_STATUS_NOT_LOADED;
    }
    switch (tensor) {
    case PRIOT_TENSOR_IMAGE:
        *view = view_of(model->image, image, 1);
        return PRIOT_STATUS_OK;
    case PRIOT_TENSOR_ORDER:
        *view = view_of(model->order, model->spec.epoch * sizeof(uint16_t), 0);
        return PRIOT_STATUS_OK;
    case PRIOT_TENSOR_INPUT_ERROR:
        *view = view_of(model->input_error, image, 1);
        return model->input_error == NULL || is_write ? PRIOT_STATUS_BAD_TENSOR : PRIOT_STATUS_OK;
    default:
        break;
    }
    for (uint32_t i = 0; i < model->stage_count; ++i) {
        if (model->stages[i].layer == layer) {
            return stage_tensor(engine, tensor, &model->stages[i], is_write, view);
        }
    }
    return PRIOT_STATUS_BAD_TENSOR;
}

static priot_shift shift_of(const priot_model *model, int observe, uint32_t fixed) {
    const priot_shift shift = {model->spec.dynamic || observe ? PRIOT_DYNAMIC_SHIFT : fixed, 0, 0};
    return shift;
}

static const int8_t *stage_input(const priot_model *model, const int8_t *first, uint32_t stage) {
    return stage == 0 ? first : model->stages[stage - 1].output;
}

/* The image behind the layers that stand before the first weights. */
static const int8_t *first_input(priot_model *model, const int8_t *image) {
    if (model->input == NULL) {
        return image;
    }
    priot_stage_behind(model, 0, model->stages[0].layer, model->image_shape, image, model->input, NULL);
    return model->input;
}

/* All stages forward; returns the logits' exponent. */
static int32_t forward(priot_engine *engine, const int8_t *first, int observe) {
    priot_model *model = &engine->model;
    int32_t exponent = model->spec.input_exponent;
    for (uint32_t i = 0; i < model->stage_count; ++i) {
        priot_stage *stage = &model->stages[i];
        const priot_layer_spec *layer = &model->spec.layers[stage->layer];
        priot_shift shift = shift_of(model, observe, layer->forward);
        progress(i, PRIOT_OPERATION_FORWARD);
        priot_stage_forward(model, stage, stage_input(model, first, i), &shift);
        engine->trace[i] = (priot_trace){(uint8_t)shift.used, 0, 0, shift.is_zero ? PRIOT_ZERO_FORWARD : 0};
        exponent += layer->exponent + (int32_t)shift.used;
    }
    return exponent;
}

/* Back from the last stage: a stage's error to its input uses the weights before its own update. */
static void backward(priot_engine *engine, const int8_t *first, int observe) {
    priot_model *model = &engine->model;
    for (uint32_t i = model->stage_count; i-- > 0;) {
        priot_stage *stage = &model->stages[i];
        const priot_layer_spec *layer = &model->spec.layers[stage->layer];
        priot_trace *trace = &engine->trace[i];
        const int8_t *input = stage_input(model, first, i);
        if (i > 0) {
            priot_shift shift = shift_of(model, observe, layer->backward);
            progress(i, PRIOT_OPERATION_ERROR);
            priot_stage_error_to_input(model, stage, model->stages[i - 1].error, &shift);
            trace->backward = (uint8_t)shift.used;
            trace->zero |= shift.is_zero ? PRIOT_ZERO_BACKWARD : 0;
        }
        priot_shift shift = shift_of(model, observe, layer->gradient);
        progress(i, PRIOT_OPERATION_GRADIENT);
        priot_stage_gradient_shift(model, stage, input, &shift);
        trace->gradient = (uint8_t)shift.used;
        trace->zero |= shift.is_zero ? PRIOT_ZERO_GRADIENT : 0;
        if (!observe) {
            progress(i, PRIOT_OPERATION_UPDATE);
            priot_stage_update(model, stage, input, &shift);
        }
    }
}

uint32_t priot_engine_train_step(priot_engine *engine, const int8_t *image, uint32_t label, int observe) {
    priot_model *model = &engine->model;
    const int8_t *first = first_input(model, image);
    const int32_t exponent = forward(engine, first, observe);
    const priot_stage *last = priot_last_stage(engine);
    const uint32_t prediction = priot_predict_s8(last->output, priot_classes(engine));
    const priot_loss_s8_args loss = {
        last->output,
        (uint16_t)priot_classes(engine),
        (uint16_t)label,
        exponent,
        model->spec.rounding == PRIOT_ROUNDING_STOCHASTIC ? &engine->rng : NULL,
        last->error,
        model->accumulator,
    };
    progress(model->stage_count - 1, PRIOT_OPERATION_LOSS);
    priot_loss_s8(&loss);
    backward(engine, first, observe);
    progress(0, 0);
    return prediction;
}

uint32_t priot_engine_predict(priot_engine *engine, const int8_t *image) {
    (void)forward(engine, first_input(&engine->model, image), 0);
    progress(0, 0);
    return priot_predict_s8(priot_last_stage(engine)->output, priot_classes(engine));
}

/* One row of the gradient, edge by edge, where the tensor `gradient` shows it. */
static void read_gradient(priot_model *model, const priot_stage *stage, uint32_t row) {
    priot_gradients gradients = priot_stage_gradients(model, stage, model->image);
    const uint32_t errors = priot_stage_gradient_row(&gradients, row);
    for (uint32_t i = 0; i < stage->fan_in; ++i) {
        model->accumulator[i] = errors != 0 ? priot_gradient_of(&gradients.row, i) : 0;
    }
}

priot_status priot_engine_run_kernel(priot_engine *engine, uint32_t operation, uint32_t row, uint32_t *shift) {
    priot_model *model = &engine->model;
    if (!engine->is_started || model->spec.mode != PRIOT_MODE_KERNEL) {
        return PRIOT_STATUS_NOT_LOADED;
    }
    if ((*shift > 31 && *shift != PRIOT_DYNAMIC_SHIFT) || operation < PRIOT_OPERATION_FORWARD ||
        operation > PRIOT_OPERATION_UPDATE) {
        return PRIOT_STATUS_BAD_VALUE;
    }
    priot_stage *stage = &model->stages[0];
    if (operation == PRIOT_OPERATION_GRADIENT && row >= stage->geometry.out_channels) {
        return PRIOT_STATUS_BAD_RANGE;
    }
    priot_shift used = {*shift, 0, 0};
    progress(0, operation);
    switch (operation) {
    case PRIOT_OPERATION_FORWARD:
        priot_stage_forward(model, stage, model->image, &used);
        break;
    case PRIOT_OPERATION_ERROR:
        priot_stage_error_to_input(model, stage, model->input_error, &used);
        break;
    case PRIOT_OPERATION_GRADIENT:
        read_gradient(model, stage, row);
        break;
    default:
        priot_stage_gradient_shift(model, stage, model->image, &used);
        priot_stage_update(model, stage, model->image, &used);
        break;
    }
    progress(0, 0);
    *shift = used.used;
    return PRIOT_STATUS_OK;
}

uint32_t priot_engine_state_crc(const priot_engine *engine) {
    uint32_t crc = 0;
    for (uint32_t i = 0; i < engine->model.stage_count; ++i) {
        const int8_t *values;
        const size_t count = priot_learned(engine, &engine->model.stages[i], &values);
        crc = priot_crc32(crc, values, count);
    }
    const uint8_t rng[4] = {(uint8_t)engine->rng, (uint8_t)(engine->rng >> 8), (uint8_t)(engine->rng >> 16),
                            (uint8_t)(engine->rng >> 24)};
    return priot_crc32(crc, rng, sizeof rng);
}
