#include "priot_conv2d_s8.h"

/* The output positions that a kernel tap reaches along one axis: those whose input lies inside the image. */
typedef struct {
    uint32_t begin, end; /* output positions */
    uint32_t input;      /* input position of `begin` */
} tap_range;

static tap_range range_of(uint32_t tap, uint32_t padding, uint32_t stride, uint32_t in, uint32_t out) {
    tap_range range = {0, 0, tap};
    while (range.begin < out && range.input < padding) { /* input counts from the padded edge */
        range.input += stride;
        ++range.begin;
    }
    range.end = range.begin;
    for (uint32_t at = range.input; range.end < out && at < in + padding; at += stride) {
        ++range.end;
    }
    range.input -= range.begin < range.end ? padding : range.input;
    return range;
}

/* Lists what one kernel tap takes from a channel: the non-zero inputs, by the output position they count for. */
static uint32_t terms_of_tap(const priot_conv2d_geometry *g, const int8_t *plane, uint32_t ky, uint32_t kx,
                             priot_term *terms) {
    const tap_range rows = range_of(ky, g->padding, g->stride, g->in_height, g->out_height);
    const tap_range columns = range_of(kx, g->padding, g->stride, g->in_width, g->out_width);
    const uint32_t stride = g->stride, out_width = g->out_width, line_step = stride * g->in_width;
    const int8_t *line = plane + (size_t)rows.input * g->in_width + columns.input;
    priot_term *next = terms;
    for (uint32_t y = rows.begin; y < rows.end; ++y, line += line_step) {
        const int8_t *input = line;
        const uint32_t end = y * out_width + columns.end;
        for (uint32_t position = y * out_width + columns.begin; position < end; ++position, input += stride) {
            const int8_t value = *input;
            if (value != 0) {
                *next++ = priot_term_of(position, value);
            }
        }
    }
    return (uint32_t)(next - terms);
}

void priot_conv2d_s8_forward(const priot_conv2d_s8_forward_args *args) {
    const priot_conv2d_geometry *g = &args->geometry;
    const size_t in_plane = (size_t)g->in_height * g->in_width;
    const size_t out_plane = (size_t)g->out_height * g->out_width;
    const size_t taps = (size_t)g->kernel * g->kernel;
    const size_t fan_in = g->in_channels * taps;
    for (size_t i = 0; i < g->out_channels * out_plane; ++i) {
        args->accumulator[i] = 0;
    }
    for (uint32_t channel = 0; channel < g->in_channels; ++channel) {
        const int8_t *plane = args->input + channel * in_plane;
        size_t edge = channel * taps;
        for (uint32_t ky = 0; ky < g->kernel; ++ky) {
            for (uint32_t kx = 0; kx < g->kernel; ++kx, ++edge) {
                const uint32_t count = terms_of_tap(g, plane, ky, kx, args->terms);
                if (count == 0) {
                    continue;
                }
                for (uint32_t row = 0; row < g->out_channels; ++row) {
                    const int32_t weight = priot_effective(&args->weights, row * fan_in + edge);
                    if (weight != 0) {
                        priot_terms_scatter(args->terms, count, weight, args->accumulator + row * out_plane);
                    }
                }
            }
        }
    }
}
