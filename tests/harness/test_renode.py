"""The firmware on a real Renode: the same integers, the same faults, and its own end of the line."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from priot_hil.harness import engines as engines_module
from priot_hil.harness import link as link_module
from priot_hil.harness.device import LinkDevice
from priot_hil.harness.devices import open_renode
from priot_hil.harness.emulator.image import Image, read_image
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.errors import DeviceFault, EmulationStuck, KernelStatus
from priot_hil.harness.firmware import build
from priot_hil.harness.protocol import CommandCode, HelloResponse
from priot_hil.harness.strategies import Run
from priot_hil.harness.transports.renode import RenodeTransport
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reference.run import MethodKind

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("renode") is None, reason="no renode on the PATH (docs/renode.md)"),
]

MakeRun = Callable[[MethodKind], Run]
Watch = Callable[[DeviceEngine, Run], Any]
UNDEFINED, BRANCH_TO_ITSELF = 0xDE00, 0xE7FE
RESET_REQUESTED = 1


@dataclass
class Board:
    """The firmware on a Renode, whose memory can be poked."""

    engine: DeviceEngine
    device: LinkDevice
    transport: RenodeTransport
    image: Image

    def poke(self, function: str, instruction: int) -> Callable[[], None]:
        """Put an instruction at a function's start; returns what puts the old one back."""
        place = self.image.symbols[function]
        whole = int(self.transport.renode.command(f"sysbus ReadWord {place:#x}"), 16)
        self.transport.renode.expect(f"sysbus WriteWord {place:#x} {instruction:#x}")
        return lambda: self.transport.renode.expect(f"sysbus WriteWord {place:#x} {whole:#x}")


@pytest.fixture(scope="module")
def board() -> Iterator[Board]:
    """One Renode for all tests."""
    engine = open_renode()
    assert isinstance(engine.device, LinkDevice)
    transport = engine.device.link.transport
    assert isinstance(transport, RenodeTransport)
    yield Board(engine, engine.device, transport, read_image(build("rp2040").ram.elf))
    engine.close()


@pytest.mark.parametrize("kind", MethodKind)
def test_steps_match_the_reference(board: Board, make_run: MakeRun, watch: Watch, kind: MethodKind) -> None:
    """Each method: step, trace and state, to the last bit."""
    watch(board.engine, make_run(kind)).expect_untouched()


def test_an_epoch_on_flash_matches_the_reference(board: Board, make_run: MakeRun) -> None:
    """The transfer set goes into the emulated flash through the Monitor; one that was there before is gone."""
    run, reference = make_run(MethodKind.PRIOT), ReferenceEngine()
    order = np.array([2, 0, 5, 5, 1])
    for images in (run.images[::-1].copy(), run.images):
        for engine in (board.engine, reference):
            engine.load(run.model, run.method, run.state)
            engine.load_data(images, run.labels, run.images[:2], run.labels[:2])
        assert board.engine.train_epoch(order).correct == reference.train_epoch(order).correct
        assert board.engine.state_crc() == reference.state_crc()


def test_a_crash_is_named_and_survived(board: Board, make_run: MakeRun, watch: Watch) -> None:
    """The handler's reset restarts the image at its own vector table, and the witness of the fault is kept."""
    run = make_run(MethodKind.PRIOT)
    watch(board.engine, run)
    mend = board.poke("priot_linear_s8_forward", UNDEFINED)
    with pytest.raises(DeviceFault, match=r"HardFault .* at priot_linear_s8_forward\+0x0 .*forward of stage 1") as caught:
        board.engine.train_step(run.images[1], int(run.labels[1]))
    mend()
    assert caught.value.pc == board.image.symbols["priot_linear_s8_forward"]
    with pytest.raises(KernelStatus, match="not_loaded"):
        board.device.command(CommandCode.STATE)
    watch(board.engine, run).expect_untouched()


@pytest.mark.parametrize("function", ["priot_linear_s8_forward", "priot_fault_record"])
def test_a_core_that_does_not_come_back_is_named(
    board: Board, make_run: MakeRun, watch: Watch, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    """An endless loop, in a kernel or in the fault's handler; the reset brings the device back."""
    run = make_run(MethodKind.PRIOT)
    watch(board.engine, run)
    mends = [board.poke("priot_linear_s8_forward", UNDEFINED), board.poke(function, BRANCH_TO_ITSELF)]
    with monkeypatch.context() as patch:
        patch.setattr(link_module, "MARGIN", 0.5)
        patch.setattr(engines_module, "STEP_SECONDS", 0.0)
        with pytest.raises(EmulationStuck, match=f"still runs in {function}"):
            board.engine.train_step(run.images[1], int(run.labels[1]))
    for mend in reversed(mends):
        mend()
    watch(board.engine, run).expect_untouched()


def test_a_requested_reset_is_told(board: Board) -> None:
    """The firmware restarts itself, and says why."""
    board.device.command(CommandCode.RESET)
    hello = HelloResponse.unpack(board.device.link.hello())
    assert hello.reset_cause == RESET_REQUESTED
    assert hello.build_id == build("rp2040").ram.build_id


def test_two_at_once(board: Board, make_run: MakeRun, watch: Watch) -> None:
    """Each has its own port, folder and memory."""
    other = open_renode()
    try:
        ours, theirs = watch(board.engine, make_run(MethodKind.PRIOT)), watch(other, make_run(MethodKind.NITI_STATIC))
        for either in (ours, theirs):
            either.expect_untouched()
    finally:
        other.close()
    ours.expect_untouched()
