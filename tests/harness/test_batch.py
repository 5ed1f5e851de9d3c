"""Several requests in one frame: as many as fit, with the same answers, and an end at the first refusal."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from priot_hil.harness.batch import Request, kernel, reads, run_all, writes
from priot_hil.harness.description import describe_kernel
from priot_hil.harness.device import Device
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.errors import KernelStatus
from priot_hil.harness.protocol import (
    PAYLOAD_LIMIT,
    CapabilityCode,
    CommandCode,
    HelloResponse,
    OperationCode,
    PartRecord,
    ReadRequest,
    StatusCode,
    TensorCode,
    WriteRequest,
)
from priot_hil.harness.strategies import extreme_kernel_cases, kernel_cases
from priot_hil.reference.engine import KernelCase
from priot_hil.reference.network import Linear
from priot_hil.reference.run import MethodKind


class Frames:
    """A device that keeps what it is sent.

    Args:
        device: What stands behind it.
        capabilities: What its hello says instead.
    """

    def __init__(self, device: Device, capabilities: int) -> None:
        self.name, self._device = device.name, device
        self.hello: HelloResponse = device.hello._replace(capabilities=capabilities)
        self.sent: list[tuple[CommandCode, int, int]] = []

    def command(self, command: CommandCode, payload: bytes = b"", budget: float = 0.0) -> bytes:
        """See `Device`."""
        answer = self._device.command(command, payload, budget)
        self.sent.append((command, len(payload), len(answer)))
        return answer

    @property
    def takes_dataset(self) -> bool:
        """See `Device`."""
        return False

    def put_dataset(self, data: bytes) -> None:
        """See `Device`."""
        raise NotImplementedError

    def close(self) -> None:
        """See `Device`."""


def check_batches(engine: DeviceEngine, case: KernelCase) -> None:
    """The same result from a device that takes several requests in a frame and from one that does not."""
    device = engine.device
    assert device.hello.capabilities & CapabilityCode.BATCH
    batched, single = Frames(device, CapabilityCode.BATCH), Frames(device, 0)
    results = [DeviceEngine(either).run_kernel(case) for either in (batched, single)]
    for name in ("output", "input_error", "gradient", "updated"):
        assert np.array_equal(*(getattr(result, name) for result in results)), name
    assert results[0].shifts == results[1].shifts
    assert max(max(sent, answered) for _, sent, answered in batched.sent) <= PAYLOAD_LIMIT
    assert CommandCode.BATCH not in {command for command, _, _ in single.sent}
    assert len(batched.sent) < len(single.sent)


@settings(max_examples=settings.default.max_examples // 4)
@given(case=kernel_cases())
def test_batches_answer_as_single_requests_do(device_engine: DeviceEngine, case: KernelCase) -> None:
    """Any stage, in a third of the frames or fewer."""
    check_batches(device_engine, case)


@settings(max_examples=2)
@given(case=extreme_kernel_cases(arena=6_000))
def test_batches_of_what_takes_many_frames(device_engine: DeviceEngine, case: KernelCase) -> None:
    """Tensors longer than a frame."""
    check_batches(device_engine, case)


def loaded(engine: DeviceEngine) -> Device:
    """A device with a linear stage of 300 weights in one row, not started."""
    zeros = np.zeros((1, 300), np.int8)
    case = KernelCase(
        layer=Linear(300, 1),
        behind=(),
        input_shape=(300,),
        kind=MethodKind.NITI_STATIC,
        theta=None,
        weights=zeros,
        scores=None,
        scored=None,
        image=zeros[0],
        error=zeros[:, 0],
        shifts=None,
        mu=5,
    )
    engine.device.command(CommandCode.LOAD, describe_kernel(case))
    return engine.device


def part(command: int, payload: bytes = b"", length: int | None = None) -> bytes:
    """A request in a batch, with another length than its own where one is given."""
    return PartRecord(command, 0, len(payload) if length is None else length).pack() + payload


def weights(device: Device) -> bytes:
    """The first three weights."""
    return device.command(CommandCode.READ, ReadRequest(TensorCode.WEIGHTS, 0, 0, 3).pack())


READ_ALL = ReadRequest(TensorCode.WEIGHTS, 0, 0, 300).pack()
WRONG = {
    "a piece of a part": (part(CommandCode.START)[:3], StatusCode.BAD_LENGTH),
    "longer than what is left": (part(CommandCode.READ, READ_ALL, 9), StatusCode.BAD_LENGTH),
    "a write longer than the frame": (
        part(CommandCode.WRITE, WriteRequest(TensorCode.WEIGHTS, 0, 0).pack(), 40),
        StatusCode.BAD_LENGTH,
    ),
    "a wrong length": (part(CommandCode.READ, READ_ALL[:-1]), StatusCode.BAD_LENGTH),
    "a wrong length of nothing": (part(CommandCode.START, b"\0"), StatusCode.BAD_LENGTH),
    "no command": (part(0), StatusCode.BAD_VALUE),
    "a batch": (part(CommandCode.BATCH), StatusCode.BAD_VALUE),
    "a reset": (part(CommandCode.RESET, b"\0"), StatusCode.BAD_VALUE),
    "a load": (part(CommandCode.LOAD), StatusCode.BAD_VALUE),
    "command 255": (part(255), StatusCode.BAD_VALUE),
    "-128": (part(CommandCode.WRITE, WriteRequest(TensorCode.WEIGHTS, 0, 0).pack() + b"\x80"), StatusCode.BAD_VALUE),
    "more than an answer holds": (part(CommandCode.READ, READ_ALL) * 4, StatusCode.BAD_RANGE),
    "no tensor": (part(CommandCode.READ, ReadRequest(99, 0, 0, 1).pack()), StatusCode.BAD_TENSOR),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_first_refusal_ends_a_batch(device_engine: DeviceEngine, name: str) -> None:
    """What stands before it has been run, what stands behind it has not; the device goes on."""
    device = loaded(device_engine)
    wrong, status = WRONG[name]
    write = WriteRequest(TensorCode.WEIGHTS, 0, 0).pack()
    before, behind = (part(CommandCode.WRITE, write + values) for values in (b"\1\2\3", b"\4\5\6"))
    with pytest.raises(KernelStatus) as caught:
        device.command(CommandCode.BATCH, before + wrong + (b"" if name == "a piece of a part" else behind))
    assert caught.value.status == status
    assert weights(device) == b"\1\2\3"
    assert device.command(CommandCode.BATCH, behind) == b""
    assert weights(device) == b"\4\5\6"


def test_answers_stand_in_the_order_of_their_requests(device_engine: DeviceEngine) -> None:
    """Joined by name, and a batch of nothing is nothing."""
    device = loaded(device_engine)
    assert device.command(CommandCode.BATCH) == b""
    first, second = np.array([1, 2, 3], np.int8), np.array([7], np.int8)
    found = run_all(
        device,
        [
            *writes(TensorCode.WEIGHTS, 0, first),
            *reads(TensorCode.WEIGHTS, 0, 3, "weights"),
            *writes(TensorCode.IMAGE, 0, second),
            *reads(TensorCode.IMAGE, 0, 2, "image"),
            *writes(TensorCode.WEIGHTS, 0, second),
            Request(CommandCode.START),
            kernel(OperationCode.FORWARD, 0, name="shift"),
            *reads(TensorCode.WEIGHTS, 0, 3, "weights"),
            *reads(TensorCode.OUTPUT, 0, 1, "output"),
        ],
    )
    assert found == {"weights": b"\1\2\3\7\2\3", "image": b"\7\0", "shift": b"\0", "output": b"\x31"}


@settings(max_examples=settings.default.max_examples // 4)
@given(sizes=st.lists(st.integers(1, 300), min_size=1, max_size=12))
def test_reads_of_any_sizes(device_engine: DeviceEngine, sizes: list[int]) -> None:
    """However they fall into frames, each answer goes to its name."""
    device = loaded(device_engine)
    values = (np.arange(300) % 100).astype(np.int8)
    requests = [request for i, size in enumerate(sizes) for request in reads(TensorCode.WEIGHTS, 0, size, str(i))]
    found = run_all(device, [*writes(TensorCode.WEIGHTS, 0, values), *requests])
    assert found == {str(i): values[:size].tobytes() for i, size in enumerate(sizes)}
