/* A device: an engine behind a link. */
#ifndef PRIOT_DEVICE_H
#define PRIOT_DEVICE_H

#include "priot_dataset.h"
#include "priot_engine.h"
#include "priot_link.h"
#include "priot_run.h"

struct priot_device {
    const priot_board *board;
    priot_engine engine;
    priot_dataset dataset;
    priot_run run;
    uint8_t response[PRIOT_FRAME_DECODED_LIMIT];
    uint8_t
        encoded[PRIOT_FRAME_ENCODED_LIMIT]; /* the last response, kept so that a repeated request is not run again */
    size_t encoded_bytes;
    uint32_t session, previous_session; /* 0: none */
    uint16_t last_sequence;             /* of the last request that was run, or of the HELLO before any */
};

/* Runs one command without a frame around it. request_bytes is at most PRIOT_PAYLOAD_LIMIT; response holds as many and
 * *response_bytes says how many were written; on any status but ok that is a detail: layer, value. */
priot_status priot_device_command(priot_device *device, uint8_t command, const uint8_t *request, size_t request_bytes,
                                  uint8_t *response, size_t *response_bytes);

/* Core cycles until now; 0 where the board does not count them. */
static inline uint64_t priot_cycles(const priot_device *device) {
    return device->board->cycles != NULL ? device->board->cycles() : 0;
}

#endif
