#include "priot_model.h"

#include "priot_guard.h"
#include "priot_math.h"

#define SQUARE (127ull * 127ull) /* the largest product of two stored values */
#define SUM_LIMIT 0x7fffffffull
#define EXPONENT_MIN (-64)
#define EXPONENT_MAX 63
#define SHIFT_MAX 31
#define COLUMNS_MAX 0x10000u   /* PRIOT-S counts the edges of a row in 16 bits */
#define CHANNELS_MAX 0xffffffu /* so that no bound of a layer wraps in 64 bits */

/* A bump allocator that only counts while base is NULL. */
typedef struct {
    uint8_t *base;
    uint64_t used;
} allocator;

static void *take(allocator *arena, uint64_t count, size_t size) {
    /* Sizes are powers of two and the base is aligned to 8. */
    const uint64_t guard = PRIOT_GUARD_BYTES, alignment = guard > size ? guard : size;
    arena->used = (arena->used + alignment - 1) & ~(alignment - 1);
    void *memory = arena->base != NULL ? arena->base + arena->used : NULL;
    arena->used += count * size + guard;
    if (memory != NULL) {
        priot_guard_tensor(memory, (size_t)(count * size));
    }
    return memory;
}

static priot_status refuse(priot_detail *detail, priot_status status, uint32_t layer, uint64_t value) {
    detail->layer = layer;
    detail->value = value > 0xffffffffull ? 0xffffffffu : (uint32_t)value;
    return status;
}

static int is_weighted(const priot_layer_spec *layer) {
    return layer->type == PRIOT_LAYER_TYPE_CONV2D || layer->type == PRIOT_LAYER_TYPE_LINEAR;
}

static int is_scored_method(const priot_model_spec *spec) {
    return spec->method == PRIOT_METHOD_PRIOT || spec->method == PRIOT_METHOD_PRIOT_S;
}

static priot_status check_spec(const priot_model_spec *spec, priot_detail *detail) {
    const int is_network = spec->mode == PRIOT_MODE_NETWORK;
    if (spec->mode > PRIOT_MODE_KERNEL || spec->method < PRIOT_METHOD_NITI_DYNAMIC ||
        spec->method > PRIOT_METHOD_PRIOT_S || spec->rounding < PRIOT_ROUNDING_STOCHASTIC ||
        spec->rounding > PRIOT_ROUNDING_NEAREST || spec->mu > 7 || spec->dynamic > 1 || spec->theta < -127 ||
        spec->rng == 0 || spec->input_exponent < EXPONENT_MIN || spec->input_exponent > EXPONENT_MAX ||
        (is_network && spec->method == PRIOT_METHOD_NITI_DYNAMIC && !spec->dynamic) ||
        (is_network && spec->method == PRIOT_METHOD_NITI_STATIC && spec->dynamic) || spec->channels == 0 ||
        spec->channels > CHANNELS_MAX || (spec->height == 0) != (spec->width == 0)) {
        return refuse(detail, PRIOT_STATUS_BAD_MODEL, PRIOT_NO_DETAIL, PRIOT_NO_DETAIL);
    }
    if (spec->layer_count > PRIOT_MAX_LAYERS) {
        return refuse(detail, PRIOT_STATUS_TOO_LARGE, PRIOT_NO_DETAIL, spec->layer_count);
    }
    if (spec->layer_count == 0 || (is_network && spec->layers[spec->layer_count - 1].type != PRIOT_LAYER_TYPE_LINEAR) ||
        (!is_network && !is_weighted(&spec->layers[0]))) {
        return refuse(detail, PRIOT_STATUS_BAD_MODEL, 0, PRIOT_NO_DETAIL);
    }
    for (uint32_t i = 0; i < spec->layer_count; ++i) {
        const priot_layer_spec *layer = &spec->layers[i];
        if (layer->exponent < EXPONENT_MIN || layer->exponent > EXPONENT_MAX || layer->forward > SHIFT_MAX ||
            layer->backward > SHIFT_MAX || layer->gradient > SHIFT_MAX ||
            (!is_network && i > 0 && is_weighted(layer))) {
            return refuse(detail, PRIOT_STATUS_BAD_MODEL, i, PRIOT_NO_DETAIL);
        }
    }
    return PRIOT_STATUS_OK;
}

/* The shape walk: what reaches the next layer. */
typedef struct {
    priot_shape shape;
    int is_vector;
} walker;

static priot_status walk_conv2d(walker *at, const priot_layer_spec *layer, uint32_t index, priot_stage *stage,
                                priot_detail *detail) {
    const uint32_t kernel = layer->kernel, stride = layer->stride, padding = layer->padding;
    if (at->is_vector || layer->out == 0 || kernel == 0 || stride == 0 || padding >= kernel ||
        at->shape.height + 2 * padding < kernel || at->shape.width + 2 * padding < kernel) {
        return refuse(detail, PRIOT_STATUS_BAD_GEOMETRY, index, PRIOT_NO_DETAIL);
    }
    const uint32_t height = priot_quotient(at->shape.height + 2 * padding - kernel, stride) + 1;
    const uint32_t width = priot_quotient(at->shape.width + 2 * padding - kernel, stride) + 1;
    if (height > 0xffff || width > 0xffff || (uint64_t)height * width >= PRIOT_TERM_POSITIONS ||
        (uint64_t)at->shape.height * at->shape.width >= PRIOT_TERM_POSITIONS) {
        return refuse(detail, PRIOT_STATUS_TOO_LARGE, index, (uint64_t)height * width);
    }
    const priot_conv2d_geometry geometry = {at->shape.channels, layer->out,       at->shape.height,
                                            at->shape.width,    (uint16_t)height, (uint16_t)width,
                                            layer->kernel,      layer->stride,    layer->padding};
    stage->geometry = geometry;
    at->shape = (priot_shape){layer->out, (uint16_t)height, (uint16_t)width};
    stage->room = (uint32_t)priot_elements(at->shape);
    return PRIOT_STATUS_OK;
}

static priot_status walk_linear(walker *at, const priot_layer_spec *layer, uint32_t index, priot_stage *stage,
                                priot_detail *detail) {
    if (!at->is_vector || layer->out == 0) {
        return refuse(detail, PRIOT_STATUS_BAD_GEOMETRY, index, PRIOT_NO_DETAIL);
    }
    const priot_conv2d_geometry geometry = {at->shape.channels, layer->out, 1, 1, 1, 1, 1, 1, 0};
    stage->geometry = geometry;
    stage->is_linear = 1;
    at->shape = (priot_shape){layer->out, 1, 1};
    stage->room = layer->out;
    return PRIOT_STATUS_OK;
}

static priot_status walk_unweighted(walker *at, const priot_layer_spec *layer, uint32_t index, priot_stage *stage,
                                    priot_detail *detail) {
    if (layer->type == PRIOT_LAYER_TYPE_MAXPOOL2D) {
        const uint16_t size = layer->kernel;
        if (at->is_vector || size == 0 || size > at->shape.height || size > at->shape.width) {
            return refuse(detail, PRIOT_STATUS_BAD_GEOMETRY, index, PRIOT_NO_DETAIL);
        }
        at->shape.height = (uint16_t)priot_quotient(at->shape.height, size);
        at->shape.width = (uint16_t)priot_quotient(at->shape.width, size);
        if (stage != NULL && !stage->has_pool) {
            stage->room = (uint32_t)priot_elements(at->shape);
        }
    } else if (layer->type == PRIOT_LAYER_TYPE_FLATTEN) {
        const uint64_t elements = (uint64_t)at->shape.channels * at->shape.height * at->shape.width;
        if (elements > SUM_LIMIT) {
            return refuse(detail, PRIOT_STATUS_TOO_LARGE, index, elements);
        }
        at->shape = (priot_shape){(uint32_t)elements, 1, 1};
        at->is_vector = 1;
    } else if (layer->type != PRIOT_LAYER_TYPE_RELU) {
        return refuse(detail, PRIOT_STATUS_BAD_MODEL, index, layer->type);
    }
    if (stage != NULL) {
        stage->has_relu |= layer->type == PRIOT_LAYER_TYPE_RELU;
        stage->has_pool |= layer->type == PRIOT_LAYER_TYPE_MAXPOOL2D;
    }
    return PRIOT_STATUS_OK;
}

/* Section 8 of the semantics: no legal sum leaves 32 bits. */
static priot_status check_overflow(const priot_model_spec *spec, priot_stage *stage, int passes_error_on,
                                   priot_detail *detail) {
    const priot_conv2d_geometry *g = &stage->geometry;
    const uint64_t taps = (uint64_t)g->kernel * g->kernel, positions = (uint64_t)g->out_height * g->out_width;
    const uint64_t fan_in = taps * g->in_channels;
    if (g->in_channels > CHANNELS_MAX || g->out_channels > CHANNELS_MAX || taps > CHANNELS_MAX) {
        return refuse(detail, PRIOT_STATUS_TOO_LARGE, stage->layer, taps);
    }
    const uint64_t sums[] = {
        SQUARE * fan_in,
        passes_error_on ? SQUARE * taps * g->out_channels : 0,
        SQUARE * positions,
        is_scored_method(spec) ? SQUARE * 127 * positions : 0,
    };
    for (size_t i = 0; i < sizeof sums / sizeof sums[0]; ++i) {
        if (sums[i] > SUM_LIMIT) {
            return refuse(detail, PRIOT_STATUS_OVERFLOW, stage->layer, sums[i]);
        }
    }
    const uint64_t edges = fan_in * g->out_channels;
    if (edges > SUM_LIMIT) {
        return refuse(detail, PRIOT_STATUS_TOO_LARGE, stage->layer, edges);
    }
    if (spec->method == PRIOT_METHOD_PRIOT_S && fan_in > COLUMNS_MAX) {
        return refuse(detail, PRIOT_STATUS_TOO_LARGE, stage->layer, fan_in);
    }
    stage->fan_in = (uint32_t)fan_in;
    stage->edges = (uint32_t)edges;
    const uint32_t scored = spec->layers[stage->layer].scored;
    if (spec->method == PRIOT_METHOD_PRIOT_S ? scored > edges : scored != 0) {
        return refuse(detail, PRIOT_STATUS_BAD_MODEL, stage->layer, scored);
    }
    return PRIOT_STATUS_OK;
}

static priot_status find_stages(priot_model *model, priot_detail *detail) {
    const priot_model_spec *spec = &model->spec;
    const int is_vector = spec->height == 0;
    walker at = {{spec->channels, is_vector ? 1 : spec->height, is_vector ? 1 : spec->width}, is_vector};
    priot_stage *stage = NULL;
    const uint64_t image = (uint64_t)at.shape.channels * at.shape.height * at.shape.width;
    if (image > SUM_LIMIT) { /* counted in 32 bits it could wrap, and pools could make a legal network of it */
        return refuse(detail, PRIOT_STATUS_TOO_LARGE, PRIOT_NO_DETAIL, image);
    }
    model->image_shape = at.shape;
    model->input_shape = at.shape;
    model->stage_count = 0;
    for (uint32_t i = 0; i < spec->layer_count; ++i) {
        const priot_layer_spec *layer = &spec->layers[i];
        priot_status status;
        if (is_weighted(layer)) {
            if (model->stage_count == PRIOT_MAX_STAGES) {
                return refuse(detail, PRIOT_STATUS_TOO_LARGE, i, PRIOT_MAX_STAGES);
            }
            stage = &model->stages[model->stage_count];
            *stage = (priot_stage){.layer = (uint8_t)i};
            status = layer->type == PRIOT_LAYER_TYPE_LINEAR ? walk_linear(&at, layer, i, stage, detail)
                                                            : walk_conv2d(&at, layer, i, stage, detail);
            if (status == PRIOT_STATUS_OK) {
                status = check_overflow(spec, stage, model->stage_count > 0 || spec->mode == PRIOT_MODE_KERNEL, detail);
            }
            ++model->stage_count;
        } else {
            status = walk_unweighted(&at, layer, i, stage, detail);
        }
        if (status != PRIOT_STATUS_OK) {
            return status;
        }
        if (stage == NULL) {
            model->input_shape = at.shape;
        } else {
            stage->end = (uint8_t)(i + 1);
            if (stage->is_linear || !at.is_vector) {
                stage->output_shape = at.shape;
            }
        }
    }
    if (spec->mode == PRIOT_MODE_NETWORK && (at.shape.channels < 2 || at.shape.channels > 1024)) {
        return refuse(detail, PRIOT_STATUS_BAD_GEOMETRY, spec->layer_count - 1u, at.shape.channels);
    }
    return PRIOT_STATUS_OK;
}

static uint64_t larger(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

/* Lays every tensor out, words first within a stage so that little is lost to alignment. */
static void lay_out(priot_model *model, allocator *arena) {
    const priot_model_spec *spec = &model->spec;
    uint64_t accumulators = 0, terms = 0, errors = 0;
    for (uint32_t i = 0; i < model->stage_count; ++i) {
        priot_stage *stage = &model->stages[i];
        const priot_conv2d_geometry *g = &stage->geometry;
        const uint64_t out_plane = (uint64_t)g->out_height * g->out_width;
        const uint64_t in_elements = (uint64_t)g->in_channels * g->in_height * g->in_width;
        const uint32_t scored = spec->layers[stage->layer].scored;
        const size_t outputs = priot_elements(stage->output_shape);
        accumulators = larger(accumulators, larger(larger(out_plane * g->out_channels, in_elements), stage->fan_in));
        terms = larger(terms, stage->is_linear ? stage->fan_in : out_plane);
        errors = larger(errors, (uint64_t)stage->output_shape.height * stage->output_shape.width);
        stage->route = stage->has_pool ? take(arena, stage->room, sizeof(uint32_t)) : NULL;
        if (spec->method == PRIOT_METHOD_PRIOT_S) {
            stage->row_ends = take(arena, g->out_channels, sizeof(uint32_t));
            stage->columns = take(arena, scored, sizeof(uint16_t));
            stage->unmasked = take(arena, scored, 1);
            stage->scores = take(arena, scored, 1);
        } else if (spec->method == PRIOT_METHOD_PRIOT) {
            stage->scores = take(arena, stage->edges, 1);
        }
        stage->weights = take(arena, stage->edges, 1);
        stage->output = take(arena, stage->room, 1);
        stage->error = take(arena, outputs, 1);
    }
    model->accumulator = take(arena, accumulators, sizeof(int32_t));
    model->terms = take(arena, terms, sizeof(priot_term));
    model->errors = take(arena, errors, sizeof(priot_error));
    model->order = take(arena, spec->epoch, sizeof(uint16_t));
    model->image = take(arena, priot_elements(model->image_shape), 1);
    model->input = model->stages[0].layer > 0 ? take(arena, priot_elements(model->image_shape), 1) : NULL;
    model->input_error = spec->mode == PRIOT_MODE_KERNEL ? take(arena, priot_elements(model->image_shape), 1) : NULL;
}

priot_status priot_model_plan(priot_model *model, uint8_t *arena, size_t arena_bytes, priot_detail *detail) {
    priot_status status = check_spec(&model->spec, detail);
    if (status == PRIOT_STATUS_OK) {
        status = find_stages(model, detail);
    }
    if (status != PRIOT_STATUS_OK) {
        return status;
    }
    allocator sizing = {NULL, 0};
    lay_out(model, &sizing);
    if (sizing.used > arena_bytes || sizing.used > 0xffffffffull) {
        return refuse(detail, PRIOT_STATUS_TOO_LARGE, PRIOT_NO_DETAIL, sizing.used);
    }
    allocator arena_allocator = {arena, 0};
    lay_out(model, &arena_allocator);
    model->arena_used = (uint32_t)sizing.used;
    return PRIOT_STATUS_OK;
}
