// A loop whose instructions and cycles are worked out by hand in the test.
.syntax unified
.cpu cortex-m0plus
.thumb
.text
.global main
.type main, %function
.thumb_func
main:
    push {r4, lr}           // 3
    movs r4, #100           // 1
    ldr r2, =0x20030000     // 2
1:  muls r0, r4, r0         // 1
    ldr r1, [r2]            // 2
    str r1, [r2, #4]        // 2
    ldm r2!, {r0, r1}       // 3
    subs r2, #8             // 1
    cmp r4, #50             // 1
    bhi 2f                  // 2 taken, 1 not: 50 times each
    nop                     // 1
2:  bl leaf                 // 3
    subs r4, #1             // 1
    bne 1b                  // 2, the last 1
    mrs r0, msp             // 3
    b 3f                    // 2
3:  pop {r4, pc}            // 5

.global leaf
.type leaf, %function
.thumb_func
leaf:
    push {r0}               // 2
    pop {r0}                // 2
    mov pc, lr              // 2
.ltorg
