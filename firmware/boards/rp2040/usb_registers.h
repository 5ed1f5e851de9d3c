/* The USB controller as a device sees it. Source: RP2040 datasheet, section 4.1. */
#ifndef PRIOT_RP2040_USB_REGISTERS_H
#define PRIOT_RP2040_USB_REGISTERS_H

#include "registers.h"

/* Memory that controller and core share: the SETUP packet, then one control word and one buffer for each pipe. */
#define USB_MEMORY 0x50100000u
#define USB_MEMORY_BYTES 4096u
#define USB_PIPE_CONTROL(pipe) REGISTER(USB_MEMORY + 4u * (pipe)) /* not of the control pipes */
#define USB_PIPE_ENABLE (1u << 31)
#define USB_PIPE_INTERRUPT (1u << 29) /* at each buffer */
#define USB_PIPE_TYPE(type) ((type) << 26)
#define USB_BUFFER(pipe) REGISTER(USB_MEMORY + 0x80u + 4u * (pipe))
#define USB_BUFFER_FULL (1u << 15)
#define USB_BUFFER_DATA1 (1u << 13)
#define USB_BUFFER_STALL (1u << 11)
#define USB_BUFFER_AVAILABLE (1u << 10) /* the controller's from now on */
#define USB_BUFFER_LENGTH 0x3ffu
#define USB_CONTROL_BUFFER 0x100u /* offset in the memory; the same in both directions */

#define USB_ADDRESS 0x50110000u
#define USB_MAIN_CTRL 0x50110040u
#define USB_MAIN_ENABLE 1u
#define USB_FRAME 0x50110048u
#define USB_SIE_CTRL 0x5011004cu
#define USB_SIE_CONTROL_INTERRUPT (1u << 29) /* at each buffer of the control pipes */
#define USB_SIE_PULL_UP (1u << 16)
#define USB_SIE_STATUS 0x50110050u
#define USB_SIE_BUS_RESET (1u << 19)
#define USB_SIE_SETUP (1u << 17)
#define USB_SIE_CONNECTED (1u << 16)
#define USB_SIE_RESUME (1u << 11)
#define USB_SIE_SUSPENDED (1u << 4)
#define USB_BUFFER_STATUS 0x50110058u
#define USB_STALL_ARM 0x50110068u
#define USB_STALL_ARM_CONTROL 3u
#define USB_MUXING 0x50110074u
#define USB_MUXING_TO_PHY (1u << 0)
#define USB_MUXING_SOFT_CONNECT (1u << 3)
#define USB_POWER 0x50110078u
#define USB_POWER_VBUS (1u << 3)
#define USB_POWER_OVERRIDE (1u << 2)
#define USB_INTE 0x50110090u
#define USB_INTS 0x50110098u
#define USB_INT_FRAME (1u << 17)
#define USB_INT_SETUP (1u << 16)
#define USB_INT_RESUME (1u << 15)
#define USB_INT_SUSPEND (1u << 14)
#define USB_INT_CONNECTION (1u << 13)
#define USB_INT_BUS_RESET (1u << 12)
#define USB_INT_BUFFER (1u << 4)
#define USBCTRL_IRQ 5u

#endif
