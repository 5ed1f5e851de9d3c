"""`doctor`: each finding as it is, and what to do about it."""

import importlib.metadata
import os
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from fake_programs import write_program
from priot_hil.harness import discovery, doctor
from priot_hil.harness.discovery import Port
from priot_hil.harness.doctor import Finding, State
from priot_hil.harness.firmware import build
from priot_hil.harness.flashing import drive
from priot_hil.harness.transports.process import ProcessTransport
from serial_boards import PtyBoard

Examine = Callable[[], tuple[int, dict[str, str]]]


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without boards, drives and programs; returns its folder of programs."""
    monkeypatch.setattr(discovery, "find_ports", tuple)
    monkeypatch.setattr(drive, "MOUNTS", (f"{tmp_path}/media/*",))
    monkeypatch.setattr(drive, "UNMOUNTED", tmp_path / "by-label")
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    return programs


@pytest.fixture
def examine() -> Examine:
    """The status, and the lines by the thing that they are about."""

    def run() -> tuple[int, dict[str, str]]:
        lines: list[str] = []
        status = doctor.doctor(lines.append)
        return status, {line[8:].split("  ")[0].rstrip(): line for line in lines}

    return run


def test_a_machine_with_nothing(examine: Examine) -> None:
    """What the default commands need is there; all else is named with what it is for."""
    status, lines = examine()
    assert status == 0
    assert lines["ziglang"].split() == ["ok", "ziglang", "0.17.1,", "as", "pinned"]
    assert lines["Python"].startswith("ok")
    assert lines["picotool"].startswith("-")
    assert lines["picotool"].endswith("none  -> for `invoke flash` without a mounted drive")
    assert lines["board"].startswith("-")
    assert not any(line.startswith(("!", "MISSING")) for line in lines.values())


@pytest.mark.parametrize(
    ("package", "version", "says"),
    [
        ("unicorn", "2.1.3", "2.1.3, not the pinned 2.1.4  -> `pip install 'unicorn==2.1.4'`"),
        ("numpy", "1.9.9", "1.9.9, older than 1.26  -> `pip install 'numpy>=1.26'`"),
        ("rich", None, "none  -> `pip install 'rich>=13'`, or remove .venv and let ./run make it"),
    ],
)
def test_a_package_is_not_as_required(
    examine: Examine, monkeypatch: pytest.MonkeyPatch, package: str, version: str | None, says: str
) -> None:
    """Another version than the pinned one, one that is too old, none: status 1."""
    true_version = importlib.metadata.version

    def fake(name: str) -> str:
        if name != package:
            return true_version(name)
        if version is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(importlib.metadata, "version", fake)
    status, lines = examine()
    assert status == 1
    assert lines[package].startswith("MISSING")
    assert lines[package].endswith(says)
    assert any(line == f"The default commands need {package}." for line in lines.values())


def test_programs(examine: Examine, alone: Path) -> None:
    """A version in the program's own words; one that cannot be run is trouble, and no reason for status 1."""
    write_program(alone / "openocd", "print('Open On-Chip Debugger 0.12.0')")
    (alone / "probe-rs").write_text("#!/none\n")
    (alone / "probe-rs").chmod(0o755)
    status, lines = examine()
    assert status == 0
    assert lines["openocd"].split(maxsplit=2) == ["ok", "openocd", "Open On-Chip Debugger 0.12.0"]
    assert lines["probe-rs"].startswith("!")


def test_drives(examine: Examine, tmp_path: Path) -> None:
    """A loader's drive, mounted or not."""
    (tmp_path / "by-label").touch()
    assert "not mounted  -> mount it" in examine()[1][str(tmp_path / "by-label")]
    folder = tmp_path / "media" / "RPI-RP2"
    folder.mkdir(parents=True)
    (folder / "INFO_UF2.TXT").write_text("Board-ID: RPI-RP2\n")
    _, lines = examine()
    assert lines[str(folder)].endswith(
        f"a board in its loader  -> `./run invoke flash --drive {shlex.quote(str(folder))}`"
    )
    assert str(tmp_path / "by-label") not in lines


def port_on(device: str, monkeypatch: pytest.MonkeyPatch) -> Finding:
    """What is found about one board's port."""
    port = Port(device, "E661", "1-1:1.0", *discovery.OWN_USB, "Pico")
    monkeypatch.setattr(discovery, "find_ports", lambda: (port,))
    (finding,) = doctor.boards()
    assert finding.what == device
    assert finding.found.startswith("Pico, serial number E661 at 1-1:1.0: ")
    return finding


@pytest.mark.slow
def test_what_runs_on_a_board(monkeypatch: pytest.MonkeyPatch) -> None:
    """This build, another one, and nothing that answers."""
    firmware = build("host")
    board = PtyBoard(ProcessTransport(firmware.process))
    short = firmware.build_id.hex()[:12]
    other = port_on(board.path, monkeypatch)
    assert (other.state, other.do) == (State.TROUBLE, f"`./run invoke flash --device {board.path}`")
    assert other.found.endswith(f"runs {short}, which is not what is built here")
    monkeypatch.setattr(doctor, "_built", lambda: {firmware.build_id})
    assert port_on(board.path, monkeypatch).found.endswith(f"runs {short}, as built here")
    board.is_deaf = True
    assert port_on(board.path, monkeypatch).found.endswith("nothing of this project answers")
    board.close()


def test_a_port_that_may_not_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """The group that would open it, or a person where there is none."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(Path, "group", lambda _: "dialout")
    finding = port_on("/dev/null", monkeypatch)
    assert (finding.state, finding.do) == (State.TROUBLE, "`sudo usermod -aG dialout $USER`, then log in again")
    monkeypatch.setattr(Path, "group", lambda _: "root")
    assert port_on("/dev/null", monkeypatch).do == "ask who administers this machine for access to it"


def test_a_port_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """By whom; the board is not asked."""
    monkeypatch.setattr(doctor, "processes_with", lambda _: ["screen (pid 7)"])
    finding = port_on("/dev/null", monkeypatch)
    assert (finding.state, finding.found[-22:]) == (State.TROUBLE, "open in screen (pid 7)")
