/* The controller: on and off the bus, and packets into and out of its pipes. What the packets mean is usb_control.h's
 * and usb_cdc.h's business. Called in the controller's interrupt or with interrupts masked, but for start and stop. */
#ifndef PRIOT_RP2040_USB_CONTROLLER_H
#define PRIOT_RP2040_USB_CONTROLLER_H

#include <stdbool.h>
#include <stdint.h>

enum {
    USB_PACKET_BYTES = 64
};

/* An endpoint in one direction, numbered as the controller does: twice the endpoint, and one more towards the chip. */
typedef enum {
    USB_CONTROL_IN = 0,
    USB_CONTROL_OUT = 1,
    USB_NOTIFY_IN = 2,
    USB_DATA_IN = 4,
    USB_DATA_OUT = 5,
    USB_PIPES = 6
} usb_pipe;

typedef enum {
    USB_TYPE_BULK = 2,
    USB_TYPE_INTERRUPT = 3
} usb_type;

/* Joins the bus: the host sees a device from now on. After clocks_start. */
void usb_controller_start(void);

/* Leaves the bus; the host sees a pulled cable. Also right when it was never joined. */
void usb_controller_stop(void);

/* Interrupt 5. */
void usb_interrupt(void);

/* False after the host has let the bus fall silent: nothing can be sent. */
bool usb_is_awake(void);

/* Whether usb_cdc_frame is called at the begin of each frame. */
void usb_watch_frames(bool on);

/* The address from now on. */
void usb_set_address(uint32_t address);

/* Opens a pipe with nothing in it; its first packet is DATA0. */
void usb_pipe_open(usb_pipe pipe, usb_type type);

/* Closes a pipe: packets are not answered. */
void usb_pipe_close(usb_pipe pipe);

/* Takes back what the pipe holds; the next packet is DATA1 or DATA0. */
void usb_pipe_clear(usb_pipe pipe, bool next_is_data1);

/* Refuses packets with STALL until the pipe is cleared. */
void usb_pipe_stall(usb_pipe pipe);

/* Hands over one packet to be fetched by the host; at most USB_PACKET_BYTES. */
void usb_pipe_send(usb_pipe pipe, const uint8_t *bytes, uint32_t count);

/* Lets one packet come; until then the host is told to wait. */
void usb_pipe_receive(usb_pipe pipe);

/* The packet that came: where it lies until the next usb_pipe_receive, and its length. */
const volatile uint8_t *usb_pipe_packet(usb_pipe pipe, uint32_t *count);

#endif
