/* Generated from firmware/link/protocol.toml by `invoke protocol`; edit that. */
#ifndef PRIOT_STATUS_H
#define PRIOT_STATUS_H

#define PRIOT_VERSION 0x2u /* protocol version; a device of another version is refused */
#define PRIOT_PAYLOAD_LIMIT 0x400u /* bytes of payload at most, in either direction */
#define PRIOT_BUILD_ID_BYTES 0x14u /* length of the build id, the ELF's GNU note */
#define PRIOT_MAX_LAYERS 0x30u /* layers of a network at most, so that a model description fits one frame */
#define PRIOT_MAX_STAGES 0x18u /* layers with weights at most */
#define PRIOT_DYNAMIC_SHIFT 0xffu /* in place of a shift: compute it; in an answer: the tensor was all zero */
#define PRIOT_DATASET_MAGIC 0x54444950u /* first word of a transfer set in flash, 'PIDT' */
#define PRIOT_SECTOR_BYTES 0x1000u /* what erase takes at least */
#define PRIOT_PAGE_BYTES 0x100u /* what store takes at least */
#define PRIOT_MAX_RUN_EPOCHS 0x28u /* epochs of a detached run at most, so that its results fit one frame */
#define PRIOT_NO_DETAIL 0xffffffffu /* a status's layer or value that says nothing */

typedef enum {
    PRIOT_KIND_REQUEST = 1, /* host to device */
    PRIOT_KIND_RESPONSE = 2, /* device to host; where the status is not ok the payload is `layer: u32, value: u32` */
    PRIOT_KIND_LOG = 3, /* device to host, at any time: text for people */
} priot_kind;

typedef enum {
    PRIOT_STATUS_OK = 0, /* done */
    PRIOT_STATUS_BAD_FRAME = 1, /* the frame's CRC, version, kind or length is wrong; nothing was run, send it again */
    PRIOT_STATUS_UNKNOWN_COMMAND = 2, /* no such command, or none that this device can do */
    PRIOT_STATUS_BAD_LENGTH = 3, /* the payload is shorter or longer than the command takes */
    PRIOT_STATUS_NOT_LOADED = 4, /* no model is loaded, or it is not started, started already, or of the other mode */
    PRIOT_STATUS_BAD_MODEL = 5, /* a number in the model's description is outside its range, or contradicts another one */
    PRIOT_STATUS_BAD_GEOMETRY = 6, /* a layer whose sizes are not legal or do not fit, or a count of classes outside 2 to 1024 */
    PRIOT_STATUS_OVERFLOW = 7, /* a 32-bit accumulator of this layer could overflow */
    PRIOT_STATUS_TOO_LARGE = 8, /* the model breaks a limit of the device: arena, layers, or the size of one of them */
    PRIOT_STATUS_BAD_TENSOR = 9, /* no such tensor in this model, or it may not be written now */
    PRIOT_STATUS_BAD_RANGE = 10, /* what is named leaves the tensor, the stage, the answer or the room for a transfer set */
    PRIOT_STATUS_BAD_VALUE = 11, /* -128, or a number outside its range, out of order or no multiple of what it must be */
    PRIOT_STATUS_NO_DATASET = 12, /* no transfer set lies in flash, it is damaged or of another model, or nobody has looked */
    PRIOT_STATUS_STALE_SESSION = 13, /* the request is of another session than the last HELLO's; nothing was run */
    PRIOT_STATUS_OUT_OF_SEQUENCE = 14, /* the request is neither the next one nor the last one again; nothing was run */
    PRIOT_STATUS_BAD_FLASH = 15, /* the flash does not hold what was put there, or is not erased, from byte `value` on */
    PRIOT_STATUS_BUSY = 16, /* a detached run is at work: only hello, progress, stop and reset are taken; nothing was run */
} priot_status;

typedef enum {
    PRIOT_TENSOR_IMAGE = 0, /* the sample, int8; its layer is 0 */
    PRIOT_TENSOR_WEIGHTS = 1, /* a layer's weights, int8; PRIOT-S: the effective ones once started */
    PRIOT_TENSOR_SCORES = 2, /* a layer's scores, int8; PRIOT-S: of the scored edges only, in flat order */
    PRIOT_TENSOR_COLUMNS = 3, /* PRIOT-S: the scored edges' places in their rows, row by row, ascending, uint16 */
    PRIOT_TENSOR_OUTPUT = 4, /* a stage's output, int8 */
    PRIOT_TENSOR_ERROR = 5, /* the error that arrives at a stage's output, int8 */
    PRIOT_TENSOR_INPUT_ERROR = 6, /* kernel mode: the error that leaves the stage, int8 */
    PRIOT_TENSOR_GRADIENT = 7, /* kernel mode: the weight gradient of the row asked for last, int32 */
    PRIOT_TENSOR_ORDER = 8, /* the epoch's order of samples, uint16 */
    PRIOT_TENSOR_ROW_ENDS = 9, /* PRIOT-S: where each row's scored edges end among all the layer's, uint32 */
} priot_tensor;

typedef enum {
    PRIOT_LAYER_TYPE_CONV2D = 1, /* out, kernel, stride, padding */
    PRIOT_LAYER_TYPE_LINEAR = 2, /* out */
    PRIOT_LAYER_TYPE_RELU = 3, /* nothing more */
    PRIOT_LAYER_TYPE_MAXPOOL2D = 4, /* kernel = window and stride */
    PRIOT_LAYER_TYPE_FLATTEN = 5, /* nothing more */
} priot_layer_type;

typedef enum {
    PRIOT_METHOD_NITI_DYNAMIC = 1, /* dynamic-scale NITI */
    PRIOT_METHOD_NITI_STATIC = 2, /* static-scale NITI */
    PRIOT_METHOD_PRIOT = 3, /* a score beside every edge */
    PRIOT_METHOD_PRIOT_S = 4, /* a score beside some edges */
} priot_method;

typedef enum {
    PRIOT_ROUNDING_STOCHASTIC = 1, /* of the loss, by the generator */
    PRIOT_ROUNDING_NEAREST = 2, /* of the loss, half away from zero */
} priot_rounding;

typedef enum {
    PRIOT_MODE_NETWORK = 0, /* a whole network that ends in a linear layer */
    PRIOT_MODE_KERNEL = 1, /* one stage whose kernels are run one by one */
} priot_mode;

typedef enum {
    PRIOT_OPERATION_FORWARD = 1, /* image -> output */
    PRIOT_OPERATION_ERROR = 2, /* error -> input_error */
    PRIOT_OPERATION_GRADIENT = 3, /* image, error -> one row of the gradient */
    PRIOT_OPERATION_UPDATE = 4, /* image, error -> weights or scores */
    PRIOT_OPERATION_LOSS = 5, /* logits -> loss error (not a kernel command; named by a fault report) */
} priot_operation;

typedef enum {
    PRIOT_RESTART_FIRMWARE = 0, /* as itself */
    PRIOT_RESTART_LOADER = 1, /* as the loader in ROM, which takes a new image over USB */
} priot_restart;

typedef enum {
    PRIOT_CAPABILITY_CYCLES = 1, /* counts core cycles */
    PRIOT_CAPABILITY_RESET = 2, /* can be reset over the link */
    PRIOT_CAPABILITY_DATASET = 4, /* has room for a transfer set in flash */
    PRIOT_CAPABILITY_STORE = 8, /* writes that flash itself: erase and store */
    PRIOT_CAPABILITY_RUN = 16, /* trains on that flash while no host is there: run, progress, stop */
    PRIOT_CAPABILITY_BATCH = 32, /* takes several requests in one frame */
} priot_capability;

#endif
