#include "priot_layer_loops.h"

PART void dots_plain(int32_t sums[PAIR][GROUP], const int8_t *const rows[PAIR], const int8_t *const vectors[GROUP],
                     uint32_t length) {
    memset(sums, 0, PAIR * sizeof *sums);
    for (uint32_t r = 0; r < PAIR; ++r) {
        add_dots(sums[r], rows[r], vectors, 0, length);
    }
}

PART void learn_row_plain(const priot_layer *layer, uint32_t row, const int32_t *gradient, priot_psto psto) {
    learn_columns(layer, row, 0, gradient, psto);
}

void priot_layer_forward(const priot_layer *layer, uint32_t first, uint32_t last) {
    forward(layer, first, last, dots_plain);
}

void priot_layer_input_error(const priot_layer *layer, uint32_t first, uint32_t last, int32_t *own) {
    input_error(layer, first, last, own);
}

uint32_t priot_layer_largest(const priot_layer *layer, uint32_t first, uint32_t last, int32_t *own) {
    return find_largest(layer, first, last, own);
}

void priot_layer_learn(const priot_layer *layer, uint32_t first, uint32_t last, int32_t *own) {
    learn(layer, first, last, own, learn_row_plain);
}

void priot_layer_requantize(const int32_t *sums, uint32_t count, uint32_t shift, int8_t *values) {
    requantize(sums, count, shift, values);
}
