#include "usb_controller.h"

#include "clocks.h"
#include "memory.h"
#include "usb_cdc.h"
#include "usb_control.h"
#include "usb_registers.h"

static uint32_t next_is_data1; /* a bit for each pipe */
static volatile bool awake;

static uint32_t buffer_offset(usb_pipe pipe) {
    return pipe <= USB_CONTROL_OUT ? USB_CONTROL_BUFFER : 0x180u + USB_PACKET_BYTES * (uint32_t)pipe;
}

/* The controller runs on a clock of its own, and may see AVAILABLE before the other bits of the same write: it has to
 * come some of its cycles later, twelve of the core's (RP2040 datasheet, section 4.1.2.5.1). */
static void hand_over(usb_pipe pipe, uint32_t control) {
    if (next_is_data1 >> pipe & 1u) {
        control |= USB_BUFFER_DATA1;
    }
    next_is_data1 ^= 1u << pipe;
    USB_BUFFER(pipe) = control;
    __asm volatile("nop\n nop\n nop\n nop\n nop\n nop\n nop\n nop\n nop\n nop\n nop\n nop" ::: "memory");
    USB_BUFFER(pipe) = control | USB_BUFFER_AVAILABLE;
}

void usb_controller_stop(void) {
    SET(RESETS_RESET) = RESET_USBCTRL;
    awake = false;
}

void usb_controller_start(void) {
    peripherals_restart(RESET_USBCTRL);
    for (uint32_t offset = 0; offset < USB_CONTROL_BUFFER; offset += 4) {
        REGISTER(USB_MEMORY + offset) = 0;
    }
    awake = true;
    usb_control_reset();
    usb_cdc_close();
    REGISTER(USB_MUXING) = USB_MUXING_TO_PHY | USB_MUXING_SOFT_CONNECT;
    REGISTER(USB_POWER) = USB_POWER_VBUS | USB_POWER_OVERRIDE; /* no pin of a Pico tells the controller of VBUS */
    REGISTER(USB_MAIN_CTRL) = USB_MAIN_ENABLE;
    REGISTER(USB_SIE_CTRL) = USB_SIE_CONTROL_INTERRUPT;
    REGISTER(USB_INTE) =
        USB_INT_BUFFER | USB_INT_BUS_RESET | USB_INT_SETUP | USB_INT_SUSPEND | USB_INT_RESUME | USB_INT_CONNECTION;
    REGISTER(NVIC_ISER) = 1u << USBCTRL_IRQ;
    SET(USB_SIE_CTRL) = USB_SIE_PULL_UP;
}

/* The host addresses everyone anew. */
static void bus_reset(void) {
    CLEAR(USB_BUFFER_STATUS) = ~0u;
    usb_set_address(0);
    usb_control_reset();
    usb_cdc_close();
}

static void buffer_done(usb_pipe pipe) {
    switch (pipe) {
    case USB_CONTROL_IN:
        usb_control_sent();
        break;
    case USB_CONTROL_OUT:
        usb_control_received();
        break;
    case USB_DATA_IN:
        usb_cdc_sent();
        break;
    case USB_DATA_OUT:
        usb_cdc_received();
        break;
    default:
        break;
    }
}

/* Buffers before SETUP: one that is done belongs to the request before. */
void usb_interrupt(void) {
    const uint32_t status = REGISTER(USB_INTS);

    if (status & USB_INT_CONNECTION) {
        CLEAR(USB_SIE_STATUS) = USB_SIE_CONNECTED;
    }
    if (status & USB_INT_FRAME) {
        (void)REGISTER(USB_FRAME); /* reading clears it */
        usb_cdc_frame();
    }
    if (status & USB_INT_SUSPEND) {
        CLEAR(USB_SIE_STATUS) = USB_SIE_SUSPENDED;
        awake = false;
    }
    if (status & USB_INT_RESUME) {
        CLEAR(USB_SIE_STATUS) = USB_SIE_RESUME;
    }
    if (status & (USB_INT_RESUME | USB_INT_BUS_RESET | USB_INT_BUFFER | USB_INT_SETUP)) {
        awake = true;
    }
    if (status & USB_INT_BUS_RESET) {
        CLEAR(USB_SIE_STATUS) = USB_SIE_BUS_RESET;
        bus_reset();
        return;
    }
    if (status & USB_INT_BUFFER) {
        const uint32_t done = REGISTER(USB_BUFFER_STATUS);
        CLEAR(USB_BUFFER_STATUS) = done;
        for (uint32_t pipe = 0; pipe < USB_PIPES; ++pipe) {
            if (done >> pipe & 1u) {
                buffer_done((usb_pipe)pipe);
            }
        }
    }
    if (status & USB_INT_SETUP) {
        CLEAR(USB_SIE_STATUS) = USB_SIE_SETUP;
        usb_control_setup((const volatile uint8_t *)USB_MEMORY);
    }
}

bool usb_is_awake(void) {
    return awake;
}

void usb_watch_frames(bool on) {
    if (on) {
        SET(USB_INTE) = USB_INT_FRAME;
    } else {
        CLEAR(USB_INTE) = USB_INT_FRAME;
    }
}

void usb_set_address(uint32_t address) {
    REGISTER(USB_ADDRESS) = address;
}

void usb_pipe_open(usb_pipe pipe, usb_type type) {
    usb_pipe_clear(pipe, false);
    USB_PIPE_CONTROL(pipe) = USB_PIPE_ENABLE | USB_PIPE_INTERRUPT | USB_PIPE_TYPE((uint32_t)type) | buffer_offset(pipe);
}

void usb_pipe_close(usb_pipe pipe) {
    USB_PIPE_CONTROL(pipe) = 0;
    usb_pipe_clear(pipe, false);
}

void usb_pipe_clear(usb_pipe pipe, bool is_data1) {
    USB_BUFFER(pipe) = 0;
    next_is_data1 = (next_is_data1 & ~(1u << pipe)) | (uint32_t)is_data1 << pipe;
}

/* A control pipe's STALL also has to be armed; the controller disarms it when the next SETUP comes. */
void usb_pipe_stall(usb_pipe pipe) {
    if (pipe <= USB_CONTROL_OUT) {
        SET(USB_STALL_ARM) = 1u << pipe;
    }
    USB_BUFFER(pipe) = USB_BUFFER_STALL;
}

void usb_pipe_send(usb_pipe pipe, const uint8_t *bytes, uint32_t count) {
    memcpy((void *)(uintptr_t)(USB_MEMORY + buffer_offset(pipe)), bytes, count);
    __asm volatile("" ::: "memory");
    hand_over(pipe, USB_BUFFER_FULL | count);
}

void usb_pipe_receive(usb_pipe pipe) {
    hand_over(pipe, USB_PACKET_BYTES);
}

const volatile uint8_t *usb_pipe_packet(usb_pipe pipe, uint32_t *count) {
    *count = USB_BUFFER(pipe) & USB_BUFFER_LENGTH;
    return (const volatile uint8_t *)(uintptr_t)(USB_MEMORY + buffer_offset(pipe));
}
