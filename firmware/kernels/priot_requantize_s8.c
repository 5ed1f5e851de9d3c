#include "priot_requantize_s8.h"

#include "priot_math.h"

void priot_requantize_s8(const int32_t *accumulator, uint32_t count, uint32_t shift, int8_t *output) {
    const uint32_t half = priot_rounding_half(shift);
    for (uint32_t i = 0; i < count; ++i) {
        output[i] = priot_requantize(accumulator[i], shift, half);
    }
}

uint32_t priot_largest_s32(const int32_t *values, uint32_t count) {
    uint32_t largest = 0;
    for (uint32_t i = 0; i < count; ++i) {
        const uint32_t magnitude = priot_magnitude(values[i]);
        largest = magnitude > largest ? magnitude : largest;
    }
    return largest;
}
