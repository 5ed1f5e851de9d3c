/* The device as a process: frames on standard input and output, until the input ends. `priot-host [FLASH]`: a file that
 * stands for the flash in which a transfer set may lie; what the host writes into it, the device sees. Where the device
 * may write it too, it does so by NOR's rules: erased bytes are 0xff, and writing only clears bits. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "priot_build_id.h"
#include "priot_device.h"
#include "priot_link.h"
#include "priot_protocol.h"

enum {
    ARENA_BYTES = 16 << 20
};

static alignas(8) uint8_t arena[ARENA_BYTES];
static const uint8_t build_id[PRIOT_BUILD_ID_BYTES] = PRIOT_HOST_BUILD_ID;
static const uint8_t unique_id[8];
static priot_device device;
static priot_line line;
static bool restart;
static uint8_t *flash; /* NULL: none that may be written */

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

static void erase(uint32_t offset, uint32_t bytes) {
    memset(flash + offset, 0xff, bytes);
}

static void store(uint32_t offset, const uint8_t *bytes, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) {
        flash[offset + i] &= bytes[i];
    }
}

static const uint8_t *map_flash(const char *path, uint32_t *bytes) {
    const int writable = open(path, O_RDWR), file = writable < 0 ? open(path, O_RDONLY) : writable;
    const int access = writable < 0 ? PROT_READ : PROT_READ | PROT_WRITE;
    const off_t size = file < 0 ? -1 : lseek(file, 0, SEEK_END);
    void *mapped = size <= 0 ? MAP_FAILED : mmap(NULL, (size_t)size, access, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED) {
        fprintf(stderr, "error: cannot map the flash file %s: %s\n", path, size == 0 ? "it is empty" : strerror(errno));
        return NULL;
    }
    *bytes = (uint32_t)size;
    flash = writable < 0 ? NULL : mapped;
    return mapped;
}

/* Bytes of the input, or 0 at its end; until some come, a detached run goes on. */
static ssize_t receive(uint8_t *bytes, size_t room) {
    struct pollfd input = {STDIN_FILENO, POLLIN, 0};
    while (priot_device_work(&device) && poll(&input, 1, 0) == 0) {
    }
    return read(STDIN_FILENO, bytes, room);
}

int main(int argc, char **argv) {
    uint8_t bytes[4096];
    uint32_t dataset_bytes = 0;
    ssize_t count;

    if (argc > 2) {
        fprintf(stderr, "usage: priot-host [FLASH]\n");
        return 2;
    }
    const uint8_t *dataset = argc == 2 ? map_flash(argv[1], &dataset_bytes) : NULL;
    if (argc == 2 && dataset == NULL) {
        return 2;
    }
    priot_board board = {
        .name = "host",
        .build_id = build_id,
        .unique_id = unique_id,
        .capabilities = PRIOT_CAPABILITY_RESET | PRIOT_CAPABILITY_RUN |
                        (dataset != NULL ? PRIOT_CAPABILITY_DATASET : 0) | (flash != NULL ? PRIOT_CAPABILITY_STORE : 0),
        .reset_cause = PRIOT_RESET_POWER_ON,
        .dataset = dataset,
        .dataset_bytes = dataset_bytes,
        .reset = reset,
        .erase = flash != NULL ? erase : NULL,
        .store = flash != NULL ? store : NULL,
    };
    priot_device_init(&device, &board, arena, sizeof arena);
    priot_line_init(&line, send);
    while ((count = receive(bytes, sizeof bytes)) != 0) {
        if (count < 0 && errno != EINTR) {
            return 1;
        }
        for (ssize_t i = 0; i < count; ++i) {
            priot_link_receive(&device, &line, bytes[i]);
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
