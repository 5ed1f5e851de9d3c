/* What the linker scripts say about an image. Only the addresses of these names mean anything. */
#ifndef PRIOT_RP2040_IMAGE_H
#define PRIOT_RP2040_IMAGE_H

#include <stdint.h>

extern uint8_t __ramcode_start[], __ramcode_end[]; /* code that runs in SRAM in the flash image too... */
extern const uint8_t __ramcode_load[];             /* ...and where it waits for start-up */
extern uint32_t __bss_start[], __bss_end[];
extern uint8_t __arena_start[], __arena_end[]; /* all SRAM that is left; 8-aligned */
extern uint8_t __stack_top[];
extern const uint8_t __build_id[]; /* the linker's GNU note, behind its header */

#define SRAM_START 0x20000000u
#define SRAM_END 0x20042000u

void priot_entry(void);       /* first instruction of the image (entry.S) */
void priot_fault_entry(void); /* HardFault, and interrupts that nobody asked for (entry.S) */
_Noreturn void priot_start(void);
int main(void);

#endif
