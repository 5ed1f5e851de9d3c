/* A ring of bytes: an interrupt puts them in, the main loop takes them out, and neither has to lock the other out. */
#ifndef PRIOT_RP2040_RING_H
#define PRIOT_RP2040_RING_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    volatile uint32_t written; /* by the interrupt only; both run freely and are masked where they index */
    volatile uint32_t read;    /* by the main loop only */
    uint8_t *bytes;
    uint32_t capacity; /* a power of two */
} ring;

static inline void ring_init(ring *ring, uint8_t *bytes, uint32_t capacity) {
    ring->written = ring->read = 0;
    ring->bytes = bytes;
    ring->capacity = capacity;
}

static inline bool ring_is_empty(const ring *ring) {
    return ring->read == ring->written;
}

/* How many bytes may be put. */
static inline uint32_t ring_room(const ring *ring) {
    return ring->capacity - (ring->written - ring->read);
}

/* Puts a byte; only where there is room. */
static inline void ring_put(ring *ring, uint8_t byte) {
    ring->bytes[ring->written & (ring->capacity - 1u)] = byte;
    __asm volatile("" ::: "memory"); /* first the byte, then the word that says it is there */
    ring->written++;
}

/* Takes the oldest byte; false if there is none. */
static inline bool ring_take(ring *ring, uint8_t *byte) {
    if (ring_is_empty(ring)) {
        return false;
    }
    *byte = ring->bytes[ring->read & (ring->capacity - 1u)];
    __asm volatile("" ::: "memory");
    ring->read++;
    return true;
}

#endif
