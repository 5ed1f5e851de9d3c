#include "priot_conv2d_s8_backward.h"

uint32_t priot_conv2d_terms_of_errors(const priot_conv2d_geometry *geometry, const priot_error *errors, uint32_t count,
                                      uint32_t ky, uint32_t kx, priot_term *terms) {
    const uint32_t stride = geometry->stride, height = geometry->in_height, width = geometry->in_width;
    const uint32_t up = ky - geometry->padding, left = kx - geometry->padding;
    priot_term *next = terms;
    for (const priot_error *error = errors; error != errors + count; ++error) {
        /* Above or left of the image the difference wraps to a huge number, so one comparison checks both ends. */
        const uint32_t y = error->y * stride + up;
        const uint32_t x = error->x * stride + left;
        if (y < height && x < width) {
            *next++ = priot_term_of(y * width + x, (int8_t)error->value);
        }
    }
    return (uint32_t)(next - terms);
}
