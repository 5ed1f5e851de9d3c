#include "unique_id.h"

#include "flash.h"
#include "memory.h"

#define COMMAND_READ_UNIQUE_ID 0x4bu

enum {
    DUMMY_BYTES = 4,
    FRAME_BYTES = 1 + DUMMY_BYTES + UNIQUE_ID_BYTES
};

_Static_assert(FRAME_BYTES <= FLASH_EXCHANGE_LIMIT, "command, four bytes of nothing, eight of id");

/* A chip that does not know the command leaves the line alone: all bits are alike. */
static int is_an_answer(const uint8_t *id) {
    for (int i = 0; i < UNIQUE_ID_BYTES; ++i) {
        if (id[i] != id[0]) {
            return 1;
        }
    }
    return id[0] != 0x00u && id[0] != 0xffu;
}

void unique_id_read(uint8_t id[UNIQUE_ID_BYTES]) {
    uint8_t frame[FRAME_BYTES] = {COMMAND_READ_UNIQUE_ID};

    flash_exchange(frame, FRAME_BYTES);
    if (is_an_answer(frame + 1 + DUMMY_BYTES)) {
        memcpy(id, frame + 1 + DUMMY_BYTES, UNIQUE_ID_BYTES);
    } else {
        memset(id, 0, UNIQUE_ID_BYTES);
    }
}
