/* Frames in, commands out: one receiver, one command at a time, the last response kept.
 * Boards feed it bytes in the order in which they came; it answers through board->send. */
#ifndef PRIOT_LINK_H
#define PRIOT_LINK_H

#include "priot_board.h"

typedef struct priot_device priot_device; /* one model, one arena, one link; see priot_device.h */

/* Prepares a device. `board` must outlive it; `arena` is aligned to 8 and belongs to it from now on. */
void priot_device_init(priot_device *device, const priot_board *board, uint8_t *arena, size_t arena_bytes);

/* Takes one byte of the stream; at the end of a request it runs the command and sends the response before it returns.
 */
void priot_link_receive(priot_device *device, uint8_t byte);

#endif
