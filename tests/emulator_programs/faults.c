/* Commits the fault that its first input byte names. The HardFault handler keeps the stacked frame and asks for a
 * reset; after that reset the program sends what the handler kept. */
#include "registers.h"

/* Not cleared by anything here: SRAM outlives a reset. */
volatile uint32_t witness[9];
volatile uint32_t stored_word = 0x12345678;

__attribute__((used)) static void record(const uint32_t *frame) {
    for (int i = 0; i < 8; i++) {
        witness[1 + i] = frame[i];
    }
    witness[0] = 1;
    REGISTER(AIRCR) = 0x05fa0004;
    for (;;) {
    }
}

__attribute__((naked)) void hard_fault(void) {
    __asm volatile("mrs r0, msp\n\tb record");
}

volatile uint32_t svc_calls;
void svc(void) {
    svc_calls++;
}

void uart_interrupt(void) {
    REGISTER(UART_IMSC) = 0; /* the byte stays in the FIFO: main takes it */
}

#define FAULT(name, body)                                                                                              \
    __attribute__((naked, noinline)) void name(void) {                                                                 \
        __asm volatile("movs r0, #0x11\n\tmovs r1, #0x22\n\tldr r2, =0x20002001\n\tldr r3, =0x60000000\n\t" body       \
                       "\n\tbx lr\n\t.ltorg");                                                                         \
    }
FAULT(unaligned_load, ".global unaligned_load_at\nunaligned_load_at: ldr r0, [r2]")
FAULT(unaligned_store, ".global unaligned_store_at\nunaligned_store_at: strh r0, [r2]")
FAULT(unmapped_store, "adds r0, #1\n\t.global unmapped_store_at\nunmapped_store_at: str r0, [r3]\n\tadds r0, #1")
FAULT(unmapped_load, ".global unmapped_load_at\nunmapped_load_at: ldrb r0, [r3]")
FAULT(illegal_instruction, ".global illegal_instruction_at\nillegal_instruction_at: udf #7")
FAULT(wide_instruction, ".global wide_instruction_at\nwide_instruction_at: .inst.w 0xfbb0f0f1") /* UDIV, ARMv7-M */
FAULT(execute_data, "ldr r3, =0x20030001\n\tbx r3")
FAULT(write_flash, "ldr r3, =0x10060000\n\t.global write_flash_at\nwrite_flash_at: str r0, [r3]")
FAULT(write_text, "ldr r3, =write_text\n\tsubs r3, #1\n\t.global write_text_at\nwrite_text_at: str r0, [r3]")
FAULT(write_rom, "movs r3, #0\n\t.global write_rom_at\nwrite_rom_at: str r0, [r3]")
FAULT(leave_thumb, "ldr r3, =0x20001100\n\tbx r3")
FAULT(branch_to_exc_return, "ldr r3, =0xfffffff9\n\tbx r3")
FAULT(breakpoint, ".global breakpoint_at\nbreakpoint_at: bkpt #1")

static void overflow_stack(void) {
    __asm volatile("1: push {r0-r7}\n\tb 1b");
}

static void call_svc(void) {
    __asm volatile("svc #5");
    send_word(svc_calls);
}

static void (*const actions[])(void) = {
    unaligned_load,   unaligned_store,      unmapped_store, unmapped_load,  illegal_instruction,
    wide_instruction, execute_data,         write_flash,    write_text,     write_rom,
    leave_thumb,      branch_to_exc_return, breakpoint,     overflow_stack, call_svc,
};

int main(void) {
    uart_start();
    if (witness[0]) {
        uart_send((const void *)witness, sizeof witness);
        witness[0] = 0;
    }
    for (;;) {
        REGISTER(UART_IMSC) = 0x50;
        __asm volatile("wfi");
        actions[REGISTER(UART_DR)]();
    }
}
