#include "usb_control.h"

#include <stdbool.h>
#include <stddef.h>

#include "reset.h"
#include "usb_cdc.h"
#include "usb_controller.h"
#include "usb_descriptors.h"

/* bmRequestType */
enum {
    TO_HOST = 0x80,
    DEVICE = 0x00,
    INTERFACE = 0x01,
    ENDPOINT = 0x02,
    CLASS_INTERFACE = 0x21
};

enum {
    GET_STATUS = 0,
    CLEAR_FEATURE = 1,
    SET_FEATURE = 3,
    SET_ADDRESS = 5,
    GET_DESCRIPTOR = 6,
    GET_CONFIGURATION = 8,
    SET_CONFIGURATION = 9,
    GET_INTERFACE = 10,
    SET_INTERFACE = 11,
    SET_LINE_CODING = 0x20,
    GET_LINE_CODING = 0x21,
    SET_CONTROL_LINE_STATE = 0x22
};

enum {
    INTERFACES = 2,
    ENDPOINT_HALT = 0,
    TERMINAL_READY = 1
};

/* What the next packet on the control pipe is. */
static enum {
    STAGE_NONE,
    STAGE_ANSWER,
    STAGE_CODING,
    STAGE_STATUS
} stage;

static const uint8_t *answer; /* what is left of it */
static uint32_t answer_bytes;
static uint8_t small_answer[2];
static uint8_t configuration, next_address;
static uint32_t halted; /* a bit for each pipe */
static bool wants_loader;

void usb_control_reset(void) {
    stage = STAGE_NONE;
    configuration = next_address = 0;
    halted = 0;
    wants_loader = false;
    usb_pipe_clear(USB_CONTROL_IN, true);
    usb_pipe_clear(USB_CONTROL_OUT, true);
}

static void send_part(void) {
    const uint32_t count = answer_bytes < USB_PACKET_BYTES ? answer_bytes : USB_PACKET_BYTES;

    usb_pipe_send(USB_CONTROL_IN, answer, count);
    answer += count;
    answer_bytes -= count;
}

static bool reply(const usb_setup *setup, const uint8_t *bytes, uint32_t count) {
    answer = bytes;
    answer_bytes = count < setup->length ? count : setup->length;
    stage = STAGE_ANSWER;
    send_part();
    return true;
}

static bool reply_with(const usb_setup *setup, uint32_t value, uint32_t count) {
    small_answer[0] = (uint8_t)value;
    small_answer[1] = 0;
    return reply(setup, small_answer, count);
}

static bool acknowledge(void) {
    stage = STAGE_STATUS;
    usb_pipe_send(USB_CONTROL_IN, small_answer, 0);
    return true;
}

static bool set_configuration(uint32_t value) {
    if (value > 1) {
        return false;
    }
    configuration = (uint8_t)value;
    halted = 0;
    usb_cdc_close();
    if (value == 1) {
        usb_cdc_open();
    }
    return acknowledge();
}

/* An endpoint's address as a pipe that can be halted; USB_CONTROL_IN for any other. */
static usb_pipe halting_pipe(uint32_t address) {
    const usb_pipe pipe = (usb_pipe)((address & 15u) * 2u + (address & 0x80u ? 0u : 1u));
    const bool is_open = configuration && (pipe == USB_NOTIFY_IN || pipe == USB_DATA_IN || pipe == USB_DATA_OUT);
    return is_open && !(address & 0x70u) ? pipe : USB_CONTROL_IN;
}

static bool halt(uint32_t address, bool on) {
    const usb_pipe pipe = halting_pipe(address);

    if (pipe == USB_CONTROL_IN) {
        return (address & 0x7fu) == 0 && !on && acknowledge(); /* the control pipe is never halted for long */
    }
    if (on) {
        halted |= 1u << pipe;
        usb_cdc_halt(pipe);
        usb_pipe_stall(pipe);
    } else {
        halted &= ~(1u << pipe);
        usb_pipe_clear(pipe, false);
        usb_cdc_restart(pipe);
    }
    return acknowledge();
}

static bool endpoint_status(const usb_setup *setup) {
    const usb_pipe pipe = halting_pipe(setup->index);
    const bool is_there = pipe != USB_CONTROL_IN || (setup->index & 0x7fu) == 0;
    return is_there && reply_with(setup, halted >> pipe & 1u, 2);
}

static bool get_descriptor(const usb_setup *setup) {
    uint32_t bytes = 0;
    const uint8_t *descriptor = usb_descriptor(setup->value >> 8, setup->value & 0xffu, &bytes);
    return descriptor != NULL && reply(setup, descriptor, bytes);
}

static bool set_line_state(uint32_t state) {
    wants_loader = usb_cdc_set_terminal_ready(state & TERMINAL_READY);
    return acknowledge();
}

static bool await_line_coding(const usb_setup *setup) {
    if (setup->length != USB_LINE_CODING_BYTES) {
        return false;
    }
    stage = STAGE_CODING;
    usb_pipe_receive(USB_CONTROL_OUT);
    return true;
}

#define REQUEST(type, request) ((uint32_t)(type) << 8 | (request))

/* False where the request is unknown or makes no sense: it is refused with STALL. */
static bool handle(const usb_setup *setup) {
    const bool is_interface = configuration && setup->index < INTERFACES;
    const bool has_data_to_chip = !(setup->type & TO_HOST) && setup->length != 0;

    if (has_data_to_chip && (setup->type != CLASS_INTERFACE || setup->request != SET_LINE_CODING)) {
        return false; /* no other takes data; acknowledged, it would leave the host waiting to send it */
    }
    switch (REQUEST(setup->type, setup->request)) {
    case REQUEST(TO_HOST | DEVICE, GET_DESCRIPTOR):
        return get_descriptor(setup);
    case REQUEST(DEVICE, SET_ADDRESS):
        next_address = setup->value & 0x7fu;
        return acknowledge();
    case REQUEST(DEVICE, SET_CONFIGURATION):
        return set_configuration(setup->value);
    case REQUEST(TO_HOST | DEVICE, GET_CONFIGURATION):
        return reply_with(setup, configuration, 1);
    case REQUEST(TO_HOST | DEVICE, GET_STATUS):
        return reply_with(setup, 0, 2); /* powered by the bus, cannot wake the host */
    case REQUEST(TO_HOST | INTERFACE, GET_STATUS):
        return is_interface && reply_with(setup, 0, 2);
    case REQUEST(TO_HOST | ENDPOINT, GET_STATUS):
        return endpoint_status(setup);
    case REQUEST(ENDPOINT, CLEAR_FEATURE):
        return setup->value == ENDPOINT_HALT && halt(setup->index, false);
    case REQUEST(ENDPOINT, SET_FEATURE):
        return setup->value == ENDPOINT_HALT && halt(setup->index, true);
    case REQUEST(TO_HOST | INTERFACE, GET_INTERFACE):
        return is_interface && reply_with(setup, 0, 1);
    case REQUEST(INTERFACE, SET_INTERFACE):
        return is_interface && setup->value == 0 && acknowledge();
    case REQUEST(CLASS_INTERFACE, SET_LINE_CODING):
        return is_interface && await_line_coding(setup);
    case REQUEST(TO_HOST | CLASS_INTERFACE, GET_LINE_CODING):
        return is_interface && reply(setup, usb_cdc_line_coding(), USB_LINE_CODING_BYTES);
    case REQUEST(CLASS_INTERFACE, SET_CONTROL_LINE_STATE):
        return is_interface && set_line_state(setup->value);
    default:
        return false;
    }
}

/* Whatever was at work is over: a host may give a request up at any moment. Data and status begin with DATA1. */
void usb_control_setup(const volatile uint8_t *packet) {
    const usb_setup setup = {
        .type = packet[0],
        .request = packet[1],
        .value = (uint16_t)(packet[2] | packet[3] << 8),
        .index = (uint16_t)(packet[4] | packet[5] << 8),
        .length = (uint16_t)(packet[6] | packet[7] << 8),
    };

    stage = STAGE_NONE;
    usb_pipe_clear(USB_CONTROL_IN, true);
    usb_pipe_clear(USB_CONTROL_OUT, true);
    if (!handle(&setup)) {
        usb_pipe_stall(USB_CONTROL_IN);
        usb_pipe_stall(USB_CONTROL_OUT);
    }
}

void usb_control_sent(void) {
    if (stage == STAGE_ANSWER && answer_bytes > 0) {
        send_part();
    } else if (stage == STAGE_ANSWER) {
        stage = STAGE_STATUS;
        usb_pipe_clear(USB_CONTROL_OUT, true);
        usb_pipe_receive(USB_CONTROL_OUT);
    } else if (stage == STAGE_STATUS) {
        stage = STAGE_NONE;
        if (next_address != 0) {
            usb_set_address(next_address); /* only now: the status itself still goes to the old one */
            next_address = 0;
        }
        if (wants_loader) {
            reset_to_loader();
        }
    }
}

void usb_control_received(void) {
    uint32_t count;
    const volatile uint8_t *packet = usb_pipe_packet(USB_CONTROL_OUT, &count);

    if (stage == STAGE_CODING && count == USB_LINE_CODING_BYTES) {
        usb_cdc_set_line_coding(packet);
        (void)acknowledge();
    } else {
        stage = STAGE_NONE;
    }
}
