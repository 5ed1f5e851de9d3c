#include "witness.h"

#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "priot_device.h"
#include "priot_guard.h"

enum {
    ARENA_BYTES = 16 << 10,
    FLASH_BYTES = 2 * PRIOT_SECTOR_BYTES, /* at first */
    FLASH_LIMIT = 1 << 16,
    STEPS_BETWEEN = 3, /* of a detached run between two pieces */
    TENSORS = 16 * PRIOT_MAX_STAGES,
    ANSWER_BYTES = 2 * PRIOT_FRAME_ENCODED_LIMIT
};

#define REQUIRE(condition, what)                                                                                       \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "witness: %s (%s, line %d)\n", what, #condition, __LINE__);                                \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

typedef struct {
    uint8_t *data;
    size_t bytes;
} tensor;

/* The tensors that the last plan laid out. */
typedef struct {
    tensor at[TENSORS];
    size_t count;
} tensors;

/* Whole frames that came back, or a request, in both its forms. */
typedef struct {
    uint8_t bytes[ANSWER_BYTES];
    size_t count;
} stream;

/* All that a refused request must leave as it was. */
typedef struct {
    uint8_t is_loaded, is_started;
    uint32_t rng;
    priot_model model;
    priot_trace trace[PRIOT_MAX_STAGES];
    priot_dataset dataset;
    priot_run run;
    uint32_t session, previous_session;
    uint8_t arena[ARENA_BYTES], flash[FLASH_LIMIT];
} snapshot;

static priot_board board;
static priot_device *device;
static priot_line *lines[WITNESS_LINES];
static uint8_t *arena, *flash;
static tensors laid_out, planned;
static snapshot before;
static stream answers[WITNESS_LINES], kept; /* kept: the answer to the last request that was run */
static int has_reset;

/* What the device must believe. */
static uint32_t session, previous_session;
static uint16_t last_sequence;

static const uint8_t build_id[PRIOT_BUILD_ID_BYTES] = {1};
static const uint8_t unique_id[8] = {2};
static const priot_fault fault = {PRIOT_FAULT_VALID, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10};

/* Called by the engine's layout in this build. */
void priot_guard_tensor(void *data, size_t bytes) {
    REQUIRE(planned.count < TENSORS, "more tensors than a model can have");
    planned.at[planned.count++] = (tensor){data, bytes};
}

static void keep_answer(unsigned line, const uint8_t *bytes, size_t count) {
    stream *answer = &answers[line];
    REQUIRE(count <= sizeof answer->bytes - answer->count, "an answer is longer than the protocol allows");
    memcpy(answer->bytes + answer->count, bytes, count);
    answer->count += count;
}

static void send_on_first(const uint8_t *bytes, size_t count) {
    keep_answer(0, bytes, count);
}

static void send_on_second(const uint8_t *bytes, size_t count) {
    keep_answer(1, bytes, count);
}

static void reset(void) {
    has_reset = 1;
}

/* NOR flash: writing only clears bits. */
static void erase(uint32_t offset, uint32_t bytes) {
    memset(flash + offset, 0xff, bytes);
}

static void store(uint32_t offset, const uint8_t *bytes, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) {
        flash[offset + i] &= bytes[i];
    }
}

static uint64_t count_cycles(void) {
    static uint64_t cycles;
    return cycles += 1000;
}

/* Nothing but the tensors of the loaded model may be touched. */
static void guard(void) {
    ASAN_POISON_MEMORY_REGION(arena, ARENA_BYTES);
    for (size_t i = 0; i < laid_out.count; ++i) {
        ASAN_UNPOISON_MEMORY_REGION(laid_out.at[i].data, laid_out.at[i].bytes);
    }
}

static void start_device(void) {
    laid_out.count = planned.count = 0;
    session = previous_session = 0;
    last_sequence = 0;
    kept.count = 0;
    priot_device_init(device, &board, arena, ARENA_BYTES);
    guard();
}

void witness_begin(unsigned differences) {
    board = (priot_board){
        .name = "fuzz",
        .build_id = build_id,
        .unique_id = unique_id,
        .capabilities = PRIOT_CAPABILITY_DATASET | PRIOT_CAPABILITY_STORE | PRIOT_CAPABILITY_RUN,
        .fault = differences & WITNESS_FAULTED ? &fault : NULL,
        .cycles = differences & WITNESS_CYCLES ? count_cycles : NULL,
        .reset = differences & WITNESS_NO_RESET ? NULL : reset,
        .reset_to_loader = differences & WITNESS_NO_LOADER ? NULL : reset,
        .erase = erase,
        .store = store,
    };
    device = malloc(sizeof *device);
    arena = malloc(ARENA_BYTES);
    flash = malloc(FLASH_BYTES);
    memset(flash, 0xff, FLASH_BYTES);
    board.dataset = flash;
    board.dataset_bytes = FLASH_BYTES;
    has_reset = 0;
    static void (*const send[WITNESS_LINES])(const uint8_t *, size_t) = {send_on_first, send_on_second};
    for (unsigned i = 0; i < WITNESS_LINES; ++i) {
        lines[i] = malloc(sizeof *lines[i]);
        priot_line_init(lines[i], send[i]);
    }
    start_device();
}

void witness_end(void) {
    ASAN_UNPOISON_MEMORY_REGION(arena, ARENA_BYTES);
    for (unsigned i = 0; i < WITNESS_LINES; ++i) {
        free(lines[i]);
    }
    free(flash);
    free(arena);
    free(device);
}

void witness_flash(const uint8_t *bytes, size_t count) {
    if (device->run.is_active || count > FLASH_LIMIT) {
        return; /* nobody takes the flash from a board that works on it */
    }
    /* A board's flash stays in place; here it moves, so a set that was found before must not be used again. */
    device->dataset = PRIOT_NO_DATASET;
    free(flash);
    flash = malloc(count + (count == 0));
    memcpy(flash, bytes, count);
    board.dataset = flash;
    board.dataset_bytes = (uint32_t)count;
}

uint32_t witness_session(void) {
    return session;
}

uint16_t witness_next_sequence(void) {
    return (uint16_t)(last_sequence + 1);
}

static void take_snapshot(snapshot *to) {
    const priot_engine *engine = &device->engine;
    memset(to, 0, offsetof(snapshot, arena));
    to->is_loaded = engine->is_loaded;
    to->is_started = engine->is_started;
    memcpy(&to->rng, &engine->rng, sizeof to->rng);
    memcpy(&to->model, &engine->model, sizeof to->model);
    memcpy(to->trace, engine->trace, sizeof to->trace);
    memcpy(&to->dataset, &device->dataset, sizeof to->dataset);
    memcpy(&to->run, &device->run, sizeof to->run);
    memcpy(to->flash, flash, board.dataset_bytes);
    to->session = device->session;
    to->previous_session = device->previous_session;
    for (size_t i = 0; i < laid_out.count; ++i) {
        memcpy(to->arena + (laid_out.at[i].data - arena), laid_out.at[i].data, laid_out.at[i].bytes);
    }
}

static void require_nothing_changed(void) {
    static snapshot after;
    take_snapshot(&after);
    if (after.dataset.images == NULL) {
        /* A transfer set that is checked and found wanting is forgotten: it would not be what it was. */
        memset(&before.dataset, 0, sizeof before.dataset);
        memset(&after.dataset, 0, sizeof after.dataset);
    }
    REQUIRE(memcmp(&before, &after, offsetof(snapshot, arena)) == 0, "a request that was not run changed the model");
    for (size_t i = 0; i < laid_out.count; ++i) {
        const size_t offset = (size_t)(laid_out.at[i].data - arena);
        REQUIRE(memcmp(before.arena + offset, after.arena + offset, laid_out.at[i].bytes) == 0,
                "a request that was not run changed a tensor");
    }
}

static void require_flash_unchanged(void) {
    REQUIRE(memcmp(before.flash, flash, board.dataset_bytes) == 0, "a request that was not run changed the flash");
}

/* Whether a command may change what is learned. */
static int may_learn(uint8_t command) {
    switch (command) {
    case PRIOT_COMMAND_HELLO:
    case PRIOT_COMMAND_READ:
    case PRIOT_COMMAND_PREDICT:
    case PRIOT_COMMAND_STATE:
    case PRIOT_COMMAND_DATASET:
    case PRIOT_COMMAND_EVALUATE:
    case PRIOT_COMMAND_ERASE:
    case PRIOT_COMMAND_STORE:
    case PRIOT_COMMAND_RUN: /* it starts later */
    case PRIOT_COMMAND_PROGRESS:
    case PRIOT_COMMAND_STOP:
        return 0;
    default:
        return 1;
    }
}

static uint32_t learned(void) {
    return device->engine.is_started ? priot_engine_state_crc(&device->engine) : 0;
}

/* Checks the answer's form, and returns its status. `request` is NULL where none could be read. */
static priot_status check_answer(unsigned line, const uint8_t *request) {
    static uint8_t frame[CODEC_FRAME_BYTES];
    static const uint8_t nobody[PRIOT_FRAME_BYTES];
    const stream *answer = &answers[line];
    const uint8_t *whose = request != NULL ? request : nobody;
    const uint8_t *end = answer->count > 2 ? memchr(answer->bytes + 1, 0, answer->count - 1) : NULL;
    REQUIRE(answer->count > 2 && answer->bytes[0] == 0 && end == answer->bytes + answer->count - 1,
            "an answer is not one piece between two zero bytes");
    const long payload = codec_decode(answer->bytes + 1, answer->count - 2, frame);
    REQUIRE(payload >= 0, "an answer is no frame");
    REQUIRE(frame[PRIOT_FRAME_KIND] == PRIOT_KIND_RESPONSE, "an answer is no response");
    REQUIRE(frame[PRIOT_FRAME_COMMAND] == whose[PRIOT_FRAME_COMMAND] &&
                memcmp(frame + PRIOT_FRAME_SEQUENCE, whose + PRIOT_FRAME_SEQUENCE, 2) == 0 &&
                memcmp(frame + PRIOT_FRAME_SESSION, whose + PRIOT_FRAME_SESSION, 4) == 0,
            "an answer does not say whose it is");
    const priot_status status = frame[PRIOT_FRAME_STATUS];
    REQUIRE(status == PRIOT_STATUS_OK || payload == 0 || payload == 8, "a refusal is not layer and value");
    return status;
}

/* The next request of the session: the one kind that is run. */
static void check_run(unsigned line, const uint8_t *request, uint32_t learned_before) {
    const uint8_t command = request[PRIOT_FRAME_COMMAND];
    const priot_status status = check_answer(line, request);
    REQUIRE(status != PRIOT_STATUS_BAD_FRAME && status != PRIOT_STATUS_STALE_SESSION &&
                status != PRIOT_STATUS_OUT_OF_SEQUENCE,
            "the next request of the session was not run");
    kept = answers[line];
    last_sequence = (uint16_t)priot_get_u16(request + PRIOT_FRAME_SEQUENCE);
    if (status != PRIOT_STATUS_OK) {
        if (command != PRIOT_COMMAND_BATCH) { /* whose first parts may have been run */
            require_nothing_changed();
        }
        if (status != PRIOT_STATUS_BAD_FLASH) { /* which says that it was written, and not as asked */
            require_flash_unchanged();
        }
    } else if (!may_learn(command)) {
        REQUIRE(learned() == learned_before, "a command that only looks changed what is learned");
    }
}

/* Any other whole frame: nothing is run. */
static void check_aside(unsigned line, const uint8_t *request, size_t payload, int is_current) {
    const uint8_t command = request[PRIOT_FRAME_COMMAND];
    const uint32_t named = priot_get_u32(request + PRIOT_FRAME_SESSION);
    const priot_status status = check_answer(line, request);
    if (command != PRIOT_COMMAND_HELLO) {
        REQUIRE(status == (is_current ? PRIOT_STATUS_OUT_OF_SEQUENCE : PRIOT_STATUS_STALE_SESSION),
                "a request of no place in the session was not refused as such");
    } else {
        REQUIRE(status == (payload == 0 ? PRIOT_STATUS_OK : PRIOT_STATUS_BAD_LENGTH), "a hello was not answered");
        if (payload == 0 && named != 0 && named != session && named != previous_session) {
            previous_session = session;
            session = named;
            last_sequence = (uint16_t)priot_get_u16(request + PRIOT_FRAME_SEQUENCE);
            kept.count = 0;
            before.previous_session = before.session;
            before.session = session;
        }
    }
    require_nothing_changed();
    require_flash_unchanged();
}

/* The device has a piece in full and has answered it. */
static void check_piece(unsigned line, const uint8_t *request, long payload, uint32_t learned_before) {
    const uint32_t named = priot_get_u32(request + PRIOT_FRAME_SESSION);
    const uint16_t sequence = (uint16_t)priot_get_u16(request + PRIOT_FRAME_SEQUENCE);
    const int is_current = session != 0 && named == session;
    if (payload < 0 || request[PRIOT_FRAME_KIND] != PRIOT_KIND_REQUEST) {
        REQUIRE(check_answer(line, NULL) == PRIOT_STATUS_BAD_FRAME, "what is no request was taken for one");
        require_nothing_changed();
    } else if (is_current && sequence == (uint16_t)(last_sequence + 1)) {
        check_run(line, request, learned_before);
    } else if (is_current && sequence == last_sequence && kept.count != 0) {
        REQUIRE(answers[line].count == kept.count && memcmp(answers[line].bytes, kept.bytes, kept.count) == 0,
                "the last request again did not have the last answer again");
        require_nothing_changed();
    } else {
        check_aside(line, request, (size_t)payload, is_current);
    }
}

void witness_send(unsigned line, const uint8_t *piece, size_t count, int ends) {
    static uint8_t request[CODEC_FRAME_BYTES];
    for (unsigned i = 0; i < WITNESS_LINES; ++i) {
        answers[i].count = 0;
    }
    for (size_t i = 0; i < count; ++i) {
        priot_link_receive(device, lines[line], piece[i]);
    }
    REQUIRE(answers[line].count == 0, "something was answered before it ended");
    if (!ends) {
        return;
    }
    const long payload = codec_decode(piece, count, request);
    const uint32_t learned_before = learned();
    take_snapshot(&before);
    planned.count = 0;
    if (payload >= 0 && request[PRIOT_FRAME_COMMAND] == PRIOT_COMMAND_LOAD) {
        ASAN_UNPOISON_MEMORY_REGION(arena, ARENA_BYTES); /* loading clears the gaps as well */
    }
    priot_receiver *receiver =
        &lines[line]->receiver; /* what an earlier frame left behind this one is not its payload */
    uint8_t *rest = receiver->decoded + receiver->count;
    const size_t rest_bytes = sizeof receiver->decoded - receiver->count;
    ASAN_POISON_MEMORY_REGION(rest, rest_bytes);
    priot_link_receive(device, lines[line], 0);
    ASAN_UNPOISON_MEMORY_REGION(rest, rest_bytes);
    if (planned.count != 0) {
        laid_out = planned;
    }
    guard();
    for (unsigned i = 0; i < WITNESS_LINES; ++i) {
        REQUIRE(i == line || answers[i].count == 0, "an answer went to another line");
    }
    if (count == 0) {
        REQUIRE(answers[line].count == 0, "an empty piece was answered");
        require_nothing_changed();
        return;
    }
    check_piece(line, request, payload, learned_before);
    if (has_reset) {
        has_reset = 0;
        board.reset_cause = PRIOT_RESET_REQUESTED;
        start_device();
    }
    for (int i = 0; i < STEPS_BETWEEN && priot_device_work(device); ++i) {
    }
}
