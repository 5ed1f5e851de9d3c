"""Both ends of what a request may ask: the last is taken, the next is refused."""

from dataclasses import replace

import numpy as np
import pytest
from refusals import answer_of, status_of

from priot_hil.harness.description import describe_kernel, describe_run
from priot_hil.harness.device import LibraryDevice
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.errors import KernelStatus
from priot_hil.harness.example import example_run
from priot_hil.harness.limits import PAYLOAD
from priot_hil.harness.protocol import (
    CommandCode,
    EraseRequest,
    KernelRequest,
    ModelRecord,
    OperationCode,
    PartRecord,
    ReadRequest,
    ResetRequest,
    RunRequest,
    StatusCode,
    StoreRequest,
    TensorCode,
    TrainEpochRequest,
    TrainStepRequest,
    WriteRequest,
)
from priot_hil.reference.engine import KernelCase
from priot_hil.reference.network import Linear, Network
from priot_hil.reference.run import Method, MethodKind, Model, State

OK, BAD_RANGE, BAD_VALUE = StatusCode.OK, StatusCode.BAD_RANGE, StatusCode.BAD_VALUE
pytestmark = pytest.mark.usefixtures("flash")
only_host = pytest.mark.parametrize("device_engine", ["host"], indirect=True)


def load_wide(engine: DeviceEngine, epoch: int = 0) -> None:
    """A run with an image of 1,100 bytes, more than a frame, and room for the order of so many samples; started."""
    network = Network((1100,), (Linear(1100, 2),))
    weights = {0: np.ones((2, 1100), np.int8)}
    model, state = Model(network, weights, {0: -7}), State(weights, 1)
    engine.device.command(CommandCode.LOAD, describe_run(model, Method(MethodKind.NITI_DYNAMIC), state, epoch))
    engine.device.command(CommandCode.START)


@pytest.mark.parametrize(
    ("offset", "length", "expected"),
    [
        (0, 0, OK),
        (0, PAYLOAD.high, OK),
        (0, PAYLOAD.high + 1, BAD_VALUE),
        (0, 0xFFFF, BAD_VALUE),
        (1100 - PAYLOAD.high, PAYLOAD.high, OK),
        (1100 - PAYLOAD.high + 1, PAYLOAD.high, BAD_RANGE),
        (1099, 1, OK),
        (1100, 0, OK),
        (1100, 1, BAD_RANGE),
        (1101, 0, BAD_RANGE),
        (2**32 - 1, 0, BAD_RANGE),
        (2**32 - 1, 1, BAD_RANGE),
        (2**32 - 4, 8, BAD_RANGE),
    ],
)
def test_parts_of_a_tensor(device_engine: DeviceEngine, offset: int, length: int, expected: StatusCode) -> None:
    """Up to its last byte, and no more than a frame holds; a part behind the end may be empty, and no further off."""
    load_wide(device_engine)
    status, answer = answer_of(device_engine, CommandCode.READ, ReadRequest(TensorCode.IMAGE, 0, offset, length).pack())
    assert (status, len(answer)) == (expected, length if expected == OK else 0)
    if length <= 8:
        request = WriteRequest(TensorCode.IMAGE, 0, offset).pack() + bytes(length)
        assert status_of(device_engine, CommandCode.WRITE, request) == expected


@pytest.mark.parametrize(("extra", "expected"), [(0, OK), (1, BAD_RANGE)])
def test_answers_of_a_batch(device_engine: DeviceEngine, extra: int, expected: StatusCode) -> None:
    """As many bytes as a frame holds."""
    load_wide(device_engine)
    reads = [ReadRequest(TensorCode.IMAGE, 0, 0, length).pack() for length in (PAYLOAD.high - 100, 100 + extra)]
    batch = b"".join(PartRecord(CommandCode.READ, 0, len(read)).pack() + read for read in reads)
    status, answer = answer_of(device_engine, CommandCode.BATCH, batch)
    assert (status, len(answer)) == (expected, PAYLOAD.high if expected == OK else 0)


@pytest.mark.parametrize(("read", "expected"), [(PAYLOAD.high - 1, OK), (PAYLOAD.high, BAD_RANGE)])
def test_a_kernels_answer_in_a_batch(device_engine: DeviceEngine, read: int, expected: StatusCode) -> None:
    """Its byte is counted as well."""
    row = np.ones((1, 1100), np.int8)
    case = KernelCase(
        Linear(1100, 1), (), (1100,), MethodKind.NITI_STATIC, None, row, None, None, row[0], row[:, 0], None
    )
    device_engine.device.command(CommandCode.LOAD, describe_kernel(case))
    device_engine.device.command(CommandCode.START)
    parts = (
        (CommandCode.READ, ReadRequest(TensorCode.IMAGE, 0, 0, read).pack()),
        (CommandCode.KERNEL, KernelRequest(OperationCode.FORWARD, 0, 0).pack()),
    )
    batch = b"".join(PartRecord(command, 0, len(part)).pack() + part for command, part in parts)
    status, answer = answer_of(device_engine, CommandCode.BATCH, batch)
    assert (status, len(answer)) == (expected, PAYLOAD.high if expected == OK else 0)


@pytest.mark.parametrize("missing", [0, 1, 2])
@pytest.mark.parametrize("command", [CommandCode.READ, CommandCode.WRITE])
def test_the_last_part_of_a_batch(device_engine: DeviceEngine, command: CommandCode, missing: int) -> None:
    """All of it has to be there."""
    load_wide(device_engine)
    read, write = ReadRequest(TensorCode.IMAGE, 0, 0, 2), WriteRequest(TensorCode.IMAGE, 0, 0)
    request = read.pack() if command == CommandCode.READ else write.pack() + b"\1\2\3"
    batch = PartRecord(command, 0, len(request)).pack() + request[: len(request) - missing]
    assert status_of(device_engine, CommandCode.BATCH, batch) == (StatusCode.BAD_LENGTH if missing else OK)
    for count in range(1, PartRecord.size()):
        assert status_of(device_engine, CommandCode.BATCH, batch[:count]) == StatusCode.BAD_LENGTH


@pytest.mark.parametrize("epoch", [0, 0xFFFF])
def test_room_for_an_order(device_engine: DeviceEngine, epoch: int) -> None:
    """From none to all that 16 bits count; the tensor has just that many places."""
    load_wide(device_engine, epoch)
    end = 2 * epoch
    assert status_of(device_engine, CommandCode.WRITE, WriteRequest(TensorCode.ORDER, 0, end).pack()) == OK
    assert (
        status_of(device_engine, CommandCode.WRITE, WriteRequest(TensorCode.ORDER, 0, end).pack() + b"\0") == BAD_RANGE
    )


@only_host
def test_the_longest_request(device_engine: DeviceEngine) -> None:
    """A frame's payload, and a byte more."""
    assert isinstance(device_engine.device, LibraryDevice)
    load_wide(device_engine)
    write = WriteRequest(TensorCode.IMAGE, 0, 0).pack()
    for extra, expected in ((0, OK), (1, StatusCode.BAD_LENGTH)):
        request = write + bytes(PAYLOAD.high - len(write) + extra)
        assert status_of(device_engine, CommandCode.WRITE, request) == expected


def test_scored_edges_of_a_layer(device_engine: DeviceEngine) -> None:
    """From none to all of them, and not one more; of a method without masks, none."""
    run = example_run(MethodKind.PRIOT_S)
    for fill, extra, expected in ((False, 0, OK), (True, 0, OK), (True, 1, StatusCode.BAD_MODEL)):
        scored = {i: np.full(w.shape, fill) for i, w in run.model.weights.items()}
        description = describe_run(run.model, run.method, replace(run.state, scored=scored), 0)
        edges = run.model.weights[4].size
        last = description[:-4] + (int(fill) * edges + extra).to_bytes(4, "little")
        assert status_of(device_engine, CommandCode.LOAD, last) == expected
    niti = example_run(MethodKind.NITI_STATIC)
    description = describe_run(niti.model, niti.method, niti.state, 0)
    for edges, expected in ((0, OK), (1, StatusCode.BAD_MODEL)):
        assert status_of(device_engine, CommandCode.LOAD, description[:-4] + edges.to_bytes(4, "little")) == expected


def test_the_length_of_a_description(device_engine: DeviceEngine) -> None:
    """A head alone, with or without layers announced; a byte less; each layer's record whole."""
    run = example_run(MethodKind.PRIOT)
    whole = describe_run(run.model, run.method, run.state, 0)
    head, none = whole[: ModelRecord.size()], ModelRecord.unpack(whole)._replace(layers=0).pack()
    for request, expected in (
        (whole, OK),
        (whole[:-1], StatusCode.BAD_LENGTH),
        (whole + b"\0", StatusCode.BAD_LENGTH),
        (head, StatusCode.BAD_LENGTH),
        (none, StatusCode.BAD_MODEL),
        (none[:-1], StatusCode.BAD_LENGTH),
        (none + b"\0", StatusCode.BAD_LENGTH),
        (b"", StatusCode.BAD_LENGTH),
    ):
        assert status_of(device_engine, CommandCode.LOAD, request) == expected, request


def test_the_name_of_a_device(device_engine: DeviceEngine) -> None:
    """Filled up with zeros, and nothing that lies behind it in memory."""
    names = [name.ljust(16, b"\0") for name in (b"host", b"rp2040")]
    assert device_engine.device.hello.name in names


@pytest.mark.parametrize("command", [0, max(CommandCode) + 1, 255])
def test_codes_that_are_no_command(device_engine: DeviceEngine, command: int) -> None:
    """Beside the table of all commands."""
    # The engine takes any number; what a command needs of its code is a name for people.
    status = status_of(device_engine, NoCommand(command))  # type: ignore[arg-type]
    assert status == StatusCode.UNKNOWN_COMMAND


class NoCommand(int):
    """A code that no command has."""

    name = "no_command"


REQUESTS: dict[CommandCode, bytes] = {
    CommandCode.RESET: ResetRequest(2).pack(),
    CommandCode.START: b"",
    CommandCode.WRITE: WriteRequest(TensorCode.IMAGE, 0, 0).pack(),
    CommandCode.READ: ReadRequest(TensorCode.IMAGE, 0, 0, 0).pack(),
    CommandCode.TRAIN_STEP: TrainStepRequest(0, 0).pack(),
    CommandCode.PREDICT: b"",
    CommandCode.KERNEL: KernelRequest(OperationCode.FORWARD, 0, 0).pack(),
    CommandCode.STATE: b"",
    CommandCode.DATASET: b"",
    CommandCode.TRAIN_EPOCH: TrainEpochRequest(0).pack(),
    CommandCode.EVALUATE: b"",
    CommandCode.ERASE: EraseRequest(0, 0).pack(),
    CommandCode.STORE: StoreRequest(0).pack(),
    CommandCode.RUN: RunRequest(0, 0).pack(),
    CommandCode.PROGRESS: b"",
    CommandCode.STOP: b"",
}


WITH_A_TAIL = (CommandCode.WRITE, CommandCode.STORE)


@pytest.mark.parametrize("command", REQUESTS)
def test_the_length_of_a_request(device_engine: DeviceEngine, command: CommandCode) -> None:
    """Not a byte less or more than its record, but for bytes that follow."""
    load_wide(device_engine)
    request = REQUESTS[command]
    assert status_of(device_engine, command, request) != StatusCode.BAD_LENGTH
    if request:
        assert status_of(device_engine, command, request[:-1]) == StatusCode.BAD_LENGTH
    has_tail = command in WITH_A_TAIL
    assert (status_of(device_engine, command, request + b"\0") == StatusCode.BAD_LENGTH) is not has_tail


@pytest.mark.parametrize(
    ("ends", "row"), [((2, 2, 2), None), ((3, 3, 3), 0), ((2, 3, 3), 1), ((2, 2, 3), 2), ((2, 1, 2), 1), ((1, 1, 1), 2)]
)
def test_the_row_of_a_scored_edge(device_engine: DeviceEngine, ends: tuple[int, ...], row: int | None) -> None:
    """Two edges are scored; the first row that ends behind them is named, or the last where some are left over."""
    ones = np.ones((3, 4), np.int8)
    scored = np.zeros((3, 4), np.bool_)
    scored[0, :2] = True
    case = KernelCase(Linear(4, 3), (), (4,), MethodKind.PRIOT_S, 0, ones, ones, scored, ones[0], ones[:, 0], None)
    device = device_engine.device
    device.command(CommandCode.LOAD, describe_kernel(case))
    columns = np.array([0, 1], "<u2").tobytes()
    device.command(CommandCode.WRITE, WriteRequest(TensorCode.COLUMNS, 0, 0).pack() + columns)
    device.command(CommandCode.WRITE, WriteRequest(TensorCode.ROW_ENDS, 0, 0).pack() + np.array(ends, "<u4").tobytes())
    if row is None:
        device.command(CommandCode.START)
        return
    with pytest.raises(KernelStatus, match=rf"\(bad_value, layer 0, value {row}\)$"):
        device.command(CommandCode.START)
