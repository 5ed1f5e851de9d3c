#include "priot_errors.h"

uint32_t priot_errors_of_channel(const priot_stage_error *stage, uint32_t channel, priot_error *errors) {
    size_t element = (size_t)channel * stage->height * stage->width;
    priot_error *next = errors;
    for (uint32_t y = 0; y < stage->height; ++y) {
        for (uint32_t x = 0; x < stage->width; ++x, ++element) {
            const int8_t value = stage->error[element];
            if (value == 0 || (stage->output != NULL && stage->output[element] <= 0)) {
                continue;
            }
            const uint32_t route = stage->route != NULL ? stage->route[element] : priot_route_of(y, x);
            next->y = (uint16_t)(route >> 16);
            next->x = (uint16_t)route;
            next->value = value;
            ++next;
        }
    }
    return (uint32_t)(next - errors);
}
