/* A transfer set in flash, so that a whole epoch is one command. Its layout is the record `dataset` of the protocol. */
#ifndef PRIOT_DATASET_H
#define PRIOT_DATASET_H

#include "priot_board.h"
#include "priot_engine.h"
#include "priot_frame.h"

typedef struct {
    const uint8_t *labels; /* u16 each, training set first */
    const uint8_t *orders; /* u16 each: of every epoch of a detached run, one sample after the other */
    const int8_t *images;  /* in the same order; NULL: none was found */
    uint32_t image_bytes, train, test, epochs, crc;
} priot_dataset;

#define PRIOT_NO_DATASET ((priot_dataset){.images = NULL})

/* Whether the board's flash holds a transfer set that is whole and made for the loaded model; says where in *found. */
int priot_dataset_find(priot_dataset *found, const priot_board *board, const priot_engine *engine);

static inline const int8_t *priot_dataset_image(const priot_dataset *dataset, uint32_t sample) {
    return dataset->images + (size_t)sample * dataset->image_bytes;
}

static inline uint32_t priot_dataset_order(const priot_dataset *dataset, uint32_t epoch, uint32_t place) {
    return priot_get_u16(dataset->orders + 2 * ((size_t)epoch * dataset->train + place));
}

static inline uint32_t priot_dataset_label(const priot_dataset *dataset, uint32_t sample) {
    return priot_get_u16(dataset->labels + 2 * (size_t)sample);
}

#endif
