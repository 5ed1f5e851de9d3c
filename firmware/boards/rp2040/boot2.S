/* Second stage of the boot: the bootrom checks these 256 bytes (CRC in the last word), copies them to the end of SRAM
 * and runs them there. They set the flash interface to plain serial reads (command 03h, which every flash chip knows)
 * and enter the image behind them through its vector table. Position independent. */
    .syntax unified
    .cpu cortex-m0plus
    .thumb

    .equ SSI, 0x18000000
    .equ SSI_CTRLR0, 0x00
    .equ SSI_CTRLR1, 0x04
    .equ SSI_SSIENR, 0x08
    .equ SSI_BAUDR, 0x14
    .equ SSI_SPI_CTRLR0, 0xf4
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
    movs r0, #4                     /* 125 MHz / 4: below the 33 MHz that any chip allows for 03h */
    str r0, [r3, #SSI_BAUDR]
    ldr r0, =0x001f0300             /* 32-bit frames, one lane, "EEPROM read" */
    str r0, [r3, #SSI_CTRLR0]
    ldr r0, =0x03000218             /* command 03h, 8-bit command, 24-bit address */
    ldr r1, =SSI + SSI_SPI_CTRLR0
    str r0, [r1]
    movs r0, #0
    str r0, [r3, #SSI_CTRLR1]       /* one frame a read */
    movs r0, #1
    str r0, [r3, #SSI_SSIENR]

    ldr r0, =IMAGE
    ldr r1, =VTOR
    str r0, [r1]
    ldm r0!, {r1, r2}
    msr msp, r1
    bx r2
    .ltorg
