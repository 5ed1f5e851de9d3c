/* Atomic aliases and narrow writes on a register that is plain memory (PADS_BANK0 GPIO0), then a register of a
 * peripheral that the emulator does not have (PIO0). */
#include "registers.h"

#define PAD 0x4001c004u
#define PIO0_TXF0 0x50200010u

int main(void) {
    uart_start();
    REGISTER(PAD) = 0x0f0f;
    send_word(REGISTER(PAD));
    REGISTER(PAD + 0x1000u) = 0x00ff; /* XOR */
    send_word(REGISTER(PAD));
    REGISTER(PAD + 0x2000u) = 0x8000; /* set */
    send_word(REGISTER(PAD));
    REGISTER(PAD + 0x3000u) = 0x0f00; /* clear */
    send_word(REGISTER(PAD));
    *(volatile uint8_t *)(PAD + 1u) = 0x5a;
    send_word(REGISTER(PAD));
    *(volatile uint16_t *)PAD = 0x1234;
    send_word(REGISTER(PAD));
    send_word(*(volatile uint8_t *)(PAD + 1u));
    REGISTER(PIO0_TXF0) = 77;
    send_word(REGISTER(PIO0_TXF0));
    return 0;
}
