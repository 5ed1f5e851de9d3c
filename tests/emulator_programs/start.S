// Entry of every program here: vectors, stack at the bottom of SRAM, then main, then WFI for ever.
.syntax unified
.cpu cortex-m0plus
.thumb
.section .entry, "ax"
.global entry
.type entry, %function
.thumb_func
entry:
    ldr r0, =vectors
    ldr r1, =0xe000ed08
    str r0, [r1]
    ldr r0, [r0]
    msr msp, r0
    bl main
1:  wfi
    b 1b
.ltorg

.section .vectors, "a"
.balign 256
.global vectors
vectors:
    .word __stack_end
    .word entry
    .word 0
    .word hard_fault
    .fill 7, 4, 0
    .word svc
    .fill 4, 4, 0
    .fill 20, 4, 0
    .word uart_interrupt
    .fill 5, 4, 0

.text
.weak hard_fault, svc, uart_interrupt
.type hard_fault, %function
.type svc, %function
.type uart_interrupt, %function
.thumb_func
hard_fault:
.thumb_func
svc:
.thumb_func
uart_interrupt:
    udf #0
