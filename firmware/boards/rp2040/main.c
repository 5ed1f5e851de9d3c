/* The RP2040 board: one device on two lines, UART0 and USB. The same for the RAM and the flash image. */
#include "clocks.h"
#include "flash.h"
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
#define FLASH 0x10000000u
#define DATASET_OFFSET 0x60000u
#define DATASET_BYTES (0x200000u - DATASET_OFFSET)

static uint8_t unique_id[UNIQUE_ID_BYTES];
static priot_board board;
static priot_device device;
static priot_line uart_line, usb_line;

static void erase_dataset(uint32_t offset, uint32_t bytes) {
    flash_erase(DATASET_OFFSET + offset, bytes);
}

static void store_dataset(uint32_t offset, const uint8_t *bytes, uint32_t count) {
    flash_program(DATASET_OFFSET + offset, bytes, count);
}

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
    const int has_flash = flash_start();
    if (has_flash) {
        unique_id_read(unique_id);
    }
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
        .capabilities = PRIOT_CAPABILITY_CYCLES | PRIOT_CAPABILITY_RESET | PRIOT_CAPABILITY_DATASET |
                        PRIOT_CAPABILITY_RUN | (has_flash ? (uint32_t)PRIOT_CAPABILITY_STORE : 0u),
        .reset_cause = reset_cause(),
        .fault = reset_fault(),
        .dataset = (const uint8_t *)(FLASH + DATASET_OFFSET),
        .dataset_bytes = DATASET_BYTES,
        .cycles = clocks_cycles,
        .reset = reset_request,
        .reset_to_loader = reset_request_loader,
        .erase = has_flash ? erase_dataset : NULL,
        .store = has_flash ? store_dataset : NULL,
    };
    priot_device_init(&device, &board, __arena_start, (size_t)(__arena_end - __arena_start));
    priot_line_init(&uart_line, uart_send);
    priot_line_init(&usb_line, usb_send);
    for (;;) {
        uint8_t byte;
        if (!priot_device_work(&device)) {
            wait_for_bytes();
        }
        while (uart_take(&byte)) {
            priot_link_receive(&device, &uart_line, byte);
        }
        while (usb_take(&byte)) {
            priot_link_receive(&device, &usb_line, byte);
        }
    }
}
