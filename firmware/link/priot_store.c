#include "priot_store.h"

/* What both commands ask of a range; `unit` is a power of two. */
static priot_status check_range(const priot_board *board, uint32_t offset, uint32_t count, uint32_t unit,
                                uint32_t *value) {
    if (board->erase == NULL || board->store == NULL) {
        return PRIOT_STATUS_UNKNOWN_COMMAND;
    }
    if (((offset | count) & (unit - 1)) != 0) {
        *value = (offset & (unit - 1)) != 0 ? offset : count;
        return PRIOT_STATUS_BAD_VALUE;
    }
    if (offset > board->dataset_bytes || count > board->dataset_bytes - offset) {
        *value = board->dataset_bytes;
        return PRIOT_STATUS_BAD_RANGE;
    }
    return PRIOT_STATUS_OK;
}

static void forget_dataset(priot_device *device) {
    device->dataset = PRIOT_NO_DATASET;
}

priot_status priot_store_erase(priot_device *device, uint32_t offset, uint32_t bytes, uint32_t *value) {
    const priot_board *board = device->board;
    const priot_status status = check_range(board, offset, bytes, PRIOT_SECTOR_BYTES, value);
    if (status != PRIOT_STATUS_OK) {
        return status;
    }
    forget_dataset(device);
    board->erase(offset, bytes);
    for (uint32_t at = offset; at < offset + bytes; ++at) {
        if (board->dataset[at] != 0xffu) {
            *value = at;
            return PRIOT_STATUS_BAD_FLASH;
        }
    }
    return PRIOT_STATUS_OK;
}

priot_status priot_store_write(priot_device *device, uint32_t offset, const uint8_t *bytes, uint32_t count,
                               uint32_t *value) {
    const priot_board *board = device->board;
    const priot_status status = check_range(board, offset, count, PRIOT_PAGE_BYTES, value);
    if (status != PRIOT_STATUS_OK) {
        return status;
    }
    forget_dataset(device);
    board->store(offset, bytes, count);
    for (uint32_t i = 0; i < count; ++i) {
        if (board->dataset[offset + i] != bytes[i]) {
            *value = offset + i;
            return PRIOT_STATUS_BAD_FLASH;
        }
    }
    return PRIOT_STATUS_OK;
}
