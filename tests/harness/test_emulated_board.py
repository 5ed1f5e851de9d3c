"""An emulated board in a process of its own, behind a pseudo-terminal, through pyserial."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from priot_hil.harness.capsule import read_capsule
from priot_hil.harness.devices import open_engine
from priot_hil.harness.emulated_board import _check_symlink, emulate, open_board
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.replay import replay
from priot_hil.reference.errors import InputError

CAPSULE = Path(__file__).parent.parent / "capsules" / "golden" / "010_priot.npz"
PROGRAM = """import sys
from pathlib import Path
from priot_hil.harness.emulated_board import emulate
emulate(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
"""


@pytest.fixture(params=["emulator uart", "rp2040py uart", "rp2040py usb"])
def board(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """The process, and the terminal's name."""
    symlink = tmp_path / "board"
    command = [sys.executable, "-c", PROGRAM, *request.param.split(), str(symlink)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"{symlink}\n"
        yield process, symlink
        process.kill()


def test_a_board_behind_a_terminal(board: tuple[subprocess.Popen[str], Path]) -> None:
    """It computes a golden case, is closed and opened again, and uses no processor time while nobody asks."""
    process, path = board
    for _ in range(2):
        engine = open_engine(str(path))
        assert isinstance(engine, DeviceEngine)
        assert engine.device.hello.name.rstrip(b"\0") == b"rp2040"
        assert replay(read_capsule(CAPSULE), engine) is None
        engine.close()
    before = processor_ticks(process.pid, after=0.1)
    assert processor_ticks(process.pid, after=0.2) == before


def processor_ticks(pid: int, after: float = 0.0) -> int:
    """What a process has used, in ticks; where there is no /proc, always the same."""
    time.sleep(after)
    status = Path(f"/proc/{pid}/stat")
    return sum(map(int, status.read_text().rpartition(")")[2].split()[11:13])) if status.exists() else 0


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("board", ["emulator uart"], indirect=True)
def test_it_ends_when_told(board: tuple[subprocess.Popen[str], Path], end: signal.Signals) -> None:
    """Status 0, and the terminal's name is gone."""
    process, path = board
    assert os.readlink(path).startswith("/dev/")
    process.send_signal(end)
    assert process.wait(10) == 0
    assert not path.is_symlink()


@pytest.mark.parametrize(("device", "link"), [("host", "uart"), ("emulator", "usb"), ("rp2040py", "spi")])
def test_refuses_what_it_does_not_have(device: str, link: str) -> None:
    """Before anything is built."""
    with pytest.raises(InputError, match="expected"):
        open_board(device, link)


def test_replaces_no_file(tmp_path: Path) -> None:
    """A file that stands where the link should be is left alone."""
    place = tmp_path / "board"
    place.write_text("mine")
    with pytest.raises(InputError, match="expected a new name"):
        emulate("emulator", "uart", place)
    assert place.read_text() == "mine"


def test_replaces_no_other_link(tmp_path: Path) -> None:
    """One to a file or a folder is somebody else's; one that dangles in /dev was left behind by a board."""
    file, place = tmp_path / "file", tmp_path / "board"
    file.write_text("mine")
    for target in (file, tmp_path, tmp_path / "nothing"):
        place.symlink_to(target)
        with pytest.raises(InputError, match="expected a new name, or a link to a terminal, got the link "):
            _check_symlink(place)
        assert place.readlink() == target
        place.unlink()
    place.symlink_to("/dev/pts/9999")
    _check_symlink(place)
    assert place.is_symlink()
