"""Resets of the emulated board at any frame of a run, and in the middle of a kernel: told, or without effect."""

import contextlib
import time
from collections.abc import Callable, Iterator
from enum import Enum, auto

import pytest

from priot_hil.harness.device import LinkDevice
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.errors import DeviceRestarted, EmulationStuck
from priot_hil.harness.firmware import build
from priot_hil.harness.link import Link
from priot_hil.harness.strategies import Run
from priot_hil.harness.transports.emulator import EmulatorTransport
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reference.run import MethodKind

MakeRun = Callable[[MethodKind], Run]
STEPS = 2


class Moment(Enum):
    """When the board is reset, seen from one write of the host."""

    BEFORE = auto()
    WITHIN = auto()  # it has half of the frame
    UNREAD = auto()  # it has all of it, and has not run since
    ANSWERED = auto()  # it has run, and its answer is still on the way


class Unstable(EmulatorTransport):
    """The emulated board with a bad button: it resets once, around the host's `at`-th write."""

    at: int | None = None
    moment = Moment.BEFORE
    writes = 0

    def write(self, data: bytes, deadline: float) -> None:
        """Send, with the reset at its moment."""
        self.writes += 1
        if self.writes - 1 != self.at:
            return super().write(data, deadline)
        half = {Moment.BEFORE: 0, Moment.WITHIN: len(data) // 2}.get(self.moment, len(data))
        super().write(data[:half], deadline)
        if self.moment in (Moment.WITHIN, Moment.ANSWERED):
            self.machine.run(time.monotonic() + 10)
        self.machine.reset()
        self.machine.take()
        if self.moment in (Moment.BEFORE, Moment.WITHIN):
            super().write(data[half:], deadline)
        return None


@pytest.fixture(scope="module")
def board() -> Iterator[tuple[DeviceEngine, Unstable]]:
    """An emulated board and the transport that resets it."""
    image = build("rp2040").ram
    transport = Unstable(image.elf)
    engine = DeviceEngine(LinkDevice(Link(transport), {image.build_id: image.elf}))
    yield engine, transport
    engine.close()


def train(engine: DeviceEngine, run: Run) -> None:
    """Load, train and read; all of it is the reference's."""
    reference = ReferenceEngine()
    for either in (engine, reference):
        either.load(run.model, run.method, run.state)
    for image, label in zip(run.images[:STEPS], run.labels[:STEPS], strict=True):
        got, expected = (either.train_step(image, int(label)) for either in (engine, reference))
        assert (got.prediction, got.shifts, got.crcs) == (expected.prediction, expected.shifts, expected.crcs)
    assert engine.state_crc() == reference.state_crc()
    expected_state = reference.state()
    for layer, values in engine.state().values.items():
        assert (values == expected_state.values[layer]).all()


def writes_of(board: tuple[DeviceEngine, Unstable], run: Run) -> int:
    """How often the host writes in a run without a reset."""
    engine, transport = board
    transport.at, transport.writes = None, 0
    train(engine, run)
    return transport.writes


@pytest.mark.parametrize("moment", Moment)
def test_a_reset_at_any_frame_is_told(board: tuple[DeviceEngine, Unstable], make_run: MakeRun, moment: Moment) -> None:
    """Whichever request of a load, of steps or of reads it meets; and the next load trains as ever."""
    engine, transport = board
    run = make_run(MethodKind.PRIOT)
    count = writes_of(board, run)
    assert count > 8
    for at in range(count):
        transport.at, transport.moment, transport.writes = at, moment, 0
        with pytest.raises(DeviceRestarted, match=r"has restarted before or during \w+ \(cause: \w+"):
            train(engine, run)
        transport.at = None
    train(engine, run)


KERNELS = ("priot_conv2d_s8_forward", "priot_loss_s8", "priot_linear_s8_error", "priot_update_priot")


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_reset_in_a_kernel_is_told(
    board: tuple[DeviceEngine, Unstable], make_run: MakeRun, kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of a step, at the entry of any of its kernels."""
    engine, transport = board
    run = make_run(MethodKind.PRIOT)
    train(engine, run)
    machine = transport.machine
    place = machine.symbols[kernel] & ~1
    whole = machine.read(place, 2)
    read = transport.read

    def read_and_reset(deadline: float) -> bytes:
        with contextlib.suppress(EmulationStuck):
            return read(time.monotonic() + 0.2)
        assert machine.symbol_at(machine.registers["pc"]).startswith(kernel)
        machine.write(place, whole)
        machine.reset()
        return b""

    machine.write(place, b"\xfe\xe7")  # a branch to itself
    with monkeypatch.context() as patch:
        patch.setattr(transport, "read", read_and_reset)
        with pytest.raises(DeviceRestarted, match="has restarted before or during train_step"):
            engine.train_step(run.images[0], int(run.labels[0]))
    train(engine, run)
