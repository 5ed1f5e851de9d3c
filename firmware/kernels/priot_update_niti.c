#include "priot_math.h"
#include "priot_update_s8.h"

void priot_update_niti(int8_t *weights, const int32_t *gradient, uint32_t count, uint32_t shift) {
    const priot_psto psto = priot_psto_of(shift);
    for (uint32_t i = 0; i < count; ++i) {
        if (gradient[i] != 0) {
            weights[i] = priot_clip_s8(weights[i] - priot_psto_clip(gradient[i], &psto));
        }
    }
}
