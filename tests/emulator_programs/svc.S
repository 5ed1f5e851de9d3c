// IPSR within a handler and behind it; the handler masks interrupts, as one may. The stack is not aligned to 8 at the SVC.
.syntax unified
.cpu cortex-m0plus
.thumb
.text
.global main, svc
.type main, %function
.type svc, %function
.thumb_func
main:
    push {lr}       // 2
    svc #0          // 1, and 15 to enter
    mrs r6, ipsr    // 3
    pop {pc}        // 4

.thumb_func
svc:
    mrs r5, ipsr    // 3
    cpsid i         // 1
    cpsie i         // 1
    bx lr           // 2
