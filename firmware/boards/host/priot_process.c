/* The device as a process: frames on standard input and output, until the input ends. `priot-host [DATASET]` */
#include <errno.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "priot_build_id.h"
#include "priot_device.h"
#include "priot_link.h"
#include "priot_protocol.h"

enum {
    ARENA_BYTES = 16 << 20,
    DATASET_BYTES = 0x1a0000
}; /* the dataset's room is that of a Pico */

static alignas(8) uint8_t arena[ARENA_BYTES];
static uint8_t dataset[DATASET_BYTES];
static const uint8_t build_id[PRIOT_BUILD_ID_BYTES] = PRIOT_HOST_BUILD_ID;
static const uint8_t unique_id[8];
static priot_device device;
static bool restart;

/* A host that has gone away takes its process along. */
static void send(const uint8_t *bytes, size_t count) {
    while (count > 0) {
        ssize_t written = write(STDOUT_FILENO, bytes, count);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            _exit(1);
        }
        bytes += written;
        count -= (size_t)written;
    }
}

static void reset(void) {
    restart = true;
}

static bool load_dataset(const char *path, uint32_t *bytes) {
    FILE *file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "error: cannot read the dataset %s: %s\n", path, strerror(errno));
        return false;
    }
    *bytes = (uint32_t)fread(dataset, 1, sizeof dataset, file);
    bool whole = !ferror(file) && fgetc(file) == EOF;
    fclose(file);
    if (!whole) {
        fprintf(stderr, "error: the dataset %s does not fit in %d bytes\n", path, DATASET_BYTES);
    }
    return whole;
}

int main(int argc, char **argv) {
    uint8_t bytes[4096];
    uint32_t dataset_bytes = 0;
    ssize_t count;

    if (argc > 2) {
        fprintf(stderr, "usage: priot-host [DATASET]\n");
        return 2;
    }
    if (argc == 2 && !load_dataset(argv[1], &dataset_bytes)) {
        return 2;
    }
    priot_board board = {
        .name = "host",
        .build_id = build_id,
        .unique_id = unique_id,
        .capabilities = PRIOT_CAPABILITY_RESET | (argc == 2 ? PRIOT_CAPABILITY_DATASET : 0),
        .reset_cause = PRIOT_RESET_POWER_ON,
        .dataset = argc == 2 ? dataset : NULL,
        .dataset_bytes = dataset_bytes,
        .send = send,
        .reset = reset,
    };
    priot_device_init(&device, &board, arena, sizeof arena);
    while ((count = read(STDIN_FILENO, bytes, sizeof bytes)) != 0) {
        if (count < 0 && errno != EINTR) {
            return 1;
        }
        for (ssize_t i = 0; i < count; ++i) {
            priot_link_receive(&device, bytes[i]);
            if (restart) {
                restart = false;
                board.reset_cause = PRIOT_RESET_REQUESTED;
                priot_device_init(&device, &board, arena, sizeof arena);
                break; /* what stood behind the request was sent to the device before its reset */
            }
        }
    }
    return 0;
}
