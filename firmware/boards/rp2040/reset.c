#include "reset.h"

#include "bootrom.h"
#include "image.h"
#include "priot_engine.h"
#include "registers.h"
#include "uart.h"
#include "usb_cdc.h"
#include "usb_controller.h"

/* Words that memory hardly holds by chance when power comes on. */
#define WHY_REQUESTED 0x51534552u /* "RESQ" */
#define WHY_FAULT 0x464c5346u     /* "FSLF" */

/* Start-up does not clear this section. */
__attribute__((section(".bss.noinit"))) static struct {
    uint32_t why;
    priot_fault fault;
} witness;

priot_reset_cause reset_cause(void) {
    uint32_t why = witness.why;
    witness.why = 0;
    if (why == WHY_REQUESTED) {
        return PRIOT_RESET_REQUESTED;
    }
    if (why == WHY_FAULT) {
        return PRIOT_RESET_FAULT;
    }
    return REGISTER(WATCHDOG_REASON) ? PRIOT_RESET_WATCHDOG : PRIOT_RESET_POWER_ON;
}

const priot_fault *reset_fault(void) {
    return witness.fault.valid == PRIOT_FAULT_VALID ? &witness.fault : NULL;
}

/* After a reset the bootrom enters flash. For an image in SRAM it has to find the entry in the watchdog's scratch
 * registers (RP2040 datasheet, section 2.8.1.1), in the form in which it leaves it there itself. */
static void point_bootrom_here(void) {
    const uint32_t magic = 0xb007c0d3u;
    uint32_t entry = (uint32_t)(uintptr_t)priot_entry;

    if (entry >= SRAM_START) {
        REGISTER(WATCHDOG_SCRATCH4) = magic;
        REGISTER(WATCHDOG_SCRATCH5) = entry ^ -magic;
        REGISTER(WATCHDOG_SCRATCH6) = (uint32_t)(uintptr_t)__stack_top;
        REGISTER(WATCHDOG_SCRATCH7) = entry;
    }
}

static _Noreturn void restart(uint32_t why) {
    witness.why = why;
    point_bootrom_here();
    __asm volatile("dsb" ::: "memory");
    REGISTER(AIRCR) = AIRCR_SYSRESETREQ;
    for (;;) {
    }
}

_Noreturn void reset_request(void) {
    uart_flush();
    usb_flush();
    usb_controller_stop();
    restart(WHY_REQUESTED);
}

/* The bootrom's function takes the pins that show activity, and the interfaces to leave out. */
_Noreturn void reset_to_loader(void) {
    const bootrom_function reset_usb_boot = bootrom_find('U', 'B');

    usb_controller_stop();
    if (reset_usb_boot != NULL) {
        ((void (*)(uint32_t, uint32_t))reset_usb_boot)(0, 0);
    }
    restart(WHY_REQUESTED);
}

_Noreturn void reset_request_loader(void) {
    uart_flush();
    usb_flush();
    reset_to_loader();
}

/* From priot_fault_entry: `frame` is where the core stacked r0-r3, r12, lr, pc and xpsr, if that is in SRAM at all. */
_Noreturn void priot_fault_record(const uint32_t *frame);

_Noreturn void priot_fault_record(const uint32_t *frame) {
    static const uint32_t nothing[8];
    uint32_t at = (uint32_t)(uintptr_t)frame;

    if (at < SRAM_START || at > SRAM_END - sizeof nothing || at % 4 != 0) {
        frame = nothing;
    }
    witness.fault = (priot_fault){
        .valid = PRIOT_FAULT_VALID,
        .r0 = frame[0],
        .r1 = frame[1],
        .r2 = frame[2],
        .r3 = frame[3],
        .r12 = frame[4],
        .lr = frame[5],
        .pc = frame[6],
        .xpsr = frame[7],
        .stage = priot_progress.stage,
        .operation = priot_progress.operation,
    };
    restart(WHY_FAULT);
}
