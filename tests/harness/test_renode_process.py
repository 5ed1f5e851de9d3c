"""Renode as a process: found, started, told what to do, ended, whatever it does; with a stand-in for `renode`."""

import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fake_programs import write_program
from priot_hil.harness.devices import DEVICES
from priot_hil.harness.errors import EmulationStuck, LinkLost
from priot_hil.harness.firmware import build
from priot_hil.harness.renode import monitor
from priot_hil.harness.transports import renode
from priot_hil.harness.transports.renode import RenodeTransport
from priot_hil.reference.errors import InputError

STAND_IN = Path(__file__).with_name("fake_renode.py")
OPEN = """
from pathlib import Path
from priot_hil.harness.transports.renode import RenodeTransport
transport = RenodeTransport(Path({elf!r}))
print(transport.renode.folder, transport.renode.pid, flush=True)
try:
    input()
except KeyboardInterrupt:
    print("interrupted", flush=True)
{close}
"""

Start = Callable[..., RenodeTransport]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts the stand-in on the PATH, in the moods given."""
    program = tmp_path / "bin" / "renode"
    program.parent.mkdir()
    write_program(program, STAND_IN.read_text())
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def in_mood(*moods: str) -> None:
        monkeypatch.setenv("FAKE_RENODE", " ".join(moods))

    in_mood()
    return in_mood


@pytest.fixture(scope="module")
def elf() -> Path:
    """The image; the stand-in does not run it."""
    return build("rp2040").ram.elf


@pytest.fixture
def start(elf: Path, fake: Callable[..., None]) -> Iterator[Start]:
    """Opens a transport on the stand-in in the moods given, and closes it in the end."""
    opened: list[RenodeTransport] = []

    def begin(*moods: str) -> RenodeTransport:
        fake(*moods)
        opened.append(RenodeTransport(elf))
        return opened[-1]

    yield begin
    for transport in opened:
        transport.close()


def soon() -> float:
    """A deadline that only a hang reaches."""
    return time.monotonic() + 20


def is_alive(pid: int) -> bool:
    """Whether a process still runs; one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def ends(pid: int) -> bool:
    """Whether a process ends soon."""
    deadline = soon()
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not is_alive(pid)


def folders(path: Path) -> list[Path]:
    """What running Renodes leave there."""
    return list(path.glob("priot-renode-*"))


def test_a_missing_program_says_so(elf: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is missing, and which version would do; `--device` gives the same reason."""
    monkeypatch.setenv("PATH", str(tmp_path))
    sentence = r"device renode is not available: no program renode on the PATH; install Renode 1\.16\.1 \(docs"
    assert DEVICES["renode"].unavailable() in sentence.replace("\\", "") + "/renode.md)"
    with pytest.raises(InputError, match=sentence):
        RenodeTransport(elf)


def test_bytes_come_back_in_order(start: Start) -> None:
    """Small and large writes, and nothing where nothing was asked."""
    transport = start()
    for size in (1, 100, 50_000):
        data = bytes(i % 250 for i in range(size))
        transport.write(data, soon())
        received = b""
        while len(received) < size:
            received += transport.read(soon())
        assert received == bytes(i % 250 + 1 for i in range(size))
    assert transport.read(time.monotonic() + 0.05) == b""
    assert transport.read(time.monotonic() - 1) == b""


def test_the_tested_version_is_silent(start: Start) -> None:
    """No warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        start()


def test_another_version_is_warned_of(start: Start) -> None:
    """It is taken all the same."""
    with pytest.warns(UserWarning, match=r"renode: expected version 1\.16\.1, .* got 9\.9\.9; "):
        transport = start("new")
    transport.write(b"a", soon())
    assert transport.read(soon()) == b"b"


def test_a_program_that_is_none_is_told(start: Start, tmp_path: Path) -> None:
    """Its name and the system's reason are in the message; nothing is left."""
    (tmp_path / "bin" / "renode").write_bytes(b"no program")
    with pytest.raises(LinkLost, match=r"status 126:\n.*renode: cannot be started \(Exec format error\); install it"):
        start()
    assert not folders(tmp_path)


def test_the_log_lies_in_the_folder(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In that of the instance, whatever its name, and nowhere else; its end is in the error."""
    place = tmp_path / "a place"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    transport = start()
    assert [path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("renode.log")] == ["a place"]
    assert (transport.renode.folder / "renode.log").exists()
    transport.write(b"\xff", soon())
    with pytest.raises(LinkLost, match="the log's last line"):
        transport.read(soon())


def test_a_crash_at_the_start_gives_its_last_words(start: Start, tmp_path: Path) -> None:
    """Status and output are in the message; nothing is left."""
    with pytest.raises(LinkLost, match=r"renode ended with status 1:(.|\n)*DllNotFoundException: libfoo"):
        start("crash")
    assert not folders(tmp_path)


def test_a_refused_image_is_told(start: Start, tmp_path: Path) -> None:
    """The Monitor's own words; nothing is left."""
    with pytest.raises(LinkLost, match=r"renode refused `include @image.resc`: No such file: rp2040.repl"):
        start("bad-image")
    assert not folders(tmp_path)


def test_a_port_that_was_taken_meanwhile(start: Start) -> None:
    """Another one is tried; where all are taken, that is said."""
    transport = start("port-taken")
    transport.write(b"a", soon())
    assert transport.read(soon()) == b"b"
    with pytest.raises(LinkLost, match=r"no free TCP port in 5 tries: (.|\n)*Address already in use"):
        start("no-port")


def test_a_death_in_between_gives_its_last_words(start: Start) -> None:
    """The read says why; each later call says the same."""
    transport = start()
    transport.write(b"\xff", soon())
    for call in (lambda: transport.read(soon()), transport.reset, lambda: transport.write_flash(0, b"")):
        with pytest.raises(LinkLost, match=r"renode ended with status 7:(.|\n)*Fatal error: the reason"):
            call()


def test_a_command_that_hangs_is_named(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host does not wait for ever."""
    transport = start("slow", "stubborn")
    monkeypatch.setattr(monitor, "COMMAND_SECONDS", 0.2)
    monkeypatch.setattr(monitor, "LEAVE_SECONDS", 0.1)
    with pytest.raises(LinkLost, match=r"renode did not finish `machine Reset` in 0\.2 s"):
        transport.reset()
    transport.close()


def test_a_closed_device_says_so(start: Start) -> None:
    """Closing twice is no error; using it then is."""
    transport = start()
    transport.close()
    transport.close()
    for call in (lambda: transport.read(soon()), lambda: transport.write(b"a", soon()), transport.reset):
        with pytest.raises(LinkLost, match="closed; open"):
            call()


def test_a_busy_core_is_named(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that does not come from a core that still works is no cable's fault; a short look does not ask."""
    monkeypatch.setattr(renode, "BOOT_SECONDS", 0.1)
    busy = start("busy")
    assert busy.read(time.monotonic() + 0.05) == b""
    with pytest.raises(EmulationStuck, match=r"renode:priot-ram\.elf still runs in priot_entry\+0x0 \(0x20001000\)"):
        busy.read(time.monotonic() + 0.3)
    assert start().read(time.monotonic() + 0.3) == b""


def test_closing_leaves_nothing(start: Start, tmp_path: Path) -> None:
    """Neither process nor folder; it has left by itself."""
    transport = start()
    process = transport.renode._process
    pid = transport.renode.pid
    assert is_alive(pid)
    assert len(folders(tmp_path)) == 1
    transport.close()
    assert process.returncode == 0
    assert not is_alive(pid)
    assert not folders(tmp_path)


def test_a_renode_that_does_not_leave_is_ended(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what it started: `renode` is a script that starts another program on some systems."""
    transport = start("stubborn")
    child = int((transport.renode.folder / "output.txt").read_text().split()[1])
    monkeypatch.setattr(monitor, "LEAVE_SECONDS", 0.1)
    transport.close()
    assert ends(transport.renode.pid)
    assert ends(child)
    assert not folders(tmp_path)


@pytest.mark.parametrize("close", ["transport.close()", ""])
@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGKILL, None])
def test_no_renode_outlives_its_host(
    elf: Path, fake: Callable[..., None], blow: signal.Signals | None, close: str
) -> None:
    """After Ctrl-C, after an end without `close`, after the host was killed; nor does its folder."""
    script = OPEN.format(elf=str(elf), close=close)
    host = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, process_group=0
    )
    assert host.stdout is not None
    folder, pid = host.stdout.readline().rsplit(maxsplit=1)
    assert Path(folder).exists()
    assert is_alive(int(pid))
    if blow is None:
        host.communicate("\n")
    else:
        os.killpg(host.pid, blow)  # Ctrl-C goes to the whole group of the terminal
        host.communicate()
    assert ends(int(pid))
    assert not Path(folder).exists()
