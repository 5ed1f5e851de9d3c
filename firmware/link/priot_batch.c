#include "priot_batch.h"

/* Bytes of the answer to a request in a batch, whose length is right. */
static size_t answer_bytes(uint8_t command, const uint8_t *request) {
    return command == PRIOT_COMMAND_READ     ? priot_get_u16(request + PRIOT_READ_REQUEST_LENGTH)
           : command == PRIOT_COMMAND_KERNEL ? PRIOT_KERNEL_RESPONSE_BYTES
                                             : 0;
}

priot_status priot_batch_run(priot_call *at) {
    const uint8_t *next = at->request, *end = next + at->request_bytes;
    while (next != end) {
        if ((size_t)(end - next) < PRIOT_PART_RECORD_BYTES) {
            return PRIOT_STATUS_BAD_LENGTH;
        }
        const uint8_t command = next[PRIOT_PART_RECORD_COMMAND];
        if (command != PRIOT_COMMAND_START && command != PRIOT_COMMAND_WRITE && command != PRIOT_COMMAND_READ &&
            command != PRIOT_COMMAND_KERNEL) {
            return priot_bad_value(at, command);
        }
        const size_t bytes = priot_get_u16(next + PRIOT_PART_RECORD_LENGTH);
        next += PRIOT_PART_RECORD_BYTES;
        if (bytes > (size_t)(end - next) || !priot_command_has_length(command, bytes)) {
            return PRIOT_STATUS_BAD_LENGTH;
        }
        if (answer_bytes(command, next) > PRIOT_PAYLOAD_LIMIT - at->response_bytes) {
            return PRIOT_STATUS_BAD_RANGE;
        }
        priot_call part = {
            at->device, next, bytes, at->response + at->response_bytes, 0, {PRIOT_NO_DETAIL, PRIOT_NO_DETAIL}};
        const priot_status status = priot_command_run(command, &part);
        if (status != PRIOT_STATUS_OK) {
            at->detail = part.detail;
            return status;
        }
        at->response_bytes += part.response_bytes;
        next += bytes;
    }
    return PRIOT_STATUS_OK;
}
