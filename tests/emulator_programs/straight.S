// 3000 instructions without a branch: more than the translator puts into one block.
.syntax unified
.cpu cortex-m0plus
.thumb
.text
.global main
.type main, %function
.thumb_func
main:
    .rept 1500
    adds r0, #1
    ldr r1, [r2]
    .endr
    bx lr
