/* The few registers of the RP2040 that this firmware touches. Source: RP2040 datasheet; ARMv6-M manual for 0xe000e000.
 */
#ifndef PRIOT_RP2040_REGISTERS_H
#define PRIOT_RP2040_REGISTERS_H

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))
/* Aliases of the same register that set or clear the bits written. */
#define SET(address) REGISTER((address) + 0x2000u)
#define CLEAR(address) REGISTER((address) + 0x3000u)

#define CLK_REF_CTRL 0x40008030u
#define CLK_REF_SELECTED 0x40008038u
#define CLK_SYS_CTRL 0x4000803cu
#define CLK_SYS_SELECTED 0x40008044u
#define CLK_PERI_CTRL 0x40008048u
#define CLK_USB_CTRL 0x40008054u
#define CLK_ENABLE (1u << 11)

#define RESETS_RESET 0x4000c000u
#define RESETS_DONE 0x4000c008u
#define RESET_IO_BANK0 (1u << 5)
#define RESET_PADS_BANK0 (1u << 8)
#define RESET_PLL_SYS (1u << 12)
#define RESET_PLL_USB (1u << 13)
#define RESET_TIMER (1u << 21)
#define RESET_UART0 (1u << 22)
#define RESET_USBCTRL (1u << 24)

#define GPIO0_CTRL 0x40014004u
#define GPIO1_CTRL 0x4001400cu
#define GPIO_FUNCTION_UART 2u
#define PADS_GPIO1 0x4001c008u
#define PAD_INPUT_PULLED_UP 0x5au /* input, Schmitt trigger, pull-up, 4 mA: an open line reads as idle */

#define GPIO_QSPI_SS_CTRL 0x4001800cu /* bits 9 and 8 override the output */
#define QSPI_SS_LOW (2u << 8)
#define QSPI_SS_HIGH (3u << 8)

#define XOSC_CTRL 0x40024000u
#define XOSC_STATUS 0x40024004u
#define XOSC_STARTUP 0x4002400cu
#define XOSC_STABLE (1u << 31)

#define PLL_SYS 0x40028000u
#define PLL_USB 0x4002c000u
#define PLL_CS 0x0u /* offsets from one of them */
#define PLL_PWR 0x4u
#define PLL_FBDIV 0x8u
#define PLL_PRIM 0xcu
#define PLL_LOCK (1u << 31)
#define PLL_PWR_PD (1u << 0)
#define PLL_PWR_POSTDIVPD (1u << 3)
#define PLL_PWR_VCOPD (1u << 5)

#define UART0_DR 0x40034000u
#define UART0_FR 0x40034018u
#define UART0_IBRD 0x40034024u
#define UART0_FBRD 0x40034028u
#define UART0_LCR_H 0x4003402cu
#define UART0_CR 0x40034030u
#define UART0_IFLS 0x40034034u
#define UART0_IMSC 0x40034038u
#define UART0_ICR 0x40034044u
#define UART_DR_OVERRUN (1u << 11)
#define UART_FR_BUSY (1u << 3)
#define UART_FR_RX_EMPTY (1u << 4)
#define UART_FR_TX_FULL (1u << 5)
#define UART_RX_INTERRUPTS ((1u << 4) | (1u << 6)) /* FIFO level, and a quiet line with bytes below it */
#define UART0_IRQ 20u

#define TIMER_RAWH 0x40054024u
#define TIMER_RAWL 0x40054028u

#define WATCHDOG_CTRL 0x40058000u
#define WATCHDOG_REASON 0x40058008u
#define WATCHDOG_SCRATCH4 0x4005801cu
#define WATCHDOG_SCRATCH5 0x40058020u
#define WATCHDOG_SCRATCH6 0x40058024u
#define WATCHDOG_SCRATCH7 0x40058028u
#define WATCHDOG_TICK 0x4005802cu
#define WATCHDOG_TICK_ENABLE (1u << 9)

#define SYSTICK_CSR 0xe000e010u
#define SYSTICK_RVR 0xe000e014u
#define SYSTICK_CVR 0xe000e018u
#define SYSTICK_RUN_ON_CORE_CLOCK 5u /* enabled, no interrupt, processor clock */
#define NVIC_ISER 0xe000e100u
#define AIRCR 0xe000ed0cu
#define AIRCR_SYSRESETREQ 0x05fa0004u

#endif
