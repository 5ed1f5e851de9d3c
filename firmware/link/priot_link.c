#include "priot_device.h"

/* What is answered without touching the kept response: a refusal (layer and value, or nothing) or a HELLO. */
#define ASIDE_PAYLOAD_BYTES (PRIOT_HELLO_RESPONSE_BYTES + PRIOT_FAULT_RECORD_BYTES)

void priot_line_init(priot_line *line, void (*send)(const uint8_t *bytes, size_t count)) {
    priot_receiver_init(&line->receiver);
    line->send = send;
}

void priot_device_init(priot_device *device, const priot_board *board, uint8_t *arena, size_t arena_bytes) {
    device->board = board;
    device->dataset = PRIOT_NO_DATASET;
    priot_run_clear(&device->run);
    device->encoded_bytes = 0;
    device->session = device->previous_session = 0;
    device->last_sequence = 0;
    priot_engine_init(&device->engine, arena, arena_bytes);
}

/* Completes the response to `request` whose payload already lies in `frame`, encodes it and returns its length. */
static size_t finish(const uint8_t *request, uint8_t *frame, size_t payload, priot_status status, uint8_t *encoded) {
    frame[PRIOT_FRAME_VERSION] = PRIOT_VERSION;
    frame[PRIOT_FRAME_KIND] = PRIOT_KIND_RESPONSE;
    priot_put_u16(frame + PRIOT_FRAME_SEQUENCE, priot_get_u16(request + PRIOT_FRAME_SEQUENCE));
    frame[PRIOT_FRAME_COMMAND] = request[PRIOT_FRAME_COMMAND];
    frame[PRIOT_FRAME_STATUS] = (uint8_t)status;
    priot_put_u16(frame + PRIOT_FRAME_LENGTH, (uint32_t)payload);
    priot_put_u32(frame + PRIOT_FRAME_SESSION, priot_get_u32(request + PRIOT_FRAME_SESSION));
    return priot_frame_encode(frame, PRIOT_FRAME_BYTES + payload, encoded);
}

/* Answers a request without touching the kept response. */
static void answer_aside(priot_device *device, const priot_line *line, const uint8_t *request, priot_status refusal) {
    uint8_t frame[PRIOT_FRAME_BYTES + ASIDE_PAYLOAD_BYTES + PRIOT_FRAME_CRC_BYTES], encoded[sizeof frame + 4];
    size_t payload = 0;
    if (refusal == PRIOT_STATUS_OK) {
        refusal =
            priot_device_command(device, PRIOT_COMMAND_HELLO, request + PRIOT_FRAME_BYTES,
                                 priot_get_u16(request + PRIOT_FRAME_LENGTH), frame + PRIOT_FRAME_BYTES, &payload);
    }
    line->send(encoded, finish(request, frame, payload, refusal, encoded));
}

/* Something arrived that is no frame: whose it was is not known. */
static void refuse_garbage(priot_device *device, const priot_line *line) {
    static const uint8_t nobody[PRIOT_FRAME_BYTES];
    answer_aside(device, line, nobody, PRIOT_STATUS_BAD_FRAME);
}

/* A HELLO that came late or twice must not start its session anew: a request of that session may have run since. Nor
 * may it bring back the session before, of which further late requests may follow it. */
static void hello(priot_device *device, const priot_line *line, const uint8_t *request) {
    const uint32_t session = priot_get_u32(request + PRIOT_FRAME_SESSION);
    const int is_new = session != 0 && session != device->session && session != device->previous_session;
    if (is_new && priot_get_u16(request + PRIOT_FRAME_LENGTH) == 0) {
        device->previous_session = device->session;
        device->session = session;
        device->last_sequence = (uint16_t)priot_get_u16(request + PRIOT_FRAME_SEQUENCE);
        device->encoded_bytes = 0;
    }
    answer_aside(device, line, request, PRIOT_STATUS_OK);
}

/* Only the next request of the session is run, and the last one is answered again: so a request that was doubled or
 * delayed on its way has no effect, however late it comes. */
static void run(priot_device *device, const priot_line *line) {
    const uint8_t *request = line->receiver.decoded;
    const uint16_t sequence = (uint16_t)priot_get_u16(request + PRIOT_FRAME_SEQUENCE);
    const uint8_t command = request[PRIOT_FRAME_COMMAND];
    const int is_current = device->session != 0 && priot_get_u32(request + PRIOT_FRAME_SESSION) == device->session;
    if (is_current && sequence == (uint16_t)(device->last_sequence + 1)) {
        size_t payload = 0;
        const priot_status status = priot_device_command(device, command, request + PRIOT_FRAME_BYTES,
                                                         priot_get_u16(request + PRIOT_FRAME_LENGTH),
                                                         device->response + PRIOT_FRAME_BYTES, &payload);
        device->last_sequence = sequence;
        device->encoded_bytes = finish(request, device->response, payload, status, device->encoded);
        line->send(device->encoded, device->encoded_bytes);
        if (command == PRIOT_COMMAND_RESET && status == PRIOT_STATUS_OK) {
            const uint8_t restart = request[PRIOT_FRAME_BYTES + PRIOT_RESET_REQUEST_RESTART];
            (restart == PRIOT_RESTART_LOADER ? device->board->reset_to_loader : device->board->reset)();
        }
    } else if (is_current && sequence == device->last_sequence && device->encoded_bytes != 0) {
        line->send(device->encoded, device->encoded_bytes);
    } else if (command == PRIOT_COMMAND_HELLO) {
        hello(device, line, request);
    } else {
        answer_aside(device, line, request, is_current ? PRIOT_STATUS_OUT_OF_SEQUENCE : PRIOT_STATUS_STALE_SESSION);
    }
}

void priot_link_receive(priot_device *device, priot_line *line, uint8_t byte) {
    switch (priot_frame_receive(&line->receiver, byte)) {
    case PRIOT_RECEIVED_FRAME:
        run(device, line);
        break;
    case PRIOT_RECEIVED_GARBAGE:
        refuse_garbage(device, line);
        break;
    case PRIOT_RECEIVED_NOTHING:
        break;
    }
}
