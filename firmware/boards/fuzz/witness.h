/* A device under test and a witness beside it, who knows the protocol from its description alone: whatever bytes the
 * device takes, the witness says what the answer must be and what may change, and aborts where that does not come true.
 *
 * - A piece between two zero bytes is answered by one frame on its own line; nothing else is answered.
 * - Every answer is COBS(header, payload, CRC-32), says whose it is, and stays within the protocol's limit.
 * - What is refused, repeated, stale, out of sequence or damaged changes neither the model nor any tensor.
 * - The last request again has the last answer again, byte for byte.
 */
#ifndef PRIOT_WITNESS_H
#define PRIOT_WITNESS_H

#include <stddef.h>
#include <stdint.h>

#define WITNESS_LINES 2u

/* How the board differs from one with everything: bits for witness_begin. */
enum {
    WITNESS_NO_RESET = 1,  /* it cannot be reset */
    WITNESS_CYCLES = 2,    /* it counts cycles */
    WITNESS_FAULTED = 4,   /* it reports a fault */
    WITNESS_NO_LOADER = 8, /* it has no loader in ROM */
};

/* Makes a device without model, session or transfer set; its memory has exactly the size that it may use. */
void witness_begin(unsigned differences);

void witness_end(void);

/* Sends `count` bytes, none of them zero, on one line, and then a zero byte if `ends`. */
void witness_send(unsigned line, const uint8_t *piece, size_t count, int ends);

/* Puts bytes where the board's transfer set lies, unless a detached run is at work on it. */
void witness_flash(const uint8_t *bytes, size_t count);

/* What a request must name to be run next. */
uint32_t witness_session(void);
uint16_t witness_next_sequence(void);

#endif
