"""The protocol's codes and layouts. Generated from firmware/link/protocol.toml by `invoke protocol`; edit that."""

import struct
from enum import IntEnum, IntFlag
from typing import NamedTuple, Self

VERSION = 2  # protocol version; a device of another version is refused
PAYLOAD_LIMIT = 1024  # bytes of payload at most, in either direction
BUILD_ID_BYTES = 20  # length of the build id, the ELF's GNU note
MAX_LAYERS = 48  # layers of a network at most, so that a model description fits one frame
MAX_STAGES = 24  # layers with weights at most
DYNAMIC_SHIFT = 255  # in place of a shift: compute it; in an answer: the tensor was all zero
DATASET_MAGIC = 1413761360  # first word of a transfer set in flash, 'PIDT'
SECTOR_BYTES = 4096  # what erase takes at least
PAGE_BYTES = 256  # what store takes at least
MAX_RUN_EPOCHS = 40  # epochs of a detached run at most, so that its results fit one frame
NO_DETAIL = 4294967295  # a status's layer or value that says nothing


class KindCode(IntEnum):
    """Codes of a kind."""

    REQUEST = 1
    RESPONSE = 2
    LOG = 3


class StatusCode(IntEnum):
    """Codes of a status."""

    OK = 0
    BAD_FRAME = 1
    UNKNOWN_COMMAND = 2
    BAD_LENGTH = 3
    NOT_LOADED = 4
    BAD_MODEL = 5
    BAD_GEOMETRY = 6
    OVERFLOW = 7
    TOO_LARGE = 8
    BAD_TENSOR = 9
    BAD_RANGE = 10
    BAD_VALUE = 11
    NO_DATASET = 12
    STALE_SESSION = 13
    OUT_OF_SEQUENCE = 14
    BAD_FLASH = 15
    BUSY = 16


class TensorCode(IntEnum):
    """Codes of a tensor."""

    IMAGE = 0
    WEIGHTS = 1
    SCORES = 2
    COLUMNS = 3
    OUTPUT = 4
    ERROR = 5
    INPUT_ERROR = 6
    GRADIENT = 7
    ORDER = 8
    ROW_ENDS = 9


class LayerCode(IntEnum):
    """Codes of a layer."""

    CONV2D = 1
    LINEAR = 2
    RELU = 3
    MAXPOOL2D = 4
    FLATTEN = 5


class MethodCode(IntEnum):
    """Codes of a method."""

    NITI_DYNAMIC = 1
    NITI_STATIC = 2
    PRIOT = 3
    PRIOT_S = 4


class RoundingCode(IntEnum):
    """Codes of a rounding."""

    STOCHASTIC = 1
    NEAREST = 2


class ModeCode(IntEnum):
    """Codes of a mode."""

    NETWORK = 0
    KERNEL = 1


class OperationCode(IntEnum):
    """Codes of a operation."""

    FORWARD = 1
    ERROR = 2
    GRADIENT = 3
    UPDATE = 4
    LOSS = 5


class RestartCode(IntEnum):
    """Codes of a restart."""

    FIRMWARE = 0
    LOADER = 1


class CapabilityCode(IntFlag):
    """Codes of a capability."""

    CYCLES = 1
    RESET = 2
    DATASET = 4
    STORE = 8
    RUN = 16
    BATCH = 32


class CommandCode(IntEnum):
    """Codes of a command."""

    HELLO = 1
    RESET = 2
    LOAD = 3
    START = 4
    WRITE = 5
    READ = 6
    TRAIN_STEP = 7
    PREDICT = 8
    KERNEL = 9
    STATE = 10
    DATASET = 11
    TRAIN_EPOCH = 12
    EVALUATE = 13
    ERASE = 14
    STORE = 15
    RUN = 16
    PROGRESS = 17
    STOP = 18
    BATCH = 19


STATUS_TEXT = {
    StatusCode.OK: "done",
    StatusCode.BAD_FRAME: "the frame's CRC, version, kind or length is wrong; nothing was run, send it again",
    StatusCode.UNKNOWN_COMMAND: "no such command, or none that this device can do",
    StatusCode.BAD_LENGTH: "the payload is shorter or longer than the command takes",
    StatusCode.NOT_LOADED: "no model is loaded, or it is not started, started already, or of the other mode",
    StatusCode.BAD_MODEL: "a number in the model's description is outside its range, or contradicts another one",
    StatusCode.BAD_GEOMETRY: "a layer whose sizes are not legal or do not fit, or a count of classes outside 2 to 1024",
    StatusCode.OVERFLOW: "a 32-bit accumulator of this layer could overflow",
    StatusCode.TOO_LARGE: "the model breaks a limit of the device: arena, layers, or the size of one of them",
    StatusCode.BAD_TENSOR: "no such tensor in this model, or it may not be written now",
    StatusCode.BAD_RANGE: "what is named leaves the tensor, the stage, the answer or the room for a transfer set",
    StatusCode.BAD_VALUE: "-128, or a number outside its range, out of order or no multiple of what it must be",
    StatusCode.NO_DATASET: "no transfer set lies in flash, it is damaged or of another model, or nobody has looked",
    StatusCode.STALE_SESSION: "the request is of another session than the last HELLO's; nothing was run",
    StatusCode.OUT_OF_SEQUENCE: "the request is neither the next one nor the last one again; nothing was run",
    StatusCode.BAD_FLASH: "the flash does not hold what was put there, or is not erased, from byte `value` on",
    StatusCode.BUSY: "a detached run is at work: only hello, progress, stop and reset are taken; nothing was run",
}


class Frame(NamedTuple):
    """Before the payload of every frame; behind it stands the CRC-32 (zlib's) of header and payload."""

    version: int
    kind: int
    sequence: int
    command: int
    status: int
    length: int
    session: int

    def pack(self) -> bytes:
        """The 12 bytes on the wire."""
        return struct.pack("<BBHBBHI", *self)

    @classmethod
    def unpack(cls, data: bytes, offset: int = 0) -> Self:
        """Reads 12 bytes at `offset`; struct.error where there are fewer."""
        return cls(*struct.unpack_from("<BBHBBHI", data, offset))

    @staticmethod
    def size() -> int:
        """Bytes on the wire."""
        return 12


class ModelRecord(NamedTuple):
    """The head of a model's description; `layers` layer records follow."""

    mode: int
    method: int
    rounding: int
    mu: int
    dynamic: int
    theta: int
    input_exponent: int
    layers: int
    rng: int
    epoch: int
    channels: int
    height: int
    width: int

    def pack(self) -> bytes:
        """The 22 bytes on the wire."""
        return struct.pack("<BBBBBbbBIHIHH", *self)

    @classmethod
    def unpack(cls, data: bytes, offset: int = 0) -> Self:
        """Reads 22 bytes at `offset`; struct.error where there are fewer."""
        return cls(*struct.unpack_from("<BBBBBbbBIHIHH", data, offset))

    @staticmethod
    def size() -> int:
        """Bytes on the wire."""
        return 22


class LayerRecord(NamedTuple):
    """One layer of a model's description; what a type does not use is 0."""

    type: int
    exponent: int
    out: int
    kernel: int
    stride: int
    padding: int
    forward: int
    backward: int
    gradient: int
    spare: int
    scored: int

    def pack(self) -> bytes:
        """The 20 bytes on the wire."""
        return struct.pack("<BbIHHHBBBBI", *self)

    @classmethod
    def unpack(cls, data: bytes, offset: int = 0) -> Self:
        """Reads 20 bytes at `offset`; struct.error where there are fewer."""
        return cls(*struct.unpack_from("<BbIHHHBBBBI", data, offset))

    @staticmethod
    def size() -> int:
        """Bytes on the wire."""
        return 20


class TraceRecord(NamedTuple):
    """What one stage did in a step."""

    forward: int
    backward: int
    gradient: int
    spare: int
    output_crc: int
    error_crc: int

    def pack(self) -> bytes:
        """The 12 bytes on the wire."""
        return struct.pack("<BBBBII", *self)

    @classmethod
    def unpack(cls, data: bytes, offset: int = 0) -> Self:
        """Reads 12 bytes at `offset`; struct.error where there are fewer."""
        return cls(*struct.unpack_from("<BBBBII", data, offset))

    @staticmethod
    def size() -> int:
        """Bytes on the wire."""
        return 12


class DatasetRecord(NamedTuple):
    """Head of a transfer set in flash; then labels (u16), orders (u16) by epoch, images (int8), training set first."""

    magic: int
    image_bytes: int
    train: int
    test: int
    epochs: int
    crc: int

    def pack(self) -> bytes:
        """The 24 bytes on the wire."""
        return struct.pack("<IIIIII", *self)

    @classmethod
    def unpack(cls, data: bytes, offset: int = 0) -> Self:
        """Reads 24 bytes at `offset`; struct.error where there are fewer."""
        return cls(*struct.unpack_from("<IIIIII", data, offset))

    @staticmethod
    def size() -> int:
        """Bytes on the wire."""
        return 24


class ResultRecord(NamedTuple):
    """The model after an epoch of a detached run; the first is that before training."""

    train_correct: int
    test_correct: int
    state_crc: int
    cycles: int

    def pack(self) -> bytes:
        """The 20 bytes on the wire."""
        return struct.pack("<IIIQ", *self)

    @classmethod
    def unpack(cls, data: bytes, offset: int = 0) -> Self:
        """Reads 20 bytes at `offset`; struct.error where there are fewer."""
        return cls(*struct.unpack_from("<IIIQ", data, offset))

    @staticmethod
    def size() -> int:
        """Bytes on the wire."""
        return 20


class FaultRecord(NamedTuple):
    """Registers of the last HardFault, and what was running."""

    r0: int
    r1: int
    r2: int
    r3: int
    r12: int
    lr: int
    pc: int
    xpsr: int
    stage: int
    operation: int

    def pack(self) -> bytes:
        """The 40 bytes on the wire."""
        return struct.pack("<IIIIIIIIII", *self)

    @classmethod
    def unpack(cls, data: bytes, offset: int = 0) -> Self:
        """Reads 40 bytes at `offset`; struct.error where there are fewer."""
        return cls(*struct.unpack_from("<IIIIIIIIII", data, offset))

    @staticmethod
    def size() -> int:
        """Bytes on the wire."""
        return 40


class PartRecord(NamedTuple):
    """Before each request in a batch."""

    command: int
    spare: int
    length: int

    def pack(self) -> bytes:
        """The 4 bytes on the wire."""
        return struct.pack("<BBH", *self)

    @classmethod
    def unpack(cls, data: bytes, offset: int = 0) -> Self:
        """Reads 4 bytes at `offset`; struct.error where there are fewer."""
        return cls(*struct.unpack_from("<BBH", data, offset))

    @staticmethod
    def size() -> int:
        """Bytes on the wire."""
        return 4


class HelloResponse(NamedTuple):
    """Response of hello."""

    previous: int
    clock_hz: int
    arena_bytes: int
    dataset_bytes: int
    capabilities: int
    payload_limit: int
    reset_cause: int
    faulted: int
    build_id: bytes
    unique_id: bytes
    name: bytes

    def pack(self) -> bytes:
        """The 68 bytes on the wire."""
        return struct.pack("<IIIIIHBB20s8s16s", *self)

    @classmethod
    def unpack(cls, data: bytes, offset: int = 0) -> Self:
        """Reads 68 bytes at `offset`; struct.error where there are fewer."""
        return cls(*struct.unpack_from("<IIIIIHBB20s8s16s", data, offset))

    @staticmethod
    def size() -> int:
        """Bytes on the wire."""
        return 68


class ResetRequest(NamedTuple):
    """Request of reset."""

    restart: int

    def pack(self) -> bytes:
        """The 1 bytes on the wire."""
        return struct.pack("<B", *self)

    @classmethod
    def unpack(cls, data: bytes, offset: int = 0) -> Self:
        """Reads 1 bytes at `offset`; struct.error where there are fewer."""
        return cls(*struct.unpack_from("<B", data, offset))

    @staticmethod
    def size() -> int:
        """Bytes on the wire."""
        return 1


class LoadResponse(NamedTuple):
    """Response of load."""

    arena_used: int

    def pack(self) -> bytes:
        """The 4 bytes on the wire."""
        return struct.pack("<I", *self)

    @classmethod
    def unpack(cls, data: bytes, offset: int = 0) -> Self:
        """Reads 4 bytes at `offset`; struct.error where there are fewer."""
        return cls(*struct.unpack_from("<I", data, offset))

    @staticmethod
    def size() -> int:
        """Bytes on the wire."""
        return 4


class WriteRequest(NamedTuple):
    """Request of write."""

    tensor: int
    layer: int
    offset: int

    def pack(self) -> bytes:
        """The 6 bytes on the wire."""
        return struct.pack("<BBI", *self)

    @classmethod
    def unpack(cls, data: bytes, offset: int = 0) -> Self:
        """Reads 6 bytes at `offset`; struct.error where there are fewer."""
        return cls(*struct.unpack_from("<BBI", data, offset))

    @staticmethod
    def size() -> int:
        """Bytes on the wire."""
        return 6


class ReadRequest(NamedTuple):
    """Request of read."""

    tensor: int
    layer: int
    offset: int
    length: int

    def pack(self) -> bytes:
        """The 8 bytes on the wire."""
        return struct.pack("<BBIH", *self)

    @classmethod
    def unpack(cls, data: bytes, offset: int = 0) -> Self:
        """Reads 8 bytes at `offset`; struct.error where there are fewer."""
        return cls(*struct.unpack_from("<BBIH", data, offset))

    @staticmethod
    def size() -> int:
        """Bytes on the wire."""
        return 8


class TrainStepRequest(NamedTuple):
    """Request of train_step."""

    label: int
    observe: int

    def pack(self) -> bytes:
        """The 3 bytes on the wire."""
        return struct.pack("<HB", *self)

    @classmethod
    def unpack(cls, data: bytes, offset: int = 0) -> Self:
        """Reads 3 bytes at `offset`; struct.error where there are fewer."""
        return cls(*struct.unpack_from("<HB", data, offset))

    @staticmethod
    def size() -> int:
        """Bytes on the wire."""
        return 3


class TrainStepResponse(NamedTuple):
    """Response of train_step."""

    prediction: int
    spare: int
    cycles: int

    def pack(self) -> bytes:
        """The 12 bytes on the wire."""
        return struct.pack("<HHQ", *self)

    @classmethod
    def unpack(cls, data: bytes, offset: int = 0) -> Self:
        """Reads 12 bytes at `offset`; struct.error where there are fewer."""
        return cls(*struct.unpack_from("<HHQ", data, offset))

    @staticmethod
    def size() -> int:
        """Bytes on the wire."""
        return 12


class PredictResponse(NamedTuple):
    """Response of predict."""

    prediction: int
    spare: int
    cycles: int

    def pack(self) -> bytes:
        """The 12 bytes on the wire."""
        return struct.pack("<HHQ", *self)

    @classmethod
    def unpack(cls, data: bytes, offset: int = 0) -> Self:
        """Reads 12 bytes at `offset`; struct.error where there are fewer."""
        return cls(*struct.unpack_from("<HHQ", data, offset))

    @staticmethod
    def size() -> int:
        """Bytes on the wire."""
        return 12


class KernelRequest(NamedTuple):
    """Request of kernel."""

    operation: int
    shift: int
    row: int

    def pack(self) -> bytes:
        """The 6 bytes on the wire."""
        return struct.pack("<BBI", *self)

    @classmethod
    def unpack(cls, data: bytes, offset: int = 0) -> Self:
        """Reads 6 bytes at `offset`; struct.error where there are fewer."""
        return cls(*struct.unpack_from("<BBI", data, offset))

    @staticmethod
    def size() -> int:
        """Bytes on the wire."""
        return 6


class KernelResponse(NamedTuple):
    """Response of kernel."""

    shift: int

    def pack(self) -> bytes:
        """The 1 bytes on the wire."""
        return struct.pack("<B", *self)

    @classmethod
    def unpack(cls, data: bytes, offset: int = 0) -> Self:
        """Reads 1 bytes at `offset`; struct.error where there are fewer."""
        return cls(*struct.unpack_from("<B", data, offset))

    @staticmethod
    def size() -> int:
        """Bytes on the wire."""
        return 1


class StateResponse(NamedTuple):
    """Response of state."""

    crc: int
    rng: int

    def pack(self) -> bytes:
        """The 8 bytes on the wire."""
        return struct.pack("<II", *self)

    @classmethod
    def unpack(cls, data: bytes, offset: int = 0) -> Self:
        """Reads 8 bytes at `offset`; struct.error where there are fewer."""
        return cls(*struct.unpack_from("<II", data, offset))

    @staticmethod
    def size() -> int:
        """Bytes on the wire."""
        return 8


class DatasetResponse(NamedTuple):
    """Response of dataset."""

    train: int
    test: int
    crc: int

    def pack(self) -> bytes:
        """The 12 bytes on the wire."""
        return struct.pack("<III", *self)

    @classmethod
    def unpack(cls, data: bytes, offset: int = 0) -> Self:
        """Reads 12 bytes at `offset`; struct.error where there are fewer."""
        return cls(*struct.unpack_from("<III", data, offset))

    @staticmethod
    def size() -> int:
        """Bytes on the wire."""
        return 12


class TrainEpochRequest(NamedTuple):
    """Request of train_epoch."""

    samples: int

    def pack(self) -> bytes:
        """The 2 bytes on the wire."""
        return struct.pack("<H", *self)

    @classmethod
    def unpack(cls, data: bytes, offset: int = 0) -> Self:
        """Reads 2 bytes at `offset`; struct.error where there are fewer."""
        return cls(*struct.unpack_from("<H", data, offset))

    @staticmethod
    def size() -> int:
        """Bytes on the wire."""
        return 2


class TrainEpochResponse(NamedTuple):
    """Response of train_epoch."""

    correct: int
    spare: int
    cycles: int

    def pack(self) -> bytes:
        """The 16 bytes on the wire."""
        return struct.pack("<IIQ", *self)

    @classmethod
    def unpack(cls, data: bytes, offset: int = 0) -> Self:
        """Reads 16 bytes at `offset`; struct.error where there are fewer."""
        return cls(*struct.unpack_from("<IIQ", data, offset))

    @staticmethod
    def size() -> int:
        """Bytes on the wire."""
        return 16


class EvaluateResponse(NamedTuple):
    """Response of evaluate."""

    correct: int
    total: int
    cycles: int

    def pack(self) -> bytes:
        """The 16 bytes on the wire."""
        return struct.pack("<IIQ", *self)

    @classmethod
    def unpack(cls, data: bytes, offset: int = 0) -> Self:
        """Reads 16 bytes at `offset`; struct.error where there are fewer."""
        return cls(*struct.unpack_from("<IIQ", data, offset))

    @staticmethod
    def size() -> int:
        """Bytes on the wire."""
        return 16


class EraseRequest(NamedTuple):
    """Request of erase."""

    offset: int
    length: int

    def pack(self) -> bytes:
        """The 8 bytes on the wire."""
        return struct.pack("<II", *self)

    @classmethod
    def unpack(cls, data: bytes, offset: int = 0) -> Self:
        """Reads 8 bytes at `offset`; struct.error where there are fewer."""
        return cls(*struct.unpack_from("<II", data, offset))

    @staticmethod
    def size() -> int:
        """Bytes on the wire."""
        return 8


class StoreRequest(NamedTuple):
    """Request of store."""

    offset: int

    def pack(self) -> bytes:
        """The 4 bytes on the wire."""
        return struct.pack("<I", *self)

    @classmethod
    def unpack(cls, data: bytes, offset: int = 0) -> Self:
        """Reads 4 bytes at `offset`; struct.error where there are fewer."""
        return cls(*struct.unpack_from("<I", data, offset))

    @staticmethod
    def size() -> int:
        """Bytes on the wire."""
        return 4


class RunRequest(NamedTuple):
    """Request of run."""

    epochs: int
    tag: int

    def pack(self) -> bytes:
        """The 6 bytes on the wire."""
        return struct.pack("<HI", *self)

    @classmethod
    def unpack(cls, data: bytes, offset: int = 0) -> Self:
        """Reads 6 bytes at `offset`; struct.error where there are fewer."""
        return cls(*struct.unpack_from("<HI", data, offset))

    @staticmethod
    def size() -> int:
        """Bytes on the wire."""
        return 6


class ProgressResponse(NamedTuple):
    """Response of progress."""

    tag: int
    sample: int
    epochs: int
    epoch: int
    results: int
    running: int
    spare: int = 0

    def pack(self) -> bytes:
        """The 16 bytes on the wire."""
        return struct.pack("<IIHHHBB", *self)

    @classmethod
    def unpack(cls, data: bytes, offset: int = 0) -> Self:
        """Reads 16 bytes at `offset`; struct.error where there are fewer."""
        return cls(*struct.unpack_from("<IIHHHBB", data, offset))

    @staticmethod
    def size() -> int:
        """Bytes on the wire."""
        return 16
