/* Resets, and what survives them: the reason, and the last HardFault's registers. */
#ifndef PRIOT_RP2040_RESET_H
#define PRIOT_RP2040_RESET_H

#include "priot_board.h"

/* Why the core started. Call it once: it forgets the reason. */
priot_reset_cause reset_cause(void);

/* The last HardFault since power came on, or NULL. */
const priot_fault *reset_fault(void);

/* Starts the image anew, once both lines have sent what they hold. */
_Noreturn void reset_request(void);

/* The same, but as `reset_to_loader` does. */
_Noreturn void reset_request_loader(void);

/* Restarts as the bootrom's USB loader, which takes a new image; as the image where there is no bootrom. */
_Noreturn void reset_to_loader(void);

#endif
