/* Sparse sums. On a trained network most inputs and errors are zero (findings: 5 to 50 % are not), so every kernel
 * first lists the terms that are not, then runs one of two inner loops over the list. The order of summation is free:
 * nothing overflows. */
#ifndef PRIOT_TERMS_H
#define PRIOT_TERMS_H

#include <stdint.h>

/* A non-zero value and where it counts: the position in the upper 22 bits, the int8 value in the lower 8. The two bits
 * between are 0, so that one shift gives the position and another the byte offset of a 32-bit element. */
typedef uint32_t priot_term;

#define PRIOT_TERM_POSITIONS (1u << 22) /* positions are below this */

static inline priot_term priot_term_of(uint32_t position, int8_t value) {
    return (position << 10) | (uint8_t)value;
}

static inline uint32_t priot_term_position(priot_term term) {
    return term >> 10;
}

/* The element of a 32-bit array at the term's position. */
static inline int32_t *priot_term_element(priot_term term, int32_t *array) {
    return (int32_t *)((char *)array + (term >> 8));
}

static inline int32_t priot_term_value(priot_term term) {
    return (int8_t)(uint8_t)term;
}

/* Lists the non-zero elements of values[count]; returns how many. terms holds count. */
uint32_t priot_terms_of_vector(const int8_t *values, uint32_t count, priot_term *terms);

/* sum over the terms of value * vector[position]. */
int32_t priot_terms_dot(const priot_term *terms, uint32_t count, const int8_t *vector);

/* accumulator[position] += weight * value for each term. */
void priot_terms_scatter(const priot_term *terms, uint32_t count, int32_t weight, int32_t *accumulator);

#endif
