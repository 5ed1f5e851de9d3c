#include "priot_maxpool2d_s8.h"

#include <stddef.h>

#include "priot_errors.h"

/* Where the first maximum of a window lies, in row-major order from the window's corner. */
typedef struct {
    int8_t value;
    uint32_t y, x;
} maximum;

static inline __attribute__((always_inline)) maximum maximum_of(const int8_t *window, uint32_t width, uint32_t size) {
    maximum best = {*window, 0, 0};
    for (uint32_t y = 0; y < size; ++y, window += width) {
        for (uint32_t x = 0; x < size; ++x) {
            if (window[x] > best.value) { /* strictly: the first maximum stays */
                best = (maximum){window[x], y, x};
            }
        }
    }
    return best;
}

/* One line of windows; returns the element behind it. `size` is said by the caller, so that a constant unrolls the
 * loops. In place is safe: an output never lies behind an input that a later window still needs. */
static inline __attribute__((always_inline)) void pool_line(const priot_maxpool2d_s8_args *args, uint32_t size,
                                                            const int8_t *plane, const uint32_t *plane_route,
                                                            uint32_t top, size_t element) {
    const uint32_t width = args->width, end = args->out_width * size;
    int8_t *output = args->output + element;
    uint32_t *route = args->route != NULL ? args->route + element : NULL;
    for (uint32_t left = 0; left < end; left += size) {
        const maximum best = maximum_of(plane + top * width + left, width, size);
        *output++ = best.value;
        if (route != NULL) {
            const uint32_t y = top + best.y, x = left + best.x;
            *route++ = plane_route != NULL ? plane_route[y * width + x] : priot_route_of(y, x);
        }
    }
}

void priot_maxpool2d_s8(const priot_maxpool2d_s8_args *args) {
    const size_t plane = (size_t)args->height * args->width;
    size_t element = 0;
    for (uint32_t channel = 0; channel < args->channels; ++channel) {
        const int8_t *input = args->input + channel * plane;
        const uint32_t *route = args->input_route != NULL ? args->input_route + channel * plane : NULL;
        for (uint32_t y = 0; y < args->out_height; ++y, element += args->out_width) {
            if (args->size == 2) { /* by far the most frequent */
                pool_line(args, 2, input, route, 2 * y, element);
            } else {
                pool_line(args, args->size, input, route, args->size * y, element);
            }
        }
    }
}

void priot_relu_s8(int8_t *values, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) {
        if (values[i] < 0) {
            values[i] = 0;
        }
    }
}
