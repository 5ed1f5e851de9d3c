/* From the entry stub to main: memory as C expects it, and the vector table.
 * There is no .data to copy; the linker scripts refuse any. Code that must not run from flash is copied. */
#include "image.h"
#include "memory.h"
#include "uart.h"
#include "usb_controller.h"
#include "usb_registers.h"

typedef void (*handler)(void);

enum {
    SYSTEM_VECTORS = 15,
    INTERRUPT_VECTORS = 32
};

typedef struct {
    uint8_t *stack;
    handler system[SYSTEM_VECTORS];
    handler interrupt[INTERRUPT_VECTORS];
} vector_table;

/* 16 + n: interrupt n. Whatever is not named below is not expected and ends as a fault that can be reported. */
#define FAULTS_4 priot_fault_entry, priot_fault_entry, priot_fault_entry, priot_fault_entry
#define FAULTS_12 FAULTS_4, FAULTS_4, FAULTS_4

__attribute__((section(".vectors"), used)) const vector_table priot_vectors = {
    .stack = __stack_top,
    .system = {priot_entry, priot_fault_entry, priot_fault_entry, FAULTS_12},
    .interrupt = {FAULTS_4, priot_fault_entry, usb_interrupt, priot_fault_entry, priot_fault_entry, FAULTS_12,
                  uart_interrupt, priot_fault_entry, priot_fault_entry, priot_fault_entry, FAULTS_4, FAULTS_4},
};

_Static_assert(USBCTRL_IRQ == 5 && UART0_IRQ == 20, "their handlers stand at their places above");

_Noreturn void priot_start(void) {
    for (uint32_t *to = __bss_start; to < __bss_end; ++to) {
        *to = 0;
    }
    memcpy(__ramcode_start, __ramcode_load, (size_t)(__ramcode_end - __ramcode_start));
    __asm volatile("dsb\n isb" ::: "memory");
    main();
    for (;;) {
    }
}
