/* Generated from firmware/link/protocol.toml by `invoke protocol`; edit that. */
#ifndef PRIOT_PROTOCOL_H
#define PRIOT_PROTOCOL_H

#include "priot_status.h"

typedef enum {
    PRIOT_COMMAND_HELLO = 1, /* Proves what runs, and starts the session and the sequence that its header names. Repeated, or of the session
before, it is answered and changes nothing; in session 0 it is answered and leaves the current session alone. */
    PRIOT_COMMAND_RESET = 2, /* Restarts the device after answering. */
    PRIOT_COMMAND_LOAD = 3, /* Lays a model out in the arena; whatever was there is gone. A model that is refused leaves the old one as it was. */
    PRIOT_COMMAND_START = 4, /* Ends the loading: weights, scores and masks are complete and the first step may come. */
    PRIOT_COMMAND_WRITE = 5, /* Writes a part of a tensor. */
    PRIOT_COMMAND_READ = 6, /* Reads a part of a tensor. */
    PRIOT_COMMAND_TRAIN_STEP = 7, /* One training step on the image; `observe` is the calibration step, which updates nothing but the generator. */
    PRIOT_COMMAND_PREDICT = 8, /* The class of the image; draws nothing and changes no state. */
    PRIOT_COMMAND_KERNEL = 9, /* Kernel mode: runs one kernel. */
    PRIOT_COMMAND_STATE = 10, /* Checksum of the persistent state. */
    PRIOT_COMMAND_DATASET = 11, /* Checks the transfer set in flash against its checksum and the loaded model. */
    PRIOT_COMMAND_TRAIN_EPOCH = 12, /* A training step on each sample of the transfer set that `order` names. */
    PRIOT_COMMAND_EVALUATE = 13, /* Predicts every test sample of the transfer set. */
    PRIOT_COMMAND_ERASE = 14, /* Erases a part of the transfer set's flash to 0xff; the set that was found there is forgotten. */
    PRIOT_COMMAND_STORE = 15, /* Writes erased flash of the transfer set and reads it back; the set that was found there is forgotten. */
    PRIOT_COMMAND_RUN = 16, /* Starts a detached run: evaluates the loaded model, then trains it in the orders of the transfer set, with an
evaluation after each epoch. The answer comes at once; the work goes on whoever listens, until it is done, stopped, or
the device restarts. */
    PRIOT_COMMAND_PROGRESS = 17, /* How far the last detached run since LOAD is, and what it gave; zeros where there was none. */
    PRIOT_COMMAND_STOP = 18, /* Ends the detached run that is at work, between two samples; its results stay, and so does the state. */
    PRIOT_COMMAND_BATCH = 19, /* Runs requests one after the other. The first that is refused ends it: the answer is its refusal, and those before
it have been run. One whose answer does not fit any more is refused as bad_range. */
} priot_command;

/* Before the payload of every frame; behind it stands the CRC-32 (zlib's) of header and payload. */
#define PRIOT_FRAME_VERSION 0u /* u8 */
#define PRIOT_FRAME_KIND 1u /* u8 */
#define PRIOT_FRAME_SEQUENCE 2u /* u16 */
#define PRIOT_FRAME_COMMAND 4u /* u8 */
#define PRIOT_FRAME_STATUS 5u /* u8 */
#define PRIOT_FRAME_LENGTH 6u /* u16 */
#define PRIOT_FRAME_SESSION 8u /* u32 */
#define PRIOT_FRAME_BYTES 12u

/* The head of a model's description; `layers` layer records follow. */
#define PRIOT_MODEL_RECORD_MODE 0u /* u8 */
#define PRIOT_MODEL_RECORD_METHOD 1u /* u8 */
#define PRIOT_MODEL_RECORD_ROUNDING 2u /* u8 */
#define PRIOT_MODEL_RECORD_MU 3u /* u8 */
#define PRIOT_MODEL_RECORD_DYNAMIC 4u /* u8 */
#define PRIOT_MODEL_RECORD_THETA 5u /* i8 */
#define PRIOT_MODEL_RECORD_INPUT_EXPONENT 6u /* i8 */
#define PRIOT_MODEL_RECORD_LAYERS 7u /* u8 */
#define PRIOT_MODEL_RECORD_RNG 8u /* u32 */
#define PRIOT_MODEL_RECORD_EPOCH 12u /* u16 */
#define PRIOT_MODEL_RECORD_CHANNELS 14u /* u32 */
#define PRIOT_MODEL_RECORD_HEIGHT 18u /* u16 */
#define PRIOT_MODEL_RECORD_WIDTH 20u /* u16 */
#define PRIOT_MODEL_RECORD_BYTES 22u

/* One layer of a model's description; what a type does not use is 0. */
#define PRIOT_LAYER_RECORD_TYPE 0u /* u8 */
#define PRIOT_LAYER_RECORD_EXPONENT 1u /* i8 */
#define PRIOT_LAYER_RECORD_OUT 2u /* u32 */
#define PRIOT_LAYER_RECORD_KERNEL 6u /* u16 */
#define PRIOT_LAYER_RECORD_STRIDE 8u /* u16 */
#define PRIOT_LAYER_RECORD_PADDING 10u /* u16 */
#define PRIOT_LAYER_RECORD_FORWARD 12u /* u8 */
#define PRIOT_LAYER_RECORD_BACKWARD 13u /* u8 */
#define PRIOT_LAYER_RECORD_GRADIENT 14u /* u8 */
#define PRIOT_LAYER_RECORD_SPARE 15u /* u8 */
#define PRIOT_LAYER_RECORD_SCORED 16u /* u32 */
#define PRIOT_LAYER_RECORD_BYTES 20u

/* What one stage did in a step. */
#define PRIOT_TRACE_RECORD_FORWARD 0u /* u8 */
#define PRIOT_TRACE_RECORD_BACKWARD 1u /* u8 */
#define PRIOT_TRACE_RECORD_GRADIENT 2u /* u8 */
#define PRIOT_TRACE_RECORD_SPARE 3u /* u8 */
#define PRIOT_TRACE_RECORD_OUTPUT_CRC 4u /* u32 */
#define PRIOT_TRACE_RECORD_ERROR_CRC 8u /* u32 */
#define PRIOT_TRACE_RECORD_BYTES 12u

/* Head of a transfer set in flash; then labels (u16), orders (u16) by epoch, images (int8), training set first. */
#define PRIOT_DATASET_RECORD_MAGIC 0u /* u32 */
#define PRIOT_DATASET_RECORD_IMAGE_BYTES 4u /* u32 */
#define PRIOT_DATASET_RECORD_TRAIN 8u /* u32 */
#define PRIOT_DATASET_RECORD_TEST 12u /* u32 */
#define PRIOT_DATASET_RECORD_EPOCHS 16u /* u32 */
#define PRIOT_DATASET_RECORD_CRC 20u /* u32 */
#define PRIOT_DATASET_RECORD_BYTES 24u

/* The model after an epoch of a detached run; the first is that before training. */
#define PRIOT_RESULT_RECORD_TRAIN_CORRECT 0u /* u32 */
#define PRIOT_RESULT_RECORD_TEST_CORRECT 4u /* u32 */
#define PRIOT_RESULT_RECORD_STATE_CRC 8u /* u32 */
#define PRIOT_RESULT_RECORD_CYCLES 12u /* u64 */
#define PRIOT_RESULT_RECORD_BYTES 20u

/* Registers of the last HardFault, and what was running. */
#define PRIOT_FAULT_RECORD_R0 0u /* u32 */
#define PRIOT_FAULT_RECORD_R1 4u /* u32 */
#define PRIOT_FAULT_RECORD_R2 8u /* u32 */
#define PRIOT_FAULT_RECORD_R3 12u /* u32 */
#define PRIOT_FAULT_RECORD_R12 16u /* u32 */
#define PRIOT_FAULT_RECORD_LR 20u /* u32 */
#define PRIOT_FAULT_RECORD_PC 24u /* u32 */
#define PRIOT_FAULT_RECORD_XPSR 28u /* u32 */
#define PRIOT_FAULT_RECORD_STAGE 32u /* u32 */
#define PRIOT_FAULT_RECORD_OPERATION 36u /* u32 */
#define PRIOT_FAULT_RECORD_BYTES 40u

/* Before each request in a batch. */
#define PRIOT_PART_RECORD_COMMAND 0u /* u8 */
#define PRIOT_PART_RECORD_SPARE 1u /* u8 */
#define PRIOT_PART_RECORD_LENGTH 2u /* u16 */
#define PRIOT_PART_RECORD_BYTES 4u

/* Response of hello. */
#define PRIOT_HELLO_RESPONSE_PREVIOUS 0u /* u32 */
#define PRIOT_HELLO_RESPONSE_CLOCK_HZ 4u /* u32 */
#define PRIOT_HELLO_RESPONSE_ARENA_BYTES 8u /* u32 */
#define PRIOT_HELLO_RESPONSE_DATASET_BYTES 12u /* u32 */
#define PRIOT_HELLO_RESPONSE_CAPABILITIES 16u /* u32 */
#define PRIOT_HELLO_RESPONSE_PAYLOAD_LIMIT 20u /* u16 */
#define PRIOT_HELLO_RESPONSE_RESET_CAUSE 22u /* u8 */
#define PRIOT_HELLO_RESPONSE_FAULTED 23u /* u8 */
#define PRIOT_HELLO_RESPONSE_BUILD_ID 24u /* 20s */
#define PRIOT_HELLO_RESPONSE_UNIQUE_ID 44u /* 8s */
#define PRIOT_HELLO_RESPONSE_NAME 52u /* 16s */
#define PRIOT_HELLO_RESPONSE_BYTES 68u

/* Request of reset. */
#define PRIOT_RESET_REQUEST_RESTART 0u /* u8 */
#define PRIOT_RESET_REQUEST_BYTES 1u

/* Response of load. */
#define PRIOT_LOAD_RESPONSE_ARENA_USED 0u /* u32 */
#define PRIOT_LOAD_RESPONSE_BYTES 4u

/* Request of write. */
#define PRIOT_WRITE_REQUEST_TENSOR 0u /* u8 */
#define PRIOT_WRITE_REQUEST_LAYER 1u /* u8 */
#define PRIOT_WRITE_REQUEST_OFFSET 2u /* u32 */
#define PRIOT_WRITE_REQUEST_BYTES 6u

/* Request of read. */
#define PRIOT_READ_REQUEST_TENSOR 0u /* u8 */
#define PRIOT_READ_REQUEST_LAYER 1u /* u8 */
#define PRIOT_READ_REQUEST_OFFSET 2u /* u32 */
#define PRIOT_READ_REQUEST_LENGTH 6u /* u16 */
#define PRIOT_READ_REQUEST_BYTES 8u

/* Request of train_step. */
#define PRIOT_TRAIN_STEP_REQUEST_LABEL 0u /* u16 */
#define PRIOT_TRAIN_STEP_REQUEST_OBSERVE 2u /* u8 */
#define PRIOT_TRAIN_STEP_REQUEST_BYTES 3u

/* Response of train_step. */
#define PRIOT_TRAIN_STEP_RESPONSE_PREDICTION 0u /* u16 */
#define PRIOT_TRAIN_STEP_RESPONSE_SPARE 2u /* u16 */
#define PRIOT_TRAIN_STEP_RESPONSE_CYCLES 4u /* u64 */
#define PRIOT_TRAIN_STEP_RESPONSE_BYTES 12u

/* Response of predict. */
#define PRIOT_PREDICT_RESPONSE_PREDICTION 0u /* u16 */
#define PRIOT_PREDICT_RESPONSE_SPARE 2u /* u16 */
#define PRIOT_PREDICT_RESPONSE_CYCLES 4u /* u64 */
#define PRIOT_PREDICT_RESPONSE_BYTES 12u

/* Request of kernel. */
#define PRIOT_KERNEL_REQUEST_OPERATION 0u /* u8 */
#define PRIOT_KERNEL_REQUEST_SHIFT 1u /* u8 */
#define PRIOT_KERNEL_REQUEST_ROW 2u /* u32 */
#define PRIOT_KERNEL_REQUEST_BYTES 6u

/* Response of kernel. */
#define PRIOT_KERNEL_RESPONSE_SHIFT 0u /* u8 */
#define PRIOT_KERNEL_RESPONSE_BYTES 1u

/* Response of state. */
#define PRIOT_STATE_RESPONSE_CRC 0u /* u32 */
#define PRIOT_STATE_RESPONSE_RNG 4u /* u32 */
#define PRIOT_STATE_RESPONSE_BYTES 8u

/* Response of dataset. */
#define PRIOT_DATASET_RESPONSE_TRAIN 0u /* u32 */
#define PRIOT_DATASET_RESPONSE_TEST 4u /* u32 */
#define PRIOT_DATASET_RESPONSE_CRC 8u /* u32 */
#define PRIOT_DATASET_RESPONSE_BYTES 12u

/* Request of train_epoch. */
#define PRIOT_TRAIN_EPOCH_REQUEST_SAMPLES 0u /* u16 */
#define PRIOT_TRAIN_EPOCH_REQUEST_BYTES 2u

/* Response of train_epoch. */
#define PRIOT_TRAIN_EPOCH_RESPONSE_CORRECT 0u /* u32 */
#define PRIOT_TRAIN_EPOCH_RESPONSE_SPARE 4u /* u32 */
#define PRIOT_TRAIN_EPOCH_RESPONSE_CYCLES 8u /* u64 */
#define PRIOT_TRAIN_EPOCH_RESPONSE_BYTES 16u

/* Response of evaluate. */
#define PRIOT_EVALUATE_RESPONSE_CORRECT 0u /* u32 */
#define PRIOT_EVALUATE_RESPONSE_TOTAL 4u /* u32 */
#define PRIOT_EVALUATE_RESPONSE_CYCLES 8u /* u64 */
#define PRIOT_EVALUATE_RESPONSE_BYTES 16u

/* Request of erase. */
#define PRIOT_ERASE_REQUEST_OFFSET 0u /* u32 */
#define PRIOT_ERASE_REQUEST_LENGTH 4u /* u32 */
#define PRIOT_ERASE_REQUEST_BYTES 8u

/* Request of store. */
#define PRIOT_STORE_REQUEST_OFFSET 0u /* u32 */
#define PRIOT_STORE_REQUEST_BYTES 4u

/* Request of run. */
#define PRIOT_RUN_REQUEST_EPOCHS 0u /* u16 */
#define PRIOT_RUN_REQUEST_TAG 2u /* u32 */
#define PRIOT_RUN_REQUEST_BYTES 6u

/* Response of progress. */
#define PRIOT_PROGRESS_RESPONSE_TAG 0u /* u32 */
#define PRIOT_PROGRESS_RESPONSE_SAMPLE 4u /* u32 */
#define PRIOT_PROGRESS_RESPONSE_EPOCHS 8u /* u16 */
#define PRIOT_PROGRESS_RESPONSE_EPOCH 10u /* u16 */
#define PRIOT_PROGRESS_RESPONSE_RESULTS 12u /* u16 */
#define PRIOT_PROGRESS_RESPONSE_RUNNING 14u /* u8 */
#define PRIOT_PROGRESS_RESPONSE_SPARE 15u /* u8 */
#define PRIOT_PROGRESS_RESPONSE_BYTES 16u

#endif
