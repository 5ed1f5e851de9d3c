#include "priot_maxpool2d_s8.h"

#include <stddef.h>

#include "priot_errors.h"

/* `size` is args->size; said again so that a caller that knows it gets its loops unrolled. */
static inline __attribute__((always_inline)) void pool(const priot_maxpool2d_s8_args *args, uint32_t size) {
    const uint32_t width = args->width;
    size_t element = 0;
    for (uint32_t channel = 0; channel < args->channels; ++channel) {
        const size_t plane = (size_t)channel * args->height * width;
        for (uint32_t out_y = 0; out_y < args->out_height; ++out_y) {
            const uint32_t top = out_y * size;
            const int8_t *window = args->input + plane + top * width;
            for (uint32_t left = 0; left < args->out_width * size; left += size, window += size, ++element) {
                int8_t best = *window;
                uint32_t best_y = 0, best_x = 0;
                for (uint32_t y = 0; y < size; ++y) {
                    for (uint32_t x = 0; x < size; ++x) {
                        const int8_t value = window[y * width + x];
                        if (value > best) { /* strictly: the first maximum in row-major order stays */
                            best = value;
                            best_y = y;
                            best_x = x;
                        }
                    }
                }
                /* In place is safe: an output never lies behind an input that a later window still needs. */
                args->output[element] = best;
                if (args->route != NULL) {
                    best_y += top;
                    best_x += left;
                    args->route[element] = args->input_route != NULL
                                               ? args->input_route[plane + best_y * width + best_x]
                                               : priot_route_of(best_y, best_x);
                }
            }
        }
    }
}

void priot_maxpool2d_s8(const priot_maxpool2d_s8_args *args) {
    if (args->size == 2) {
        pool(args, 2); /* by far the most frequent */
    } else {
        pool(args, args->size);
    }
}

void priot_relu_s8(int8_t *values, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) {
        if (values[i] < 0) {
            values[i] = 0;
        }
    }
}
