// Says in two words what it is at, as the firmware does; when a block finds them changed is worked out in the test.
.syntax unified
.cpu cortex-m0plus
.thumb
.text
.global main
.type main, %function
.thumb_func
main:
    ldr r3, =mark           // 2
    movs r0, #1             // 1
    str r0, [r3]            // 2: seen behind the branch
    nop                     // 1
    b 1f                    // 2
1:  movs r1, #100           // 1
2:  subs r1, #1             // 1
    bne 2b                  // 2, the last 1
    movs r0, #2             // 1
    str r0, [r3, #4]        // 2: seen behind the branch, which is not taken
    cmp r0, #1              // 1
    beq 3f                  // 1
    muls r0, r0, r0         // 1
    str r0, [r3]            // 2: never seen, since
    movs r0, #0             // 1
    str r0, [r3]            // 2: the same block writes again,
    str r0, [r3, #4]        // 2
    ldr r2, =mark + 8       // 2
    str r2, [r2]            // 2: and what lies beside the two is not watched
3:  bx lr                   // 2
.ltorg

.bss
.balign 8
.global mark
mark:
    .space 16
