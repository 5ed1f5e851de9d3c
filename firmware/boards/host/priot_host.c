#include "priot_host.h"

#include "priot_build_id.h"
#include "priot_device.h"
#include "priot_link.h"
#include "priot_protocol.h"

typedef struct {
    priot_board board;
    priot_device device;
} host;

static const uint8_t build_id[PRIOT_BUILD_ID_BYTES] = PRIOT_HOST_BUILD_ID;
static const uint8_t unique_id[8];

size_t priot_host_bytes(void) {
    return sizeof(host);
}

void priot_host_create(void *memory, uint8_t *arena, size_t arena_bytes) {
    host *self = memory;

    self->board = (priot_board){
        .name = "host",
        .build_id = build_id,
        .unique_id = unique_id,
        .capabilities = PRIOT_CAPABILITY_DATASET,
    };
    priot_device_init(&self->device, &self->board, arena, arena_bytes);
}

void priot_host_set_dataset(void *memory, const uint8_t *dataset, uint32_t dataset_bytes) {
    host *self = memory;

    self->board.dataset = dataset;
    self->board.dataset_bytes = dataset_bytes;
}

int priot_host_command(void *memory, uint8_t command, const uint8_t *request, size_t request_bytes, uint8_t *response,
                       size_t *response_bytes) {
    host *self = memory;

    return (int)priot_device_command(&self->device, command, request, request_bytes, response, response_bytes);
}
