/* The RP2040 board: one device, fed by the UART. The same for the RAM and the flash image. */
#include "clocks.h"
#include "image.h"
#include "priot_device.h"
#include "priot_link.h"
#include "priot_protocol.h"
#include "reset.h"
#include "uart.h"

/* The transfer set lies behind the program, up to the end of a Pico's 2 MB of flash. */
#define DATASET ((const uint8_t *)0x10060000u)
#define DATASET_BYTES (0x200000u - 0x60000u)

/* The flash chip knows an id, but only by commands that stop execution from flash; a debug probe's serial number and
 * the build id tell boards apart. */
static const uint8_t unique_id[8];

static priot_board board;
static priot_device device;
static priot_line uart_line;

int main(void) {
    clocks_start();
    uart_start();
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
    for (;;) {
        uint8_t byte;
        uart_wait();
        while (uart_take(&byte)) {
            priot_link_receive(&device, &uart_line, byte);
        }
    }
}
