#include "priot_batch.h"
#include "priot_call.h"
#include "priot_crc32.h"
#include "priot_dataset.h"
#include "priot_device.h"
#include "priot_store.h"

static int is_running(const priot_device *device) {
    return device->engine.is_started && device->engine.model.spec.mode == PRIOT_MODE_NETWORK;
}

static void copy(uint8_t *to, const uint8_t *from, size_t count) {
    for (size_t i = 0; i < count; ++i) {
        to[i] = from[i];
    }
}

static priot_status run_hello(priot_call *at) {
    const priot_board *board = at->device->board;
    uint8_t *out = at->response;
    priot_put_u32(out + PRIOT_HELLO_RESPONSE_PREVIOUS, at->device->previous_session);
    priot_put_u32(out + PRIOT_HELLO_RESPONSE_CLOCK_HZ, board->clock_hz);
    priot_put_u32(out + PRIOT_HELLO_RESPONSE_ARENA_BYTES, (uint32_t)at->device->engine.arena_bytes);
    priot_put_u32(out + PRIOT_HELLO_RESPONSE_DATASET_BYTES, board->dataset_bytes);
    priot_put_u32(out + PRIOT_HELLO_RESPONSE_CAPABILITIES, board->capabilities | PRIOT_CAPABILITY_BATCH);
    priot_put_u16(out + PRIOT_HELLO_RESPONSE_PAYLOAD_LIMIT, PRIOT_PAYLOAD_LIMIT);
    out[PRIOT_HELLO_RESPONSE_RESET_CAUSE] = (uint8_t)board->reset_cause;
    out[PRIOT_HELLO_RESPONSE_FAULTED] = board->fault != NULL;
    copy(out + PRIOT_HELLO_RESPONSE_BUILD_ID, board->build_id, PRIOT_BUILD_ID_BYTES);
    copy(out + PRIOT_HELLO_RESPONSE_UNIQUE_ID, board->unique_id, 8);
    const char *name = board->name;
    for (uint32_t i = 0; i < PRIOT_HELLO_RESPONSE_BYTES - PRIOT_HELLO_RESPONSE_NAME; ++i) {
        out[PRIOT_HELLO_RESPONSE_NAME + i] = (uint8_t)*name;
        name += *name != '\0';
    }
    at->response_bytes = PRIOT_HELLO_RESPONSE_BYTES;
    if (board->fault != NULL) {
        const priot_fault *fault = board->fault;
        const uint32_t words[] = {fault->r0, fault->r1, fault->r2,   fault->r3,    fault->r12,
                                  fault->lr, fault->pc, fault->xpsr, fault->stage, fault->operation};
        for (size_t i = 0; i < sizeof words / sizeof words[0]; ++i) {
            priot_put_u32(out + at->response_bytes + 4 * i, words[i]);
        }
        at->response_bytes += PRIOT_FAULT_RECORD_BYTES;
    }
    return PRIOT_STATUS_OK;
}

static priot_status run_reset(priot_call *at) {
    const priot_board *board = at->device->board;
    const uint32_t restart = at->request[PRIOT_RESET_REQUEST_RESTART];
    if (board->reset == NULL) {
        return PRIOT_STATUS_UNKNOWN_COMMAND;
    }
    if (restart > PRIOT_RESTART_LOADER || (restart == PRIOT_RESTART_LOADER && board->reset_to_loader == NULL)) {
        return priot_bad_value(at, restart);
    }
    return PRIOT_STATUS_OK;
}

static priot_status run_load(priot_call *at) {
    priot_engine *engine = &at->device->engine;
    priot_model_spec *spec = &engine->candidate.spec;
    const uint8_t *in = at->request;
    const uint32_t layers = at->request_bytes >= PRIOT_MODEL_RECORD_BYTES ? in[PRIOT_MODEL_RECORD_LAYERS] : 0;
    if (at->request_bytes != PRIOT_MODEL_RECORD_BYTES + layers * PRIOT_LAYER_RECORD_BYTES) {
        return PRIOT_STATUS_BAD_LENGTH;
    }
    if (layers > PRIOT_MAX_LAYERS) {
        at->detail.value = layers;
        return PRIOT_STATUS_TOO_LARGE;
    }
    spec->mode = in[PRIOT_MODEL_RECORD_MODE];
    spec->method = in[PRIOT_MODEL_RECORD_METHOD];
    spec->rounding = in[PRIOT_MODEL_RECORD_ROUNDING];
    spec->mu = in[PRIOT_MODEL_RECORD_MU];
    spec->dynamic = in[PRIOT_MODEL_RECORD_DYNAMIC];
    spec->theta = (int8_t)in[PRIOT_MODEL_RECORD_THETA];
    spec->input_exponent = (int8_t)in[PRIOT_MODEL_RECORD_INPUT_EXPONENT];
    spec->layer_count = (uint8_t)layers;
    spec->rng = priot_get_u32(in + PRIOT_MODEL_RECORD_RNG);
    spec->epoch = (uint16_t)priot_get_u16(in + PRIOT_MODEL_RECORD_EPOCH);
    spec->channels = priot_get_u32(in + PRIOT_MODEL_RECORD_CHANNELS);
    spec->height = (uint16_t)priot_get_u16(in + PRIOT_MODEL_RECORD_HEIGHT);
    spec->width = (uint16_t)priot_get_u16(in + PRIOT_MODEL_RECORD_WIDTH);
    in += PRIOT_MODEL_RECORD_BYTES;
    for (uint32_t i = 0; i < layers; ++i, in += PRIOT_LAYER_RECORD_BYTES) {
        priot_layer_spec *layer = &spec->layers[i];
        layer->type = in[PRIOT_LAYER_RECORD_TYPE];
        layer->exponent = (int8_t)in[PRIOT_LAYER_RECORD_EXPONENT];
        layer->out = priot_get_u32(in + PRIOT_LAYER_RECORD_OUT);
        layer->kernel = (uint16_t)priot_get_u16(in + PRIOT_LAYER_RECORD_KERNEL);
        layer->stride = (uint16_t)priot_get_u16(in + PRIOT_LAYER_RECORD_STRIDE);
        layer->padding = (uint16_t)priot_get_u16(in + PRIOT_LAYER_RECORD_PADDING);
        layer->forward = in[PRIOT_LAYER_RECORD_FORWARD];
        layer->backward = in[PRIOT_LAYER_RECORD_BACKWARD];
        layer->gradient = in[PRIOT_LAYER_RECORD_GRADIENT];
        layer->scored = priot_get_u32(in + PRIOT_LAYER_RECORD_SCORED);
    }
    const priot_status status = priot_engine_load(engine, &at->detail);
    if (status == PRIOT_STATUS_OK) {
        at->device->dataset = PRIOT_NO_DATASET; /* it was checked against another model */
        priot_run_clear(&at->device->run);
        priot_put_u32(at->response + PRIOT_LOAD_RESPONSE_ARENA_USED, engine->model.arena_used);
        at->response_bytes = PRIOT_LOAD_RESPONSE_BYTES;
    }
    return status;
}

static priot_status run_start(priot_call *at) {
    return priot_engine_start(&at->device->engine, &at->detail);
}

/* The part of a tensor that a read or write names. */
static priot_status find_part(priot_call *at, size_t count, int is_write, priot_tensor_view *part) {
    const uint32_t tensor = at->request[PRIOT_READ_REQUEST_TENSOR], layer = at->request[PRIOT_READ_REQUEST_LAYER];
    const uint32_t offset = priot_get_u32(at->request + PRIOT_READ_REQUEST_OFFSET);
    at->detail.layer = layer;
    at->detail.value = tensor;
    const priot_status status = priot_engine_tensor(&at->device->engine, tensor, layer, is_write, part);
    if (status != PRIOT_STATUS_OK) {
        return status;
    }
    if (offset > part->bytes || count > part->bytes - offset) {
        at->detail.value = (uint32_t)part->bytes;
        return PRIOT_STATUS_BAD_RANGE;
    }
    part->data += offset;
    part->bytes = count;
    return PRIOT_STATUS_OK;
}

static priot_status run_write(priot_call *at) {
    priot_tensor_view part;
    const uint8_t *bytes = at->request + PRIOT_WRITE_REQUEST_BYTES;
    const priot_status status = find_part(at, at->request_bytes - PRIOT_WRITE_REQUEST_BYTES, 1, &part);
    if (status != PRIOT_STATUS_OK) {
        return status;
    }
    for (size_t i = 0; i < part.bytes && part.is_stored; ++i) {
        if ((int8_t)bytes[i] == -128) {
            return priot_bad_value(at, (uint32_t)i);
        }
    }
    copy(part.data, bytes, part.bytes);
    return PRIOT_STATUS_OK;
}

static priot_status run_read(priot_call *at) {
    priot_tensor_view part;
    const uint32_t count = priot_get_u16(at->request + PRIOT_READ_REQUEST_LENGTH);
    if (count > PRIOT_PAYLOAD_LIMIT) {
        return priot_bad_value(at, count);
    }
    const priot_status status = find_part(at, count, 0, &part);
    if (status == PRIOT_STATUS_OK) {
        copy(at->response, part.data, count);
        at->response_bytes = count;
    }
    return status;
}

static void put_trace(priot_call *at, const priot_stage *stage, const priot_trace *trace, int observe) {
    const size_t count = priot_elements(stage->output_shape);
    uint8_t *out = at->response + at->response_bytes;
    const uint8_t zero = observe ? trace->zero : 0;
    out[PRIOT_TRACE_RECORD_FORWARD] = zero & PRIOT_ZERO_FORWARD ? PRIOT_DYNAMIC_SHIFT : trace->forward;
    out[PRIOT_TRACE_RECORD_BACKWARD] = zero & PRIOT_ZERO_BACKWARD ? PRIOT_DYNAMIC_SHIFT : trace->backward;
    out[PRIOT_TRACE_RECORD_GRADIENT] = zero & PRIOT_ZERO_GRADIENT ? PRIOT_DYNAMIC_SHIFT : trace->gradient;
    out[PRIOT_TRACE_RECORD_SPARE] = 0;
    priot_put_u32(out + PRIOT_TRACE_RECORD_OUTPUT_CRC, observe ? 0 : priot_crc32(0, stage->output, count));
    priot_put_u32(out + PRIOT_TRACE_RECORD_ERROR_CRC, observe ? 0 : priot_crc32(0, stage->error, count));
    at->response_bytes += PRIOT_TRACE_RECORD_BYTES;
}

static priot_status run_train_step(priot_call *at) {
    priot_engine *engine = &at->device->engine;
    const uint32_t label = priot_get_u16(at->request + PRIOT_TRAIN_STEP_REQUEST_LABEL);
    const uint32_t observe = at->request[PRIOT_TRAIN_STEP_REQUEST_OBSERVE];
    if (!is_running(at->device)) {
        return PRIOT_STATUS_NOT_LOADED;
    }
    if (observe > 1) {
        return priot_bad_value(at, observe);
    }
    if (label >= priot_classes(engine)) {
        return priot_bad_value(at, label);
    }
    const uint64_t begin = priot_cycles(at->device);
    const uint32_t prediction = priot_engine_train_step(engine, engine->model.image, label, (int)observe);
    const uint64_t cycles = priot_cycles(at->device) - begin;
    priot_put_u16(at->response + PRIOT_TRAIN_STEP_RESPONSE_PREDICTION, prediction);
    priot_put_u16(at->response + PRIOT_TRAIN_STEP_RESPONSE_SPARE, 0);
    priot_put_u64(at->response + PRIOT_TRAIN_STEP_RESPONSE_CYCLES, cycles);
    at->response_bytes = PRIOT_TRAIN_STEP_RESPONSE_BYTES;
    for (uint32_t i = 0; i < engine->model.stage_count; ++i) {
        put_trace(at, &engine->model.stages[i], &engine->trace[i], (int)observe);
    }
    return PRIOT_STATUS_OK;
}

static priot_status run_predict(priot_call *at) {
    priot_engine *engine = &at->device->engine;
    if (!is_running(at->device)) {
        return PRIOT_STATUS_NOT_LOADED;
    }
    const uint64_t begin = priot_cycles(at->device);
    const uint32_t prediction = priot_engine_predict(engine, engine->model.image);
    const uint64_t cycles = priot_cycles(at->device) - begin;
    priot_put_u16(at->response + PRIOT_PREDICT_RESPONSE_PREDICTION, prediction);
    priot_put_u16(at->response + PRIOT_PREDICT_RESPONSE_SPARE, 0);
    priot_put_u64(at->response + PRIOT_PREDICT_RESPONSE_CYCLES, cycles);
    at->response_bytes = PRIOT_PREDICT_RESPONSE_BYTES;
    return PRIOT_STATUS_OK;
}

static priot_status run_kernel(priot_call *at) {
    uint32_t shift = at->request[PRIOT_KERNEL_REQUEST_SHIFT];
    const priot_status status =
        priot_engine_run_kernel(&at->device->engine, at->request[PRIOT_KERNEL_REQUEST_OPERATION],
                                priot_get_u32(at->request + PRIOT_KERNEL_REQUEST_ROW), &shift);
    if (status == PRIOT_STATUS_OK) {
        at->response[PRIOT_KERNEL_RESPONSE_SHIFT] = (uint8_t)shift;
        at->response_bytes = PRIOT_KERNEL_RESPONSE_BYTES;
    }
    return status;
}

static priot_status run_state(priot_call *at) {
    const priot_engine *engine = &at->device->engine;
    if (!engine->is_started) {
        return PRIOT_STATUS_NOT_LOADED;
    }
    priot_put_u32(at->response + PRIOT_STATE_RESPONSE_CRC, priot_engine_state_crc(engine));
    priot_put_u32(at->response + PRIOT_STATE_RESPONSE_RNG, engine->rng);
    at->response_bytes = PRIOT_STATE_RESPONSE_BYTES;
    return PRIOT_STATUS_OK;
}

static priot_status run_dataset(priot_call *at) {
    priot_dataset found;
    if (!is_running(at->device)) {
        return PRIOT_STATUS_NOT_LOADED;
    }
    at->device->dataset = PRIOT_NO_DATASET; /* whatever was found before may be overwritten */
    if (!priot_dataset_find(&found, at->device->board, &at->device->engine)) {
        return PRIOT_STATUS_NO_DATASET;
    }
    at->device->dataset = found;
    priot_put_u32(at->response + PRIOT_DATASET_RESPONSE_TRAIN, found.train);
    priot_put_u32(at->response + PRIOT_DATASET_RESPONSE_TEST, found.test);
    priot_put_u32(at->response + PRIOT_DATASET_RESPONSE_CRC, found.crc);
    at->response_bytes = PRIOT_DATASET_RESPONSE_BYTES;
    return PRIOT_STATUS_OK;
}

static priot_status run_train_epoch(priot_call *at) {
    priot_engine *engine = &at->device->engine;
    const priot_dataset *dataset = &at->device->dataset;
    const uint32_t count = priot_get_u16(at->request + PRIOT_TRAIN_EPOCH_REQUEST_SAMPLES);
    if (!is_running(at->device)) {
        return PRIOT_STATUS_NOT_LOADED;
    }
    if (dataset->images == NULL) {
        return PRIOT_STATUS_NO_DATASET;
    }
    if (count > engine->model.spec.epoch) {
        return priot_bad_value(at, count);
    }
    for (uint32_t i = 0; i < count; ++i) {
        if (engine->model.order[i] >= dataset->train) {
            return priot_bad_value(at, engine->model.order[i]);
        }
    }
    uint32_t correct = 0;
    const uint64_t begin = priot_cycles(at->device);
    for (uint32_t i = 0; i < count; ++i) {
        const uint32_t sample = engine->model.order[i], label = priot_dataset_label(dataset, sample);
        correct += priot_engine_train_step(engine, priot_dataset_image(dataset, sample), label, 0) == label;
    }
    priot_put_u32(at->response + PRIOT_TRAIN_EPOCH_RESPONSE_CORRECT, correct);
    priot_put_u32(at->response + PRIOT_TRAIN_EPOCH_RESPONSE_SPARE, 0);
    priot_put_u64(at->response + PRIOT_TRAIN_EPOCH_RESPONSE_CYCLES, priot_cycles(at->device) - begin);
    at->response_bytes = PRIOT_TRAIN_EPOCH_RESPONSE_BYTES;
    return PRIOT_STATUS_OK;
}

static priot_status run_evaluate(priot_call *at) {
    priot_engine *engine = &at->device->engine;
    const priot_dataset *dataset = &at->device->dataset;
    if (!is_running(at->device)) {
        return PRIOT_STATUS_NOT_LOADED;
    }
    if (dataset->images == NULL) {
        return PRIOT_STATUS_NO_DATASET;
    }
    uint32_t correct = 0;
    const uint64_t begin = priot_cycles(at->device);
    for (uint32_t sample = dataset->train; sample < dataset->train + dataset->test; ++sample) {
        correct +=
            priot_engine_predict(engine, priot_dataset_image(dataset, sample)) == priot_dataset_label(dataset, sample);
    }
    priot_put_u32(at->response + PRIOT_EVALUATE_RESPONSE_CORRECT, correct);
    priot_put_u32(at->response + PRIOT_EVALUATE_RESPONSE_TOTAL, dataset->test);
    priot_put_u64(at->response + PRIOT_EVALUATE_RESPONSE_CYCLES, priot_cycles(at->device) - begin);
    at->response_bytes = PRIOT_EVALUATE_RESPONSE_BYTES;
    return PRIOT_STATUS_OK;
}

static priot_status run_erase(priot_call *at) {
    return priot_store_erase(at->device, priot_get_u32(at->request + PRIOT_ERASE_REQUEST_OFFSET),
                             priot_get_u32(at->request + PRIOT_ERASE_REQUEST_LENGTH), &at->detail.value);
}

static priot_status run_store(priot_call *at) {
    return priot_store_write(at->device, priot_get_u32(at->request + PRIOT_STORE_REQUEST_OFFSET),
                             at->request + PRIOT_STORE_REQUEST_BYTES,
                             (uint32_t)at->request_bytes - PRIOT_STORE_REQUEST_BYTES, &at->detail.value);
}

static priot_status run_run(priot_call *at) {
    return priot_run_start(at->device, priot_get_u16(at->request + PRIOT_RUN_REQUEST_EPOCHS),
                           priot_get_u32(at->request + PRIOT_RUN_REQUEST_TAG), &at->detail.value);
}

static priot_status run_progress(priot_call *at) {
    at->response_bytes = priot_run_report(&at->device->run, at->response);
    return PRIOT_STATUS_OK;
}

static priot_status run_stop(priot_call *at) {
    at->device->run.is_active = 0;
    return PRIOT_STATUS_OK;
}

/* What each command takes: its handler, the length of its request, and whether more may follow. */
static const struct {
    priot_status (*run)(priot_call *at);
    uint16_t request_bytes;
    uint8_t has_tail;
} COMMANDS[] = {
    [PRIOT_COMMAND_HELLO] = {run_hello, 0, 0},
    [PRIOT_COMMAND_RESET] = {run_reset, PRIOT_RESET_REQUEST_BYTES, 0},
    [PRIOT_COMMAND_LOAD] = {run_load, 0, 1},
    [PRIOT_COMMAND_START] = {run_start, 0, 0},
    [PRIOT_COMMAND_WRITE] = {run_write, PRIOT_WRITE_REQUEST_BYTES, 1},
    [PRIOT_COMMAND_READ] = {run_read, PRIOT_READ_REQUEST_BYTES, 0},
    [PRIOT_COMMAND_TRAIN_STEP] = {run_train_step, PRIOT_TRAIN_STEP_REQUEST_BYTES, 0},
    [PRIOT_COMMAND_PREDICT] = {run_predict, 0, 0},
    [PRIOT_COMMAND_KERNEL] = {run_kernel, PRIOT_KERNEL_REQUEST_BYTES, 0},
    [PRIOT_COMMAND_STATE] = {run_state, 0, 0},
    [PRIOT_COMMAND_DATASET] = {run_dataset, 0, 0},
    [PRIOT_COMMAND_TRAIN_EPOCH] = {run_train_epoch, PRIOT_TRAIN_EPOCH_REQUEST_BYTES, 0},
    [PRIOT_COMMAND_EVALUATE] = {run_evaluate, 0, 0},
    [PRIOT_COMMAND_ERASE] = {run_erase, PRIOT_ERASE_REQUEST_BYTES, 0},
    [PRIOT_COMMAND_STORE] = {run_store, PRIOT_STORE_REQUEST_BYTES, 1},
    [PRIOT_COMMAND_RUN] = {run_run, PRIOT_RUN_REQUEST_BYTES, 0},
    [PRIOT_COMMAND_PROGRESS] = {run_progress, 0, 0},
    [PRIOT_COMMAND_STOP] = {run_stop, 0, 0},
    [PRIOT_COMMAND_BATCH] = {priot_batch_run, 0, 1},
};

int priot_command_has_length(uint8_t command, size_t bytes) {
    return COMMANDS[command].has_tail ? bytes >= COMMANDS[command].request_bytes
                                      : bytes == COMMANDS[command].request_bytes;
}

priot_status priot_command_run(uint8_t command, priot_call *at) {
    return COMMANDS[command].run(at);
}

priot_status priot_device_command(priot_device *device, uint8_t command, const uint8_t *request, size_t request_bytes,
                                  uint8_t *response, size_t *response_bytes) {
    priot_call at = {device, request, request_bytes, response, 0, {PRIOT_NO_DETAIL, PRIOT_NO_DETAIL}};
    priot_status status;
    if (command >= sizeof COMMANDS / sizeof COMMANDS[0] || COMMANDS[command].run == NULL) {
        status = PRIOT_STATUS_UNKNOWN_COMMAND;
    } else if (request_bytes > PRIOT_PAYLOAD_LIMIT || !priot_command_has_length(command, request_bytes)) {
        status = PRIOT_STATUS_BAD_LENGTH;
    } else if (device->run.is_active && !priot_run_allows(command)) {
        status = PRIOT_STATUS_BUSY;
    } else {
        status = priot_command_run(command, &at);
    }
    if (status != PRIOT_STATUS_OK) {
        priot_put_u32(response, at.detail.layer);
        priot_put_u32(response + 4, at.detail.value);
        at.response_bytes = 8;
    }
    *response_bytes = at.response_bytes;
    return status;
}
