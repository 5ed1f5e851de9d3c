#include "priot_run.h"

#include "priot_device.h"

_Static_assert(PRIOT_PROGRESS_RESPONSE_BYTES + (PRIOT_MAX_RUN_EPOCHS + 1) * PRIOT_RESULT_RECORD_BYTES <=
                   PRIOT_PAYLOAD_LIMIT,
               "all results fit one answer");

/* The epoch's result is filled where it will stay. Before training there is nothing but the test set. */
static void begin_epoch(priot_device *device) {
    priot_run *run = &device->run;
    run->result[run->epoch] = (priot_run_result){0, 0, 0, 0};
    run->sample = run->epoch == 0 ? device->dataset.train : 0;
}

static void end_epoch(priot_device *device) {
    priot_run *run = &device->run;
    run->result[run->epoch].state_crc = priot_engine_state_crc(&device->engine);
    run->results++;
    if (run->epoch == run->epochs) {
        run->is_active = 0;
    } else {
        run->epoch++;
        begin_epoch(device);
    }
}

void priot_run_clear(priot_run *run) {
    run->tag = run->sample = 0;
    run->is_active = 0;
    run->epochs = run->epoch = run->results = 0;
}

priot_status priot_run_start(priot_device *device, uint32_t epochs, uint32_t tag, uint32_t *value) {
    const priot_engine *engine = &device->engine;
    const priot_dataset *dataset = &device->dataset;
    if (!(device->board->capabilities & PRIOT_CAPABILITY_RUN)) {
        return PRIOT_STATUS_UNKNOWN_COMMAND;
    }
    if (!engine->is_started || engine->model.spec.mode != PRIOT_MODE_NETWORK) {
        return PRIOT_STATUS_NOT_LOADED;
    }
    if (dataset->images == NULL) {
        return PRIOT_STATUS_NO_DATASET;
    }
    if (epochs > dataset->epochs || epochs > PRIOT_MAX_RUN_EPOCHS || tag == 0) {
        *value = tag == 0 ? tag : epochs;
        return PRIOT_STATUS_BAD_VALUE;
    }
    priot_run_clear(&device->run);
    device->run.tag = tag;
    device->run.epochs = (uint16_t)epochs;
    device->run.is_active = 1;
    begin_epoch(device);
    return PRIOT_STATUS_OK;
}

int priot_device_work(priot_device *device) {
    priot_engine *engine = &device->engine;
    const priot_dataset *dataset = &device->dataset;
    priot_run *run = &device->run;
    priot_run_result *result = &run->result[run->epoch];
    if (!run->is_active) {
        return 0;
    }
    if (run->sample < dataset->train) {
        const uint32_t sample = priot_dataset_order(dataset, run->epoch - 1u, run->sample);
        const uint32_t label = priot_dataset_label(dataset, sample);
        const uint64_t begin = priot_cycles(device);
        result->train_correct +=
            priot_engine_train_step(engine, priot_dataset_image(dataset, sample), label, 0) == label;
        result->cycles += priot_cycles(device) - begin;
    } else if (run->sample < dataset->train + dataset->test) {
        result->test_correct += priot_engine_predict(engine, priot_dataset_image(dataset, run->sample)) ==
                                priot_dataset_label(dataset, run->sample);
    }
    if (++run->sample >= dataset->train + dataset->test) {
        end_epoch(device);
    }
    return run->is_active;
}

size_t priot_run_report(const priot_run *run, uint8_t *response) {
    uint8_t *out = response + PRIOT_PROGRESS_RESPONSE_BYTES;
    priot_put_u32(response + PRIOT_PROGRESS_RESPONSE_TAG, run->tag);
    priot_put_u32(response + PRIOT_PROGRESS_RESPONSE_SAMPLE, run->sample);
    priot_put_u16(response + PRIOT_PROGRESS_RESPONSE_EPOCHS, run->epochs);
    priot_put_u16(response + PRIOT_PROGRESS_RESPONSE_EPOCH, run->epoch);
    priot_put_u16(response + PRIOT_PROGRESS_RESPONSE_RESULTS, run->results);
    response[PRIOT_PROGRESS_RESPONSE_RUNNING] = run->is_active;
    response[PRIOT_PROGRESS_RESPONSE_SPARE] = 0;
    for (uint32_t i = 0; i < run->results; ++i, out += PRIOT_RESULT_RECORD_BYTES) {
        priot_put_u32(out + PRIOT_RESULT_RECORD_TRAIN_CORRECT, run->result[i].train_correct);
        priot_put_u32(out + PRIOT_RESULT_RECORD_TEST_CORRECT, run->result[i].test_correct);
        priot_put_u32(out + PRIOT_RESULT_RECORD_STATE_CRC, run->result[i].state_crc);
        priot_put_u64(out + PRIOT_RESULT_RECORD_CYCLES, run->result[i].cycles);
    }
    return (size_t)(out - response);
}

int priot_run_allows(uint32_t command) {
    return command == PRIOT_COMMAND_HELLO || command == PRIOT_COMMAND_RESET || command == PRIOT_COMMAND_PROGRESS ||
           command == PRIOT_COMMAND_STOP;
}
