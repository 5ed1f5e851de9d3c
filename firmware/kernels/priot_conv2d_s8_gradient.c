#include "priot_conv2d_s8_backward.h"

uint32_t priot_conv2d_s8_gradient(const priot_conv2d_s8_gradient_args *args) {
    const priot_conv2d_geometry *g = &args->geometry;
    const size_t in_plane = (size_t)g->in_height * g->in_width;
    const size_t taps = (size_t)g->kernel * g->kernel;
    const uint32_t errors = priot_errors_of_channel(&args->error, args->row, args->errors);
    if (errors == 0) {
        return 0;
    }
    size_t tap = 0;
    for (uint32_t ky = 0; ky < g->kernel; ++ky) {
        for (uint32_t kx = 0; kx < g->kernel; ++kx, ++tap) {
            const uint32_t count = priot_conv2d_terms_of_errors(g, args->errors, errors, ky, kx, args->terms);
            for (uint32_t channel = 0; channel < g->in_channels; ++channel) {
                args->gradient[tap + channel * taps] =
                    priot_terms_dot(args->terms, count, args->input + channel * in_plane);
            }
        }
    }
    return errors;
}
