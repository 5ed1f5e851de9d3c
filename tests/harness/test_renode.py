"""The firmware on a real Renode: the same integers, the same faults, and its own end of the line."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from priot_hil.harness import engines as engines_module
from priot_hil.harness import link as link_module
from priot_hil.harness.device import RESET_CAUSES, LinkDevice
from priot_hil.harness.devices import open_renode
from priot_hil.harness.emulator.image import Image, read_image
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.errors import DeviceFault, EmulationStuck, KernelStatus
from priot_hil.harness.firmware import build
from priot_hil.harness.protocol import CommandCode, HelloResponse, ResetRequest
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
UNDEFINED = 0xDE00
ENDLESS_LOOP = 0xE7FDBF00  # two instructions: Renode lets a core sleep that branches to itself
RESTART = 0  # the mode of a reset


@dataclass
class Board:
    """The firmware on a Renode, whose memory can be poked."""

    engine: DeviceEngine
    device: LinkDevice
    transport: RenodeTransport
    image: Image

    @contextmanager
    def broken(self, function: str, code: int) -> Iterator[None]:
        """Put one or two instructions at a function's start for a while."""
        place, renode = self.image.symbols[function], self.transport.renode
        places = [place, place + 2] if code >> 16 else [place]
        whole = [int(renode.command(f"sysbus ReadWord {at:#x}"), 16) for at in places]
        for at, half in zip(places, (code & 0xFFFF, code >> 16), strict=False):
            renode.expect(f"sysbus WriteWord {at:#x} {half:#x}")
        try:
            yield
        finally:
            for at, half in zip(places, whole, strict=True):
                renode.expect(f"sysbus WriteWord {at:#x} {half:#x}")


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
    sentence = r"HardFault .* at priot_linear_s8_forward\+0x0 .*forward of stage 1"
    with board.broken("priot_linear_s8_forward", UNDEFINED), pytest.raises(DeviceFault, match=sentence) as caught:
        board.engine.train_step(run.images[1], int(run.labels[1]))
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
    with (
        monkeypatch.context() as patch,
        board.broken("priot_linear_s8_forward", UNDEFINED),
        board.broken(function, ENDLESS_LOOP),
    ):
        patch.setattr(link_module, "MARGIN", 0.5)
        patch.setattr(engines_module, "STEP_SECONDS", 0.0)
        with pytest.raises(EmulationStuck, match=f"still runs in {function}"):
            board.engine.train_step(run.images[1], int(run.labels[1]))
    watch(board.engine, run).expect_untouched()


def test_a_requested_reset_is_told(board: Board) -> None:
    """The firmware restarts itself, and says why."""
    board.device.command(CommandCode.RESET, ResetRequest(RESTART).pack())
    hello = HelloResponse.unpack(board.device.link.hello())
    assert RESET_CAUSES[hello.reset_cause] == "request"
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
