#include "priot_maxpool2d_s8.h"

#include <stddef.h>

#include "priot_errors.h"

void priot_maxpool2d_s8(const priot_maxpool2d_s8_args *args) {
    const uint32_t size = args->size, width = args->width;
    size_t element = 0;
    for (uint32_t channel = 0; channel < args->channels; ++channel) {
        const size_t plane = (size_t)channel * args->height * width;
        for (uint32_t out_y = 0; out_y < args->out_height; ++out_y) {
            for (uint32_t out_x = 0; out_x < args->out_width; ++out_x, ++element) {
                uint32_t best_y = out_y * size, best_x = out_x * size;
                int8_t best = args->input[plane + best_y * width + best_x];
                for (uint32_t y = out_y * size; y < (out_y + 1) * size; ++y) {
                    const int8_t *line = args->input + plane + y * width;
                    for (uint32_t x = out_x * size; x < (out_x + 1) * size; ++x) {
                        if (line[x] > best) { /* strictly: the first maximum in row-major order stays */
                            best = line[x];
                            best_y = y;
                            best_x = x;
                        }
                    }
                }
                /* In place is safe: an output never lies behind an input that a later window still needs. */
                args->output[element] = best;
                if (args->route != NULL) {
                    args->route[element] = args->input_route != NULL ? args->input_route[plane + best_y * width + best_x]
                                                                     : priot_route_of(best_y, best_x);
                }
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
