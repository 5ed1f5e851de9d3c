"""Serial ports through pyserial: real pseudo-terminals, sockets and RFC 2217, with a device behind each."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from priot_hil.harness import port_lock
from priot_hil.harness.boards_on_ports import one_line
from priot_hil.harness.capsule import read_capsule
from priot_hil.harness.device_kinds import DeviceOptions
from priot_hil.harness.devices import open_engine
from priot_hil.harness.errors import DeviceRestarted, LinkLost
from priot_hil.harness.firmware import build
from priot_hil.harness.port_lock import PortBusy
from priot_hil.harness.replay import replay
from priot_hil.harness.transports.emulator import EmulatorTransport
from priot_hil.harness.transports.process import ProcessTransport
from priot_hil.harness.transports.serial import SerialTransport
from priot_hil.reference.errors import InputError
from serial_boards import PtyBoard, golden, served

ANY = DeviceOptions(any_build=True)
BAUD = 115200


@pytest.fixture
def new_board() -> Iterator[Callable[[], PtyBoard]]:
    """Boards behind pseudo-terminals; behind each is the firmware as a process, which starts quickly."""
    boards = []

    def make() -> PtyBoard:
        boards.append(PtyBoard(ProcessTransport(build("host").process)))
        return boards[-1]

    yield make
    for board in boards:
        board.close()


@pytest.fixture
def board(new_board: Callable[[], PtyBoard]) -> PtyBoard:
    """One of them."""
    return new_board()


@pytest.fixture
def plug(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Say which ports the system lists: `plug((device, serial number, location), ...)`."""

    def listed(*ports: tuple[str, str | None, str | None]) -> None:
        found = [
            SimpleNamespace(
                device=device, serial_number=number, location=location, vid=0x1209, pid=1, description="Pico"
            )
            for device, number, location in ports
        ]
        monkeypatch.setattr("serial.tools.list_ports.comports", lambda: found)

    return listed


@pytest.mark.parametrize("kind", ["ram", "flash"])
def test_an_emulated_board_behind_a_port(kind: str) -> None:
    """Either image of this checkout is taken for its own, and computes a golden case to the last bit."""
    board = PtyBoard(EmulatorTransport(getattr(build("rp2040"), kind).elf))
    engine = open_engine(board.path)
    assert engine.name == board.path
    assert replay(read_capsule(golden(0)), engine) is None
    engine.close()
    board.close()


@pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")  # pyserial's
@pytest.mark.parametrize("rfc2217", [False, True], ids=["socket", "rfc2217"])
def test_a_board_behind_the_network(board: PtyBoard, rfc2217: bool) -> None:
    """A URL is a port like any other."""
    with served(board.path, rfc2217) as url:
        engine = open_engine(url, ANY)
        assert replay(read_capsule(golden(1)), engine) is None
        engine.close()


def test_another_build_is_refused(board: PtyBoard) -> None:
    """Both builds, the way out and the transcript are in the message; --any-build takes it."""
    firmware = build("rp2040")
    with pytest.raises(LinkLost) as caught:
        open_engine(board.path)
    said = one_line(caught.value)
    assert f"runs build {build('host').build_id.hex()[:12]}, this checkout built " in said
    for image in (firmware.ram, firmware.flash):
        assert image.build_id.hex()[:12] in said
    assert f"flash it with `invoke flash --device {board.path}`, or accept it with `--any-build`; transcript: " in said
    assert Path(said.rpartition("transcript: ")[2]).exists()


def test_a_held_port_names_its_holder(board: PtyBoard, tmp_path: Path) -> None:
    """In this process, by whatever name it is asked for; free again once closed."""
    other = tmp_path / "link"
    other.symlink_to(board.path)
    first = SerialTransport(board.path, BAUD)
    for name in (board.path, str(other)):
        with pytest.raises(PortBusy, match=rf"{name}: expected a port that is free, got .*\(pid {os.getpid()}, since"):
            SerialTransport(name, BAUD)
    first.close()
    first.close()
    SerialTransport(str(other), BAUD).close()


HOLD = """
import sys
from priot_hil.harness.transports.serial import SerialTransport
transport = SerialTransport(sys.argv[1], 115200)
print("held", flush=True)
sys.stdin.read()
"""
FOREIGN = """
import sys, serial
port = serial.Serial(sys.argv[1], exclusive=True)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(("program", "names"), [(HOLD, "hold.py {port}"), (FOREIGN, "python")], ids=["own", "foreign"])
def test_a_port_held_by_another_process(board: PtyBoard, tmp_path: Path, program: str, names: str) -> None:
    """One of this project by its lock, another program by what the system tells; killed, it holds nothing."""
    if program == FOREIGN and not port_lock.PROCESSES.exists():
        pytest.skip("this platform does not tell who has a port open")
    path = tmp_path / "hold.py"
    path.write_text(program)
    holder = subprocess.Popen(
        [sys.executable, path, board.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(InputError) as caught:
        SerialTransport(board.path, BAUD)
    assert names.format(port=board.path) in str(caught.value)
    assert f"pid {holder.pid}" in str(caught.value)
    holder.kill()
    holder.communicate()
    SerialTransport(board.path, BAUD).close()


@pytest.mark.parametrize("name", ["/dev/does-not-exist", "serial:does-not-exist", "nothing://here"])
def test_a_missing_port_is_refused(name: str) -> None:
    """What, and where to look; the name stays free for another try."""
    for _ in range(2):
        with pytest.raises(InputError, match=rf"^{name}: expected (a|one) port .*`invoke devices`"):
            SerialTransport(name, BAUD)


def test_a_write_that_is_not_taken_ends_the_link(board: PtyBoard) -> None:
    """At the deadline; how much of it arrived is said to be unknown."""
    board.is_deaf = True
    transport = SerialTransport(board.path, BAUD)
    begin = time.monotonic()
    with pytest.raises(LinkLost, match=r"did not take 100000 bytes .* how many of them arrived is unknown"):
        transport.write(b"\1" * 100_000, begin + 0.2)
    assert 0.1 < time.monotonic() - begin < 2
    board.is_deaf = False
    transport.close()


def test_reads_keep_their_deadline(board: PtyBoard) -> None:
    """A silent port gives nothing, in time; a deadline that has passed is no error."""
    transport = SerialTransport(board.path, BAUD)
    begin = time.monotonic()
    assert transport.read(begin + 0.1) == b""
    assert 0.1 <= time.monotonic() - begin < 1
    assert transport.read(begin) == b""
    transport.close()


def test_an_unplugged_board_is_lost(board: PtyBoard) -> None:
    """The error names the port, and its transcript exists."""
    engine = open_engine(board.path, ANY)
    board.unplug()
    with pytest.raises(LinkLost, match=rf"^{board.path} is gone \(No such file(.|\n)*\ntranscript: .*\.log$"):
        replay(read_capsule(golden(0)), engine)
    engine.close()


def test_a_board_that_comes_back_is_found_again(new_board: Callable[[], PtyBoard], plug: Callable[..., None]) -> None:
    """Restarted under another name of the port: the transport finds it, the device says that its model is gone."""
    first, second = new_board(), new_board()
    plug((first.path, "E66A", "1-1.4:1.0"))
    engine = open_engine("serial:e66a", ANY)
    capsule = read_capsule(golden(0))
    assert replay(capsule, engine) is None
    first.unplug()
    plug((second.path, "E66A", "1-1.4:1.0"))
    with pytest.raises(DeviceRestarted, match="serial:e66a has restarted before or during load"):
        replay(capsule, engine)
    assert replay(capsule, engine) is None
    engine.close()


def test_a_port_that_comes_back_keeps_the_session(board: PtyBoard, plug: Callable[..., None]) -> None:
    """Only the cable was out: the device has its model still, and the request that was lost is asked again."""
    plug((board.path, None, "1-1.4:1.0"))
    engine = open_engine("serial:1-1.4", ANY)
    capsule = read_capsule(golden(0))
    assert replay(capsule, engine) is None
    again = PtyBoard(board.unplug())
    plug((again.path, None, "1-1.4:1.0"))
    assert replay(capsule, engine) is None
    engine.close()
    again.unplug()
