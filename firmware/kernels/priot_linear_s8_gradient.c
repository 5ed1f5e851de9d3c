#include "priot_linear_s8.h"

uint32_t priot_linear_s8_gradient(const priot_linear_s8_gradient_args *args) {
    priot_error error;
    if (priot_errors_of_channel(&args->error, args->row, &error) == 0) {
        return 0;
    }
    for (uint32_t i = 0; i < args->in; ++i) {
        args->gradient[i] = error.value * args->input[i];
    }
    return 1;
}
