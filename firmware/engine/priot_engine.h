/* The training step of semantics.md over the kernels: one model, one arena, nothing else kept. */
#ifndef PRIOT_ENGINE_H
#define PRIOT_ENGINE_H

#include "priot_model.h"

/* What one stage did in the last step. */
typedef struct {
    uint8_t forward, backward, gradient; /* shifts used */
    uint8_t zero; /* PRIOT_ZERO_...: tensors that were all zero, which calibration does not count */
} priot_trace;

#define PRIOT_ZERO_FORWARD 1u
#define PRIOT_ZERO_BACKWARD 2u
#define PRIOT_ZERO_GRADIENT 4u

typedef struct {
    uint8_t *arena;
    size_t arena_bytes;
    uint8_t is_loaded, is_started;
    uint32_t rng;
    priot_model model;
    priot_model candidate; /* a model being checked, so that a refused one leaves `model` as it was */
    priot_trace trace[PRIOT_MAX_STAGES];
} priot_engine;

/* What runs right now, for a fault's report: the one thing that lives outside the arena and the engine. */
typedef struct {
    uint32_t stage;
    uint32_t operation; /* priot_operation; 0: nothing */
} priot_progress_record;

extern volatile priot_progress_record priot_progress;

void priot_engine_init(priot_engine *engine, uint8_t *arena, size_t arena_bytes);

/* Checks engine->candidate.spec and makes it the model, all tensors zero. */
priot_status priot_engine_load(priot_engine *engine, priot_detail *detail);

/* Ends the loading; PRIOT-S: checks where the scored edges are and packs their weights. */
priot_status priot_engine_start(priot_engine *engine, priot_detail *detail);

/* Where a tensor lies. `is_write`: whether it is to be written, which not every tensor may be at every time. */
typedef struct {
    uint8_t *data;
    size_t bytes;
    uint8_t is_stored; /* int8 that must not be -128 */
} priot_tensor_view;

priot_status priot_engine_tensor(priot_engine *engine, uint32_t tensor, uint32_t layer, int is_write,
                                 priot_tensor_view *view);

/* One step of training on `image`; fills engine->trace. `observe`: every shift dynamic, nothing updated but the
 * generator. Returns the prediction before the update. The engine is started in network mode, label < classes. */
uint32_t priot_engine_train_step(priot_engine *engine, const int8_t *image, uint32_t label, int observe);

/* The class of `image`; draws nothing. */
uint32_t priot_engine_predict(priot_engine *engine, const int8_t *image);

/* Kernel mode: runs one kernel of the only stage on the tensors image, error, weights and scores, with *shift 0..31 or
 * PRIOT_DYNAMIC_SHIFT; leaves the shift used in *shift. */
priot_status priot_engine_run_kernel(priot_engine *engine, uint32_t operation, uint32_t row, uint32_t *shift);

/* CRC-32 of the learned values, layer by layer, then of the generator's state as four little-endian bytes. */
uint32_t priot_engine_state_crc(const priot_engine *engine);

static inline const priot_stage *priot_last_stage(const priot_engine *engine) {
    return &engine->model.stages[engine->model.stage_count - 1];
}

static inline uint32_t priot_classes(const priot_engine *engine) {
    return priot_last_stage(engine)->output_shape.channels;
}

/* Bytes of the learned values of a stage: W, or the stored scores. */
static inline size_t priot_learned(const priot_engine *engine, const priot_stage *stage, const int8_t **values) {
    const uint32_t method = engine->model.spec.method;
    *values = method == PRIOT_METHOD_PRIOT || method == PRIOT_METHOD_PRIOT_S ? stage->scores : stage->weights;
    return method == PRIOT_METHOD_PRIOT_S ? engine->model.spec.layers[stage->layer].scored : stage->edges;
}

#endif
