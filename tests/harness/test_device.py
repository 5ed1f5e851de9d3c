"""Refused commands: each has its status and its sentence, and the run goes on as if it had not been sent."""

from collections.abc import Callable
from enum import IntEnum
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from priot_hil.harness.device import LinkDevice, refusal
from priot_hil.harness.engines import EPOCH_SAMPLES, DeviceEngine
from priot_hil.harness.errors import KernelStatus
from priot_hil.harness.protocol import (
    PAYLOAD_LIMIT,
    STATUS_TEXT,
    CommandCode,
    KernelRequest,
    LayerRecord,
    ModelRecord,
    OperationCode,
    PartRecord,
    ReadRequest,
    StatusCode,
    StoreRequest,
    TensorCode,
    TrainEpochRequest,
    TrainStepRequest,
    WriteRequest,
)
from priot_hil.harness.strategies import Run
from priot_hil.reference.run import MethodKind

MakeRun = Callable[[MethodKind], Run]
Watch = Callable[[DeviceEngine, Run], Any]

IMAGE_BYTES, WEIGHTS, SCORED, CLASSES = 36, 27, 11, 4  # of the run's image, and of its layer 0
LAST_OFFSET = 2**32 - 1


class NoCommand(IntEnum):
    """Codes that no command has."""

    ZERO = 0
    NEXT = max(CommandCode) + 1
    LAST = 255


# Of commands whose requests have one length only.
REQUEST_BYTES = {
    CommandCode.HELLO: 0,
    CommandCode.RESET: 1,
    CommandCode.START: 0,
    CommandCode.READ: 8,
    CommandCode.TRAIN_STEP: 3,
    CommandCode.PREDICT: 0,
    CommandCode.KERNEL: 6,
    CommandCode.STATE: 0,
    CommandCode.DATASET: 0,
    CommandCode.TRAIN_EPOCH: 2,
    CommandCode.EVALUATE: 0,
    CommandCode.RUN: 6,
    CommandCode.PROGRESS: 0,
    CommandCode.STOP: 0,
    CommandCode.ERASE: 8,
}
LENGTHS = [
    *[(command, length) for command, size in REQUEST_BYTES.items() for length in range(12) if length != size],
    *[(command, PAYLOAD_LIMIT) for command in REQUEST_BYTES],
    *[(CommandCode.WRITE, length) for length in range(WriteRequest.size())],
    *[(CommandCode.STORE, length) for length in range(StoreRequest.size())],
    *[(CommandCode.BATCH, length) for length in range(1, PartRecord.size())],
    *[(CommandCode.LOAD, length) for length in (0, 1, ModelRecord.size() - 1, ModelRecord.size() + 1, PAYLOAD_LIMIT)],
]


def write(tensor: int, layer: int, offset: int, data: bytes) -> tuple[CommandCode, bytes]:
    """A request that writes."""
    return CommandCode.WRITE, WriteRequest(tensor, layer, offset).pack() + data


def read(tensor: int, layer: int, offset: int, length: int) -> tuple[CommandCode, bytes]:
    """A request that reads."""
    return CommandCode.READ, ReadRequest(tensor, layer, offset, length).pack()


# Name: request, status, layer and value that the sentence ends with.
REFUSALS: dict[str, tuple[tuple[IntEnum, bytes], StatusCode, str]] = {
    "command 0": ((NoCommand.ZERO, b""), StatusCode.UNKNOWN_COMMAND, ""),
    "next command": ((NoCommand.NEXT, b""), StatusCode.UNKNOWN_COMMAND, ""),
    "last command": ((NoCommand.LAST, bytes(40)), StatusCode.UNKNOWN_COMMAND, ""),
    "-128": (write(TensorCode.IMAGE, 0, 0, b"\1\2\x80\3"), StatusCode.BAD_VALUE, ", layer 0, value 2"),
    "-128 last": (write(TensorCode.IMAGE, 0, 0, bytes(35) + b"\x80"), StatusCode.BAD_VALUE, ", layer 0, value 35"),
    "image too long": (write(TensorCode.IMAGE, 0, 0, bytes(37)), StatusCode.BAD_RANGE, ", layer 0, value 36"),
    "image too far": (write(TensorCode.IMAGE, 0, 37, b""), StatusCode.BAD_RANGE, ", layer 0, value 36"),
    "image wraps": (write(TensorCode.IMAGE, 0, LAST_OFFSET, b"ab"), StatusCode.BAD_RANGE, ", layer 0, value 36"),
    "order too long": (write(8, 0, 2 * EPOCH_SAMPLES - 1, b"ab"), StatusCode.BAD_RANGE, ", layer 0, value 2048"),
    "write tensor 10": (write(10, 0, 0, b"a"), StatusCode.BAD_TENSOR, ", layer 0, value 10"),
    "write tensor 255": (write(255, 255, 0, b"a"), StatusCode.BAD_TENSOR, ", layer 255, value 255"),
    "write weights": (write(TensorCode.WEIGHTS, 0, 0, b"a"), StatusCode.BAD_TENSOR, ", layer 0, value 1"),
    "write scores": (write(TensorCode.SCORES, 4, 0, b"a"), StatusCode.BAD_TENSOR, ", layer 4, value 2"),
    "write columns": (write(TensorCode.COLUMNS, 0, 0, b"ab"), StatusCode.BAD_TENSOR, ", layer 0, value 3"),
    "write row ends": (write(TensorCode.ROW_ENDS, 0, 0, b"abcd"), StatusCode.BAD_TENSOR, ", layer 0, value 9"),
    "write output": (write(TensorCode.OUTPUT, 0, 0, b"a"), StatusCode.BAD_TENSOR, ", layer 0, value 4"),
    "write error": (write(TensorCode.ERROR, 0, 0, b"a"), StatusCode.BAD_TENSOR, ", layer 0, value 5"),
    "write input error": (write(TensorCode.INPUT_ERROR, 0, 0, b"a"), StatusCode.BAD_TENSOR, ", layer 0, value 6"),
    "write of layer 1": (write(TensorCode.WEIGHTS, 1, 0, b"a"), StatusCode.BAD_TENSOR, ", layer 1, value 1"),
    "read tensor 10": (read(10, 0, 0, 1), StatusCode.BAD_TENSOR, ", layer 0, value 10"),
    "read of layer 3": (read(TensorCode.OUTPUT, 3, 0, 1), StatusCode.BAD_TENSOR, ", layer 3, value 4"),
    "read input error": (read(TensorCode.INPUT_ERROR, 0, 0, 1), StatusCode.BAD_TENSOR, ", layer 0, value 6"),
    "read gradient": (read(TensorCode.GRADIENT, 0, 0, 1), StatusCode.BAD_TENSOR, ", layer 0, value 7"),
    "read too long": (read(TensorCode.WEIGHTS, 0, 0, WEIGHTS + 1), StatusCode.BAD_RANGE, f", layer 0, value {WEIGHTS}"),
    "read too far": (read(TensorCode.SCORES, 0, SCORED + 1, 0), StatusCode.BAD_RANGE, f", layer 0, value {SCORED}"),
    "read wraps": (read(TensorCode.IMAGE, 0, LAST_OFFSET, 2), StatusCode.BAD_RANGE, f", layer 0, value {IMAGE_BYTES}"),
    "read beyond payload": (read(TensorCode.ORDER, 0, 0, PAYLOAD_LIMIT + 1), StatusCode.BAD_VALUE, ", value 1025"),
    "read 65535": (read(TensorCode.ORDER, 0, 0, 0xFFFF), StatusCode.BAD_VALUE, ", value 65535"),
    "label": ((CommandCode.TRAIN_STEP, TrainStepRequest(CLASSES, 0).pack()), StatusCode.BAD_VALUE, ", value 4"),
    "observe 2": ((CommandCode.TRAIN_STEP, TrainStepRequest(1, 2).pack()), StatusCode.BAD_VALUE, ", value 2"),
    "start again": ((CommandCode.START, b""), StatusCode.NOT_LOADED, ""),
    "kernel": ((CommandCode.KERNEL, KernelRequest(OperationCode.UPDATE, 0, 0).pack()), StatusCode.NOT_LOADED, ""),
    "dataset": ((CommandCode.DATASET, b""), StatusCode.NO_DATASET, ""),
    "epoch": ((CommandCode.TRAIN_EPOCH, TrainEpochRequest(0).pack()), StatusCode.NO_DATASET, ""),
    "evaluate": ((CommandCode.EVALUATE, b""), StatusCode.NO_DATASET, ""),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refused(device_engine: DeviceEngine, make_run: MakeRun, watch: Watch, name: str) -> None:
    """Status, sentence, and an untouched run."""
    watched = watch(device_engine, make_run(MethodKind.PRIOT_S))
    (command, payload), status, detail = REFUSALS[name]
    with pytest.raises(KernelStatus) as caught:
        device_engine.device.command(command, payload)
    assert caught.value.status == status
    assert str(caught.value).startswith(f"{device_engine.device.name} refused {command.name.lower()}: ")
    assert str(caught.value).endswith(f"({status.name.lower()}{detail})")
    watched.expect_untouched()


def test_wrong_lengths_are_refused(device_engine: DeviceEngine, make_run: MakeRun, watch: Watch) -> None:
    """Every command with every short length but its own, and with the longest."""
    watched = watch(device_engine, make_run(MethodKind.NITI_STATIC))
    for command, length in LENGTHS:
        with pytest.raises(KernelStatus) as caught:
            device_engine.device.command(command, bytes(length))
        assert caught.value.status == StatusCode.BAD_LENGTH, (command.name, length)
    watched.expect_untouched()
    assert {command for command, _ in LENGTHS} == set(CommandCode)


@pytest.mark.parametrize(
    ("status", "payload", "expected"),
    [
        (11, bytes(8), f"device refused write: {STATUS_TEXT[StatusCode.BAD_VALUE]} (bad_value, layer 0, value 0)"),
        (4, b"\xff" * 8, f"device refused write: {STATUS_TEXT[StatusCode.NOT_LOADED]} (not_loaded)"),
        (3, b"", "device refused write: the payload is shorter or longer than the command takes (bad_length)"),
        (200, b"\xff" * 4 + b"\7\0\0\0", "device refused write: unknown status (200, value 7)"),
    ],
)
def test_a_refusal_says_why(status: int, payload: bytes, expected: str) -> None:
    """Layer and value where the device gives them; a newer firmware may have reasons that this host does not know."""
    error = refusal("device", CommandCode.WRITE, status, payload)
    assert (str(error), error.status) == (expected, status)


SMALL = st.integers(0, 12)
BYTES = st.integers(0, 255)
INT8 = st.integers(-128, 127)
U16 = SMALL | st.integers(0, 0xFFFF)
U32 = SMALL | st.integers(0, 2**32 - 1)
LAYERS = st.lists(
    st.builds(LayerRecord, SMALL, INT8, U32, SMALL, SMALL, SMALL, SMALL, SMALL, SMALL, BYTES, SMALL), max_size=4
)
HEADS = st.builds(
    ModelRecord,
    *[st.integers(0, 2), st.integers(0, 5), st.integers(0, 3), st.integers(0, 8), st.integers(0, 2), INT8, INT8, BYTES],
    *[U32, U16, U32, SMALL, SMALL],
)


@st.composite
def models(draw: st.DrawFn) -> bytes:
    """A LOAD that is often well-formed, and now and then legal."""
    layers = draw(LAYERS)
    head = draw(HEADS)._replace(layers=len(layers))
    return head.pack() + b"".join(layer.pack() for layer in layers)


REQUESTS = st.one_of(
    st.tuples(BYTES, st.binary(max_size=40) | st.binary(max_size=PAYLOAD_LIMIT)),
    st.tuples(st.sampled_from(list(CommandCode)), st.just(b"") | st.binary(max_size=8)),
    st.tuples(st.just(CommandCode.LOAD), models()),
    st.builds(write, SMALL, SMALL, U32, st.binary(max_size=40)),
    st.builds(read, SMALL, SMALL, U32, U16),
    st.tuples(st.just(CommandCode.TRAIN_STEP), st.builds(TrainStepRequest, U16, SMALL).map(TrainStepRequest.pack)),
    st.tuples(st.just(CommandCode.KERNEL), st.builds(KernelRequest, SMALL, BYTES, U32).map(KernelRequest.pack)),
    st.tuples(st.just(CommandCode.TRAIN_EPOCH), st.builds(TrainEpochRequest, U16).map(TrainEpochRequest.pack)),
)
PARTS = REQUESTS.map(lambda request: PartRecord(request[0], 0, len(request[1])).pack() + request[1])
BATCHES = st.tuples(st.just(CommandCode.BATCH), st.lists(PARTS, max_size=4).map(b"".join))
# Where these succeed, the run is another one.
CHANGES = {CommandCode.LOAD, CommandCode.START, CommandCode.RESET, CommandCode.TRAIN_STEP}


@given(requests=st.lists(REQUESTS | BATCHES, min_size=1, max_size=8), kind=st.sampled_from(list(MethodKind)))
def test_any_request_is_answered(
    process_engine: DeviceEngine,
    make_run: MakeRun,
    watch: Watch,
    requests: list[tuple[int, bytes]],
    kind: MethodKind,
) -> None:
    """Whatever is asked: an answer with a known status and never a crash; only what was legal has an effect."""
    device = process_engine.device
    assert isinstance(device, LinkDevice)
    watched = watch(process_engine, make_run(kind))
    statuses = {}
    for command, payload in requests:
        status, answer = device.link.request(command, payload)
        assert status in set(StatusCode) - {StatusCode.BAD_FRAME}
        assert status == StatusCode.OK or len(answer) == 8
        statuses[command, StatusCode(status)] = True
        if (command, status) == (CommandCode.RESET, StatusCode.OK):
            device.link.hello()
        event(f"{StatusCode(status).name}")
    if not any(command in CHANGES and status == StatusCode.OK for command, status in statuses):
        watched.expect_untouched()
