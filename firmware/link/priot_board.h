/* What the link needs of the board it runs on: constants, and the few things that only a board can do. */
#ifndef PRIOT_BOARD_H
#define PRIOT_BOARD_H

#include <stddef.h>
#include <stdint.h>

#include "priot_protocol.h"

/* Why the core started last. */
typedef enum {
    PRIOT_RESET_POWER_ON = 0,
    PRIOT_RESET_REQUESTED = 1,
    PRIOT_RESET_FAULT = 2,
    PRIOT_RESET_WATCHDOG = 3,
} priot_reset_cause;

/* A HardFault's witness. It lies in memory that start-up does not clear, so that the next HELLO can report it. */
typedef struct {
    uint32_t valid; /* PRIOT_FAULT_VALID when the rest was written */
    uint32_t r0, r1, r2, r3, r12, lr, pc, xpsr;
    uint32_t stage; /* priot_progress.stage and .operation when the fault struck */
    uint32_t operation;
} priot_fault;

#define PRIOT_FAULT_VALID 0x544c4146u /* "FALT" */

typedef struct {
    const char *name;         /* for people: "rp2040", "host" */
    const uint8_t *build_id;  /* PRIOT_BUILD_ID_BYTES bytes of the ELF's GNU note */
    const uint8_t *unique_id; /* 8 bytes that tell one board from another */
    uint32_t clock_hz;        /* 0 where time is not counted */
    uint32_t capabilities;    /* PRIOT_CAPABILITY_... */
    priot_reset_cause reset_cause;
    const priot_fault *fault; /* the last HardFault, or NULL */
    const uint8_t *dataset;   /* where a transfer set may lie, or NULL */
    uint32_t dataset_bytes;   /* how much may be read there */
    uint64_t (*cycles)(void); /* core cycles since start-up; NULL where they are not counted */
    void (*reset)(void);      /* does not return on a board; NULL where there is nothing to reset */
    void (*reset_to_loader)(void);
    /* Write the flash at `dataset`, in whole sectors and erased pages; NULL where that cannot be done from here. */
    void (*erase)(uint32_t offset, uint32_t bytes);
    void (*store)(uint32_t offset, const uint8_t *bytes, uint32_t count);
} priot_board;

#endif
