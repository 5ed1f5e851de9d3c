"""Crashes and strangers: a fault is named with its function and registers, and the device can be used again."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from priot_hil.harness import engines as engines_module
from priot_hil.harness import link as link_module
from priot_hil.harness.device import LinkDevice
from priot_hil.harness.devices import open_emulator
from priot_hil.harness.emulator import Rp2040
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.errors import DeviceFault, EmulationStuck, KernelStatus, LinkLost
from priot_hil.harness.firmware import HostFirmware, build
from priot_hil.harness.link import Link
from priot_hil.harness.protocol import CommandCode
from priot_hil.harness.strategies import Run
from priot_hil.harness.transports.emulator import EmulatorTransport
from priot_hil.harness.transports.process import ProcessTransport
from priot_hil.reference.run import MethodKind

MakeRun = Callable[[MethodKind], Run]
Watch = Callable[[DeviceEngine, Run], Any]
UNDEFINED, BRANCH_TO_ITSELF = b"\x00\xde", b"\xfe\xe7"


@dataclass
class Board:
    """An emulated board and its machine, whose memory can be poked."""

    engine: DeviceEngine
    machine: Rp2040

    def poke(self, function: str, instruction: bytes) -> Callable[[], None]:
        """Put an instruction at a function's start; returns what puts the old one back."""
        place = self.machine.symbols[function] & ~1
        whole = self.machine.read(place, len(instruction))
        self.machine.write(place, instruction)
        return lambda: self.machine.write(place, whole)


@pytest.fixture
def board() -> Iterator[Board]:
    """A board of its own for each test."""
    engine = open_emulator()
    assert isinstance(engine.device, LinkDevice)
    transport = engine.device.link.transport
    assert isinstance(transport, EmulatorTransport)
    yield Board(engine, transport.machine)
    engine.close()


@pytest.fixture(scope="module")
def host() -> HostFirmware:
    """The process that answers as a device."""
    return build("host")


FUNCTIONS = [
    ("priot_conv2d_s8_forward", "forward of stage 0"),
    ("priot_linear_s8_forward", "forward of stage 1"),
    ("priot_loss_s8", "loss of stage 1"),
    ("priot_linear_s8_error", "error of stage 1"),
    ("priot_update_priot", "update of stage 1"),
]


@pytest.mark.parametrize(("function", "doing"), FUNCTIONS)
def test_a_crash_is_named(board: Board, make_run: MakeRun, watch: Watch, function: str, doing: str) -> None:
    """Function, program counter, kernel and stage in the sentence, all registers beside it; the next load trains."""
    run = make_run(MethodKind.PRIOT)
    watch(board.engine, run)
    mend = board.poke(function, UNDEFINED)
    with pytest.raises(DeviceFault) as caught:
        board.engine.train_step(run.images[1], int(run.labels[1]))
    mend()
    pc = board.machine.symbols[function] & ~1
    assert caught.value.pc == caught.value.registers["pc"] == pc
    assert {"r0", "r1", "r2", "r3", "r12", "lr", "xpsr"} <= caught.value.registers.keys()
    assert board.machine.symbol_at(caught.value.registers["lr"]).startswith("priot_")
    message = str(caught.value)
    place = f"{function}+0x0 (pc {pc:#010x}, lr 0x"
    assert message.startswith(f"emulator:priot-ram.elf: HardFault during train_step at {place}")
    assert message.endswith(f"; {doing}); the device has restarted")
    watch(board.engine, run).expect_untouched()


def test_a_wild_pointer_is_named(board: Board, make_run: MakeRun, watch: Watch) -> None:
    """Every word of the engine's structures that points into the arena, overwritten: the fault is in a kernel."""
    run = make_run(MethodKind.NITI_STATIC)
    watch(board.engine, run)
    machine = board.machine
    begin, end = (machine.symbols[name] for name in ("__arena_start", "__arena_end"))
    device = machine.symbols["device"]
    for place in range(device, device + 4096, 4):
        if begin < int.from_bytes(machine.read(place, 4), "little") < end:
            machine.write(place, (0x60000000).to_bytes(4, "little"))
    with pytest.raises(
        DeviceFault,
        match=r"HardFault during \w+ at \w+.* \(pc 0x2000.*; the device has restarted\ntranscript: .*\.log$",
    ):
        board.engine.train_step(run.images[1], int(run.labels[1]))
    watch(board.engine, run).expect_untouched()


def test_a_crash_is_told_once(board: Board, make_run: MakeRun) -> None:
    """A refusal after it is a refusal, not the same fault again; a second crash at the same place is told again."""
    run = make_run(MethodKind.PRIOT)
    mend = board.poke("priot_linear_s8_forward", UNDEFINED)
    for _ in range(2):
        board.engine.load(run.model, run.method, run.state)
        with pytest.raises(DeviceFault):
            board.engine.train_step(run.images[0], int(run.labels[0]))
        for _ in range(2):
            with pytest.raises(KernelStatus, match="not_loaded"):
                board.engine.device.command(CommandCode.STATE)
    mend()


def test_a_fault_while_an_unknown_operation_runs(board: Board, make_run: MakeRun, watch: Watch) -> None:
    """What a broken firmware says it was doing need not make sense; the fault is told all the same."""
    run = make_run(MethodKind.PRIOT)
    watch(board.engine, run)
    board.machine.write(board.machine.symbols["priot_progress"], b"\x07\0\0\0\x63\0\0\0")
    mend = board.poke("priot_engine_state_crc", UNDEFINED)
    with pytest.raises(DeviceFault, match=r"during state at priot_engine_state_crc\+0x0 \(.*; 99 of stage 7\)"):
        board.engine.state_crc()
    mend()
    watch(board.engine, run).expect_untouched()


def test_a_lockup_is_named(board: Board, make_run: MakeRun, watch: Watch) -> None:
    """A crash within the fault's handler: the emulator says where, and resets the core for the next load."""
    run = make_run(MethodKind.PRIOT)
    watch(board.engine, run)
    mends = [board.poke(name, UNDEFINED) for name in ("priot_linear_s8_forward", "priot_fault_record")]
    with pytest.raises(DeviceFault, match="locked up: instruction fault at priot_fault_record") as caught:
        board.engine.train_step(run.images[1], int(run.labels[1]))
    assert caught.value.pc == board.machine.symbols["priot_fault_record"] & ~1
    for mend in mends:
        mend()
    with pytest.raises(KernelStatus, match="not_loaded"):
        board.engine.device.command(CommandCode.STATE)
    watch(board.engine, run).expect_untouched()


def test_an_endless_loop_is_named(
    board: Board, make_run: MakeRun, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A core that is still busy at the deadline is reset; the next load trains."""
    run = make_run(MethodKind.PRIOT)
    watch(board.engine, run)
    mend = board.poke("priot_linear_s8_forward", BRANCH_TO_ITSELF)
    with monkeypatch.context() as patch:
        patch.setattr(link_module, "MARGIN", 0.2)
        patch.setattr(engines_module, "STEP_SECONDS", 0.0)
        with pytest.raises(EmulationStuck, match="still runs in priot_linear_s8_forward"):
            board.engine.train_step(run.images[1], int(run.labels[1]))
    mend()
    watch(board.engine, run).expect_untouched()


def test_another_build_is_refused(host: HostFirmware) -> None:
    """Both ids are in the sentence; who accepts any build gets it."""
    other = bytes(range(20))
    ids = rf"runs build {host.build_id.hex()[:12]}, this checkout built {other.hex()[:12]}; "
    with pytest.raises(LinkLost, match=ids):
        LinkDevice(Link(ProcessTransport(host.process)), {other: host.process})
    device = LinkDevice(Link(ProcessTransport(host.process)), {other: host.process}, any_build=True)
    assert device.hello.build_id == host.build_id
    device.close()


def test_a_process_that_is_gone_is_lost(host: HostFirmware) -> None:
    """The link cannot bring it back, and says how it ended."""
    transport = ProcessTransport(host.process)
    device = LinkDevice(Link(transport), {host.build_id: host.process})
    process = transport._process
    assert process is not None
    process.kill()
    with pytest.raises(LinkLost, match="the process ended with status -9"):
        device.command(CommandCode.STATE)
    device.close()
