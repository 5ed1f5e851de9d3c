/* Reads the flash chip's 64-bit id. While it runs, flash answers commands instead of instruction fetches, so it must not
 * lie there: it is position independent, has no literal outside itself, and is copied to SRAM before it is called.
 * Everything it calls is in the bootrom. It gives flash back as it found it. */
    .syntax unified
    .cpu cortex-m0plus
    .thumb

    .equ SSI_CTRLR0, 0x00
    .equ SSI_CTRLR1, 0x04
    .equ SSI_SSIENR, 0x08
    .equ SSI_BAUDR, 0x14
    .equ SSI_RXFLR, 0x24
    .equ SSI_DR0, 0x60
    .equ SPI_CTRLR0, 0x94           /* from DR0: its own offset does not fit an instruction */
    .equ SS_LOW, 2
    .equ SS_HIGH, 3
    .equ FRAME_BYTES, 13            /* command, four bytes of nothing, eight of id: they fit the interface's FIFO of 16 */

    .section .rodata.priot_flash_id, "a"
    .global priot_flash_id
    .global priot_flash_id_end
    .balign 4
/* void (const bootrom_function calls[3], uint8_t frame[13]): calls are connect_internal_flash, flash_exit_xip and
 * flash_flush_cache; the frame is sent, and replaced by what came back. */
priot_flash_id:
    push {r4-r7, lr}
    movs r4, r0
    movs r5, r1
    ldr r6, ssi
    ldr r0, [r6, #SSI_CTRLR0]       /* what boot2, or a debugger, has set */
    ldr r1, [r6, #SSI_CTRLR1]
    ldr r2, [r6, #SSI_BAUDR]
    movs r7, r6
    adds r7, #SSI_DR0
    adds r7, #SPI_CTRLR0
    ldr r7, [r7]
    push {r0-r2, r7}

    ldr r0, [r4, #0]                /* pins to the flash interface */
    blx r0
    ldr r0, [r4, #4]                /* the chip back to plain commands, the interface to frames of one byte */
    blx r0

    ldr r7, select
    movs r0, #SS_LOW
    lsls r0, #8
    str r0, [r7]
    movs r0, #0
1:  ldrb r1, [r5, r0]
    str r1, [r6, #SSI_DR0]
    adds r0, #1
    cmp r0, #FRAME_BYTES
    bne 1b
    movs r0, #0
2:  ldr r1, [r6, #SSI_RXFLR]
    cmp r1, #0
    beq 2b
    ldr r1, [r6, #SSI_DR0]
    strb r1, [r5, r0]
    adds r0, #1
    cmp r0, #FRAME_BYTES
    bne 2b
    movs r0, #SS_HIGH
    lsls r0, #8
    str r0, [r7]

    ldr r0, [r4, #8]                /* the cache knows nothing; the select pin is the interface's again */
    blx r0
    pop {r0-r2, r7}
    movs r4, #0
    str r4, [r6, #SSI_SSIENR]       /* settings change only while the interface is off */
    str r0, [r6, #SSI_CTRLR0]
    str r1, [r6, #SSI_CTRLR1]
    str r2, [r6, #SSI_BAUDR]
    movs r0, r6
    adds r0, #SSI_DR0
    adds r0, #SPI_CTRLR0
    str r7, [r0]
    movs r4, #1
    str r4, [r6, #SSI_SSIENR]
    pop {r4-r7, pc}
    .balign 4
ssi:
    .word 0x18000000
select:
    .word 0x4001800c                /* IO_QSPI: GPIO_QSPI_SS_CTRL, override of the output in bits 9 and 8 */
priot_flash_id_end:
