#include "priot_conv2d_s8_backward.h"

void priot_conv2d_s8_error(const priot_conv2d_s8_error_args *args) {
    const priot_conv2d_geometry *g = &args->geometry;
    const size_t in_plane = (size_t)g->in_height * g->in_width;
    const size_t taps = (size_t)g->kernel * g->kernel;
    for (size_t i = 0; i < g->in_channels * in_plane; ++i) {
        args->accumulator[i] = 0;
    }
    for (uint32_t row = 0; row < g->out_channels; ++row) {
        const uint32_t errors = priot_errors_of_channel(&args->error, row, args->errors);
        if (errors == 0) {
            continue;
        }
        size_t tap = row * g->in_channels * taps;
        for (uint32_t ky = 0; ky < g->kernel; ++ky) {
            for (uint32_t kx = 0; kx < g->kernel; ++kx, ++tap) {
                const uint32_t count = priot_conv2d_terms_of_errors(g, args->errors, errors, ky, kx, args->terms);
                for (uint32_t channel = 0; channel < g->in_channels; ++channel) {
                    const int32_t weight = priot_effective(&args->weights, tap + channel * taps);
                    if (weight != 0) {
                        priot_terms_scatter(args->terms, count, weight, args->accumulator + channel * in_plane);
                    }
                }
            }
        }
    }
}
