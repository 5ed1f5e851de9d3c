/* Second stage of the boot: the bootrom checks these 256 bytes (CRC in the last word), copies them to the end of SRAM
 * and runs them there. They set the flash interface to plain serial reads (command 03h, which every flash chip knows)
 * and enter the image behind them through its vector table. Position independent. */
#include "plain_reads.h"
    .syntax unified
    .cpu cortex-m0plus
    .thumb

    .equ VTOR, 0xe000ed08
    .equ IMAGE, 0x10000100

    .section .boot2, "ax"
    .global priot_boot2
    .type priot_boot2, %function
    .thumb_func
priot_boot2:
    ldr r3, =SSI
    movs r0, #0
    str r0, [r3, #SSI_SSIENR]       /* the settings change only while the interface is off */
    movs r0, #PLAIN_BAUDR
    str r0, [r3, #SSI_BAUDR]
    ldr r0, =PLAIN_CTRLR0
    str r0, [r3, #SSI_CTRLR0]
    ldr r0, =PLAIN_SPI_CTRLR0
    ldr r1, =SSI + SSI_SPI_CTRLR0
    str r0, [r1]
    movs r0, #PLAIN_CTRLR1
    str r0, [r3, #SSI_CTRLR1]
    movs r0, #1
    str r0, [r3, #SSI_SSIENR]

    ldr r0, =IMAGE
    ldr r1, =VTOR
    str r0, [r1]
    ldm r0!, {r1, r2}
    msr msp, r1
    bx r2
    .ltorg
