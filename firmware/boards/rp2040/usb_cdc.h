/* The serial port: the requests of its class, and bytes in both directions. */
#ifndef PRIOT_RP2040_USB_CDC_H
#define PRIOT_RP2040_USB_CDC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "usb_controller.h"

enum {
    USB_LINE_CODING_BYTES = 7
};

/* Prepares the port; before usb_controller_start. */
void usb_cdc_start(void);

/* The host has configured the device, or has given that up: pipes with nothing in them, or none. */
void usb_cdc_open(void);
void usb_cdc_close(void);

/* The host halts a pipe: nothing may be put into it until it is free again, and empty. */
void usb_cdc_halt(usb_pipe pipe);
void usb_cdc_restart(usb_pipe pipe);

/* A packet of the data pipes is done. */
void usb_cdc_sent(void);
void usb_cdc_received(void);

/* A frame begins: a millisecond is over. */
void usb_cdc_frame(void);

/* The line coding: rate, stop bits, parity, data bits, as PSTN 1.2 packs them. */
const uint8_t *usb_cdc_line_coding(void);
void usb_cdc_set_line_coding(const volatile uint8_t *bytes);

/* DTR. True if the host asks for the bootrom's loader by it: closing the port at 1200 baud. */
bool usb_cdc_set_terminal_ready(bool is_ready);

/* For the main loop. */
bool usb_is_empty(void);      /* no byte is waiting */
bool usb_take(uint8_t *byte); /* takes the oldest byte; false if there is none */

/* Returns when the controller has the last packet, or as soon as nobody will fetch it: the port is closed, the bus
 * asleep, or a packet lies there for half a second of frames. The rest is dropped then. */
void usb_send(const uint8_t *bytes, size_t count);

/* Returns when the host has fetched what was sent, or nobody will. */
void usb_flush(void);

#endif
