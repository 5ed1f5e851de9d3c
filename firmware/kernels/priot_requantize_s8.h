/* From 32-bit sums to int8. Defined by reference/arithmetic.py: requantize and bit_width. */
#ifndef PRIOT_REQUANTIZE_S8_H
#define PRIOT_REQUANTIZE_S8_H

#include <stdint.h>

/* output[i] = requantize(accumulator[i], shift), shift 0..31. The output may begin where the accumulator does: it
 * narrows in place. */
void priot_requantize_s8(const int32_t *accumulator, uint32_t count, uint32_t shift, int8_t *output);

/* max|values|, 0 for none. */
uint32_t priot_largest_s32(const int32_t *values, uint32_t count);

#endif
