/* Frames in, commands out: one command at a time, the last response kept. A board may have several lines; each has a
 * receiver of its own, and a request is answered on the line on which it came. */
#ifndef PRIOT_LINK_H
#define PRIOT_LINK_H

#include "priot_board.h"
#include "priot_frame.h"

typedef struct priot_device priot_device; /* one model, one arena, one link; see priot_device.h */

/* One stream of bytes to and from a host. */
typedef struct {
    priot_receiver receiver;
    void (*send)(const uint8_t *bytes, size_t count);
} priot_line;

/* Prepares a line. */
void priot_line_init(priot_line *line, void (*send)(const uint8_t *bytes, size_t count));

/* Prepares a device. `board` must outlive it; `arena` is aligned to 8 and belongs to it from now on. */
void priot_device_init(priot_device *device, const priot_board *board, uint8_t *arena, size_t arena_bytes);

/* Takes the next byte of a line; at the end of a request it runs the command and sends the response before it returns.
 */
void priot_link_receive(priot_device *device, priot_line *line, uint8_t byte);

/* A part of a detached run, one sample of it; returns whether more is left. To be called between two looks at the lines
 * by a board that says it has the capability `run`, which waits for bytes only where nothing is left. */
int priot_device_work(priot_device *device);

#endif
