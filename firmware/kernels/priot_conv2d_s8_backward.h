/* Shared by the error and the gradient of a convolution: both walk the same taps from an output error to the input. */
#ifndef PRIOT_CONV2D_S8_BACKWARD_H
#define PRIOT_CONV2D_S8_BACKWARD_H

#include "priot_conv2d_s8.h"

/* Lists what one kernel tap carries of a channel's errors: by the input position they meet, those that meet padding
 * left out. */
uint32_t priot_conv2d_terms_of_errors(const priot_conv2d_geometry *geometry, const priot_error *errors, uint32_t count,
                                      uint32_t ky, uint32_t kx, priot_term *terms);

#endif
