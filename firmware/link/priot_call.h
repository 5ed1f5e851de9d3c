/* A command at work, and what one command needs of the table of all. */
#ifndef PRIOT_CALL_H
#define PRIOT_CALL_H

#include "priot_device.h"

/* A request, and the response that is filled for it. */
typedef struct {
    priot_device *device;
    const uint8_t *request;
    size_t request_bytes;
    uint8_t *response;
    size_t response_bytes;
    priot_detail detail;
} priot_call;

static inline priot_status priot_bad_value(priot_call *at, uint32_t value) {
    at->detail.value = value;
    return PRIOT_STATUS_BAD_VALUE;
}

/* Whether a request of a command that there is has a length that it may have. */
int priot_command_has_length(uint8_t command, size_t bytes);

/* Runs a command that there is, on a request whose length is right. */
priot_status priot_command_run(uint8_t command, priot_call *at);

#endif
