/* Several requests in one frame: a small case costs a round trip for each, more time than its arithmetic. */
#ifndef PRIOT_BATCH_H
#define PRIOT_BATCH_H

#include "priot_call.h"

/* The command batch: runs its parts in their order, up to the first that is refused. */
priot_status priot_batch_run(priot_call *at);

#endif
