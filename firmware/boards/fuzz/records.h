/* The input of the fuzzer's second target: one byte for the board, then requests, each `command: u8, way: u8, length:
 * u16` and as many bytes of payload. The target frames them itself, so that the fuzzer reaches what lies behind the
 * CRC. */
#ifndef PRIOT_RECORDS_H
#define PRIOT_RECORDS_H

#include <stddef.h>
#include <stdint.h>

#define RECORD_HEAD_BYTES 4u
#define RECORDS_MAX 64u

/* How a request goes out. Any other way, 0 first of all: as the next of its session. harness/fuzz/records.py writes the
 * same. */
enum {
    WAY_AGAIN = 1,         /* the request before it once more, whatever this one says */
    WAY_OTHER_SESSION = 2, /* a hello starts that session */
    WAY_NO_SESSION = 3,
    WAY_AHEAD = 4,  /* a sequence number too far */
    WAY_BEHIND = 5, /* one that was used before the last */
    WAY_BAD_CRC = 6,
    WAY_BAD_LENGTH = 7, /* in the header */
    WAY_BAD_KIND = 8,
    WAY_BAD_VERSION = 9,
    WAY_CUT = 10,   /* the last byte is missing */
    WAY_FLASH = 11, /* no request: a transfer set whose magic and CRC are put right */
    WAY_MASK = 0x1f,
    WAY_SECOND_LINE = 0x20,
};

typedef struct {
    uint8_t command, way;
    const uint8_t *payload;
    size_t count;
} record;

/* Reads the record at *at and moves *at behind it; a length that leaves the input is cut to what is there. Returns 0 at
 * the end. */
int record_next(const uint8_t *data, size_t size, size_t *at, record *next);

/* Appends a record; returns the new size, or `size` where it does not fit. */
size_t record_append(uint8_t *data, size_t size, size_t room, const record *next);

#endif
