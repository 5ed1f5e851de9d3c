/* Where code enters: the first instruction of an image, and the first of a HardFault. */
    .syntax unified
    .cpu cortex-m0plus
    .thumb

/* The bootrom enters a RAM image at its lowest address, as code, with its own stack; boot2 and a debugger come here too. */
    .section .entry, "ax"
    .global priot_entry
    .type priot_entry, %function
    .thumb_func
priot_entry:
    ldr r0, =priot_vectors
    ldr r1, =0xe000ed08             /* VTOR */
    str r0, [r1]
    ldr r0, =__stack_top
    msr msp, r0
    cpsie i
    ldr r0, =priot_start
    bx r0
    .ltorg
    .size priot_entry, . - priot_entry

/* A fresh stack first: an overflow of the old one may be what brought us here. */
    .section .text.priot_fault_entry, "ax"
    .global priot_fault_entry
    .type priot_fault_entry, %function
    .thumb_func
priot_fault_entry:
    mov r0, sp                      /* the eight registers that the core stacked */
    ldr r1, =__stack_top
    msr msp, r1
    ldr r1, =priot_fault_record
    bx r1
    .ltorg
    .size priot_fault_entry, . - priot_fault_entry
