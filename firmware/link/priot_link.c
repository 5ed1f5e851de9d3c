#include "priot_device.h"

#define NO_SEQUENCE 0x10000u

void priot_device_init(priot_device *device, const priot_board *board, uint8_t *arena, size_t arena_bytes) {
    device->board = board;
    device->dataset = (priot_dataset){NULL, NULL, 0, 0, 0};
    device->receiver.count = 0;
    device->receiver.run = 0;
    device->receiver.has_zero = 0;
    device->receiver.is_broken = 0;
    device->encoded_bytes = 0;
    device->last_sequence = NO_SEQUENCE;
    priot_engine_init(&device->engine, arena, arena_bytes);
}

/* Completes the frame whose payload already lies in `frame`, and sends it from `encoded`; returns its encoded length.
 */
static size_t respond(const priot_device *device, uint8_t *frame, size_t payload, uint32_t sequence, uint8_t command,
                      priot_status status, uint8_t *encoded) {
    frame[PRIOT_FRAME_VERSION] = PRIOT_VERSION;
    frame[PRIOT_FRAME_KIND] = PRIOT_KIND_RESPONSE;
    priot_put_u16(frame + PRIOT_FRAME_SEQUENCE, sequence);
    frame[PRIOT_FRAME_COMMAND] = command;
    frame[PRIOT_FRAME_STATUS] = (uint8_t)status;
    priot_put_u16(frame + PRIOT_FRAME_LENGTH, (uint32_t)payload);
    const size_t count = priot_frame_encode(frame, PRIOT_FRAME_BYTES + payload, encoded);
    device->board->send(encoded, count);
    return count;
}

/* Something arrived that is no frame. The kept response must survive, so this one is built on the stack: sequence and
 * command 0. */
static void refuse_garbage(const priot_device *device) {
    uint8_t frame[PRIOT_FRAME_BYTES + PRIOT_FRAME_CRC_BYTES], encoded[sizeof frame + 4];
    (void)respond(device, frame, 0, 0, 0, PRIOT_STATUS_BAD_FRAME, encoded);
}

static void run(priot_device *device) {
    const uint8_t *header = device->receiver.decoded;
    const uint32_t sequence = priot_get_u16(header + PRIOT_FRAME_SEQUENCE);
    const uint8_t command = header[PRIOT_FRAME_COMMAND];
    if (sequence == device->last_sequence && command != PRIOT_COMMAND_HELLO) {
        device->board->send(device->encoded, device->encoded_bytes);
        return;
    }
    size_t payload = 0;
    const priot_status status =
        priot_device_command(device, command, header + PRIOT_FRAME_BYTES, priot_get_u16(header + PRIOT_FRAME_LENGTH),
                             device->response + PRIOT_FRAME_BYTES, &payload);
    device->last_sequence = sequence;
    device->encoded_bytes = respond(device, device->response, payload, sequence, command, status, device->encoded);
    if (command == PRIOT_COMMAND_RESET && status == PRIOT_STATUS_OK) {
        device->board->reset();
    }
}

void priot_link_receive(priot_device *device, uint8_t byte) {
    switch (priot_frame_receive(&device->receiver, byte)) {
    case PRIOT_RECEIVED_FRAME:
        run(device);
        break;
    case PRIOT_RECEIVED_GARBAGE:
        refuse_garbage(device);
        break;
    case PRIOT_RECEIVED_NOTHING:
        break;
    }
}
