#include "priot_dataset.h"

#include "priot_crc32.h"
#include "priot_frame.h"

int priot_dataset_find(priot_dataset *found, const priot_board *board, const priot_engine *engine) {
    const uint8_t *head = board->dataset;
    const uint64_t room = board->dataset_bytes;
    if (head == NULL || room < PRIOT_DATASET_RECORD_BYTES ||
        priot_get_u32(head + PRIOT_DATASET_RECORD_MAGIC) != PRIOT_DATASET_MAGIC) {
        return 0;
    }
    found->image_bytes = priot_get_u32(head + PRIOT_DATASET_RECORD_IMAGE_BYTES);
    found->train = priot_get_u32(head + PRIOT_DATASET_RECORD_TRAIN);
    found->test = priot_get_u32(head + PRIOT_DATASET_RECORD_TEST);
    found->epochs = priot_get_u32(head + PRIOT_DATASET_RECORD_EPOCHS);
    const uint64_t samples = (uint64_t)found->train + found->test, visits = (uint64_t)found->epochs * found->train;
    if (found->image_bytes != priot_elements(engine->model.image_shape) || samples > 0xffffffu || visits > 0xffffffu ||
        samples * (found->image_bytes + 2ull) + 2 * visits > room - PRIOT_DATASET_RECORD_BYTES) {
        return 0;
    }
    const uint8_t *body = head + PRIOT_DATASET_RECORD_BYTES;
    found->labels = body;
    found->orders = body + 2 * samples;
    found->images = (const int8_t *)(found->orders + 2 * visits);
    found->crc = priot_get_u32(head + PRIOT_DATASET_RECORD_CRC);
    if (found->crc != priot_crc32(0, body, (size_t)(samples * (found->image_bytes + 2ull) + 2 * visits))) {
        return 0;
    }
    for (size_t i = 0; i < visits; ++i) {
        if (priot_get_u16(found->orders + 2 * i) >= found->train) {
            return 0;
        }
    }
    for (size_t i = 0; i < samples; ++i) {
        if (priot_get_u16(found->labels + 2 * i) >= priot_classes(engine)) {
            return 0;
        }
    }
    for (size_t i = 0; i < samples * found->image_bytes; ++i) {
        if (found->images[i] == -128) {
            return 0;
        }
    }
    return 1;
}
