/* How the flash interface reads while the program runs: command 03h, one lane, which every flash chip knows. For
 * boot2.S, which sets it before there is C, and for flash.c, which sets it again. */
#ifndef PRIOT_RP2040_PLAIN_READS_H
#define PRIOT_RP2040_PLAIN_READS_H

#define SSI 0x18000000
#define SSI_CTRLR0 0x00
#define SSI_CTRLR1 0x04
#define SSI_SSIENR 0x08
#define SSI_BAUDR 0x14
#define SSI_RXFLR 0x24
#define SSI_DR0 0x60
#define SSI_SPI_CTRLR0 0xf4

#define PLAIN_BAUDR 4               /* 125 MHz / 4: below the 33 MHz that any chip allows for 03h */
#define PLAIN_CTRLR0 0x001f0300     /* 32-bit frames, one lane, "EEPROM read" */
#define PLAIN_SPI_CTRLR0 0x03000218 /* command 03h, 8-bit command, 24-bit address */
#define PLAIN_CTRLR1 0              /* one frame a read */

#endif
