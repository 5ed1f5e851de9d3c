/* The four functions that a compiler may call even in freestanding code, as <string.h> has them. */
#ifndef PRIOT_RP2040_MEMORY_H
#define PRIOT_RP2040_MEMORY_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t count);
void *memmove(void *to, const void *from, size_t count);
void *memset(void *to, int value, size_t count);
int memcmp(const void *left, const void *right, size_t count);

#endif
