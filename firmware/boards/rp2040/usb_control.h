/* The control pipe: standard requests (USB 2.0, section 9.4); those of the serial port go to usb_cdc.h. Everything here
 * runs in the controller's interrupt. */
#ifndef PRIOT_RP2040_USB_CONTROL_H
#define PRIOT_RP2040_USB_CONTROL_H

#include <stdint.h>

typedef struct {
    uint8_t type; /* bit 7: towards the host; bits 6 and 5: standard or class; the rest: device, interface, endpoint */
    uint8_t request;
    uint16_t value, index, length;
} usb_setup;

/* Forgets the request at work and the configuration. */
void usb_control_reset(void);

/* A SETUP packet came. */
void usb_control_setup(const volatile uint8_t *packet);

/* The host has fetched the control pipe's packet, or sent one. */
void usb_control_sent(void);
void usb_control_received(void);

#endif
