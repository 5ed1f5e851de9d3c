#include "priot_frame.h"

#include "priot_crc32.h"

void priot_receiver_init(priot_receiver *receiver) {
    receiver->count = 0;
    receiver->run = 0;
    receiver->has_zero = 0;
    receiver->is_broken = 0;
}

static void append(priot_receiver *receiver, uint8_t byte) {
    if (receiver->count == sizeof receiver->decoded) {
        receiver->is_broken = 1;
    } else {
        receiver->decoded[receiver->count++] = byte;
    }
}

/* Whether the decoded bytes are a request of this protocol, whole and undamaged. */
static int is_frame(const priot_receiver *receiver) {
    const uint8_t *header = receiver->decoded;
    if (receiver->is_broken || receiver->run != 0 || receiver->count < PRIOT_FRAME_BYTES + PRIOT_FRAME_CRC_BYTES) {
        return 0;
    }
    const size_t body = receiver->count - PRIOT_FRAME_CRC_BYTES;
    return header[PRIOT_FRAME_VERSION] == PRIOT_VERSION && header[PRIOT_FRAME_KIND] == PRIOT_KIND_REQUEST &&
           priot_get_u16(header + PRIOT_FRAME_LENGTH) == body - PRIOT_FRAME_BYTES &&
           priot_get_u32(header + body) == priot_crc32(0, header, body);
}

priot_received priot_frame_receive(priot_receiver *receiver, uint8_t byte) {
    if (byte == 0) {
        const int is_empty = receiver->count == 0 && receiver->run == 0 && !receiver->has_zero && !receiver->is_broken;
        const int is_good = !is_empty && is_frame(receiver);
        priot_receiver_init(receiver);
        return is_empty ? PRIOT_RECEIVED_NOTHING : is_good ? PRIOT_RECEIVED_FRAME : PRIOT_RECEIVED_GARBAGE;
    }
    if (receiver->run != 0) {
        append(receiver, byte);
        --receiver->run;
        return PRIOT_RECEIVED_NOTHING;
    }
    if (receiver->has_zero) {
        append(receiver, 0);
    }
    receiver->run = (uint8_t)(byte - 1u);
    receiver->has_zero = byte != 0xff;
    return PRIOT_RECEIVED_NOTHING;
}

size_t priot_frame_encode(uint8_t *decoded, size_t count, uint8_t *encoded) {
    priot_put_u32(decoded + count, priot_crc32(0, decoded, count));
    count += PRIOT_FRAME_CRC_BYTES;
    encoded[0] = 0; /* ends whatever noise came before */
    size_t code = 1, out = 2;
    for (size_t i = 0; i < count; ++i) {
        if (decoded[i] != 0) {
            encoded[out++] = decoded[i];
        }
        if (decoded[i] == 0 || out - code == 0xff) {
            encoded[code] = (uint8_t)(out - code);
            code = out++;
        }
    }
    encoded[code] = (uint8_t)(out - code);
    encoded[out++] = 0;
    return out;
}
