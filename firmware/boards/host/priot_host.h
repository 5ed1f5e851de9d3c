/* The device as a shared library: commands are called directly, without frames. */
#ifndef PRIOT_HOST_H
#define PRIOT_HOST_H

#include <stddef.h>
#include <stdint.h>

#define PRIOT_HOST_EXPORT __attribute__((visibility("default")))

/* Bytes that a device takes, without its arena. */
PRIOT_HOST_EXPORT size_t priot_host_bytes(void);

/* Makes a device in `memory` (priot_host_bytes() bytes, aligned to 8). Memory and `arena` (aligned to 8) belong to the
 * caller, who keeps them in place as long as the device is used. Nothing has to be destroyed. */
PRIOT_HOST_EXPORT void priot_host_create(void *memory, uint8_t *arena, size_t arena_bytes);

/* Gives the device a transfer set (or NULL and 0), which the caller keeps in place as well. */
PRIOT_HOST_EXPORT void priot_host_set_dataset(void *memory, const uint8_t *dataset, uint32_t dataset_bytes);

/* Runs one command. `response` holds at least the protocol's longest payload; `*response_bytes` is set to what was
 * written. Returns a priot_status. */
PRIOT_HOST_EXPORT int priot_host_command(void *memory, uint8_t command, const uint8_t *request, size_t request_bytes,
                                         uint8_t *response, size_t *response_bytes);

#endif
