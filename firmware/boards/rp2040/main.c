/* The RP2040 board: one device on two lines, UART0 and USB. The same for the RAM and the flash image. */
#include "clocks.h"
#include "image.h"
#include "priot_device.h"
#include "priot_link.h"
#include "priot_protocol.h"
#include "reset.h"
#include "uart.h"
#include "unique_id.h"
#include "usb_cdc.h"
#include "usb_controller.h"
#include "usb_descriptors.h"

/* The transfer set lies behind the program, up to the end of a Pico's 2 MB of flash. */
#define DATASET ((const uint8_t *)0x10060000u)
#define DATASET_BYTES (0x200000u - 0x60000u)

static uint8_t unique_id[UNIQUE_ID_BYTES];
static priot_board board;
static priot_device device;
static priot_line uart_line, usb_line;

/* Sleeps until a line has a byte. With interrupts masked, one that comes between the look and the sleep still ends it.
 */
static void wait_for_bytes(void) {
    __asm volatile("cpsid i" ::: "memory");
    if (uart_is_empty() && usb_is_empty()) {
        __asm volatile("wfi" ::: "memory");
    }
    __asm volatile("cpsie i" ::: "memory");
}

int main(void) {
    usb_controller_stop(); /* after a fault it is still on: let the host see it go while the clocks start */
    unique_id_read(unique_id);
    clocks_start();
    uart_start();
    usb_descriptors_start(unique_id);
    usb_cdc_start();
    usb_controller_start();
    board = (priot_board){
        .name = "rp2040",
        .build_id = __build_id,
        .unique_id = unique_id,
        .clock_hz = CLOCK_MHZ * 1000000u,
        .capabilities = PRIOT_CAPABILITY_CYCLES | PRIOT_CAPABILITY_RESET | PRIOT_CAPABILITY_DATASET,
        .reset_cause = reset_cause(),
        .fault = reset_fault(),
        .dataset = DATASET,
        .dataset_bytes = DATASET_BYTES,
        .cycles = clocks_cycles,
        .reset = reset_request,
    };
    priot_device_init(&device, &board, __arena_start, (size_t)(__arena_end - __arena_start));
    priot_line_init(&uart_line, uart_send);
    priot_line_init(&usb_line, usb_send);
    for (;;) {
        uint8_t byte;
        wait_for_bytes();
        while (uart_take(&byte)) {
            priot_link_receive(&device, &uart_line, byte);
        }
        while (usb_take(&byte)) {
            priot_link_receive(&device, &usb_line, byte);
        }
    }
}
