/* A detached run: the device trains on the transfer set in its flash, epoch after epoch, whether or not a host is
 * there. It is done a sample at a time between two looks at the lines; results are kept until the next LOAD or restart.
 */
#ifndef PRIOT_RUN_H
#define PRIOT_RUN_H

#include <stddef.h>
#include <stdint.h>

#include "priot_protocol.h"
#include "priot_status.h"

struct priot_device;

/* The model after an epoch. */
typedef struct {
    uint32_t train_correct, test_correct, state_crc;
    uint64_t cycles; /* of the training steps */
} priot_run_result;

typedef struct {
    uint32_t tag; /* the host's name for it; 0: there was none */
    uint8_t is_active;
    uint16_t epochs, epoch; /* asked for; at work, 0: the evaluation before training */
    uint16_t results;
    uint32_t sample; /* of the epoch's training samples, then of its test samples */
    priot_run_result result[PRIOT_MAX_RUN_EPOCHS + 1];
} priot_run;

/* There is no run, and none is remembered. */
void priot_run_clear(priot_run *run);

/* Starts a run of the loaded model; refused, nothing changes. */
priot_status priot_run_start(struct priot_device *device, uint32_t epochs, uint32_t tag, uint32_t *value);

/* Writes the payload of PROGRESS and returns its length. */
size_t priot_run_report(const priot_run *run, uint8_t *response);

/* Whether a command may come while a run is at work. */
int priot_run_allows(uint32_t command);

#endif
