"""`flash`: from a running board through its loader's drive to the new firmware, and all ways in which that can fail."""

import contextlib
import errno
import os
import shutil
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fake_programs import write_program
from priot_hil.harness import discovery
from priot_hil.harness.booted import BootedRp2040
from priot_hil.harness.discovery import Port
from priot_hil.harness.errors import EmulationStuck
from priot_hil.harness.firmware import BoardFirmware, build
from priot_hil.harness.flashing import FlashFailed, FlashOptions, Patience, drive, flash
from priot_hil.harness.flashing.running import ask
from priot_hil.harness.link import Link
from priot_hil.harness.protocol import CommandCode, StatusCode
from priot_hil.harness.transports import Transport
from priot_hil.harness.transports.process import ProcessTransport
from priot_hil.harness.transports.rp2040py import Rp2040pyTransport
from priot_hil.reference.errors import InputError
from serial_boards import PtyBoard

OLD_BUILD = bytes(range(20))
SOON = Patience(drive=0.3, port=0.3)
INFO = "UF2 Bootloader v3.0\r\nModel: Raspberry Pi RP2\r\nBoard-ID: RPI-RP2\r\n"


@pytest.fixture(scope="module")
def board() -> BoardFirmware:
    """Both images."""
    return build("rp2040")


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without boards, drives and tools of its own; returns where drives are mounted."""
    mounts, programs = tmp_path / "media", tmp_path / "bin"
    mounts.mkdir()
    programs.mkdir()
    monkeypatch.setattr(drive, "MOUNTS", (f"{mounts}/*",))
    monkeypatch.setattr(drive, "UNMOUNTED", tmp_path / "by-label")
    monkeypatch.setattr(discovery, "find_ports", tuple)
    monkeypatch.setenv("PATH", str(programs))
    return mounts


def mount(folder: Path) -> Path:
    """A drive as the bootrom offers it."""
    folder.mkdir()
    (folder / drive.INFO).write_bytes(INFO.encode())
    return folder


def program(folder: Path, name: str, script: str) -> Path:
    """A program of the user's machine; it notes its arguments, then does what the script says."""
    path = folder.parent / "bin" / name
    note = f'open("{path}.said", "a").write(repr(sys.argv[1:]) + "\\n")'
    return write_program(path, f"import sys\n{note}\n{script}\n")


class BoardWithLoader:
    """A booted RP2040 that offers a drive once it has restarted as the bootrom's loader, and boots what comes there.

    Args:
        machine: What runs first.
        folder: Where its drive is mounted.
    """

    name = "board"
    busy = False  # as a wire of the machine, through which it learns of the loader's restart by the watchdog

    def __init__(self, machine: BootedRp2040, folder: Path) -> None:
        self._folder = folder
        self.copied: bytes | None = None
        self._boot(machine)

    def unplugged(self) -> None:
        """The chip restarts through its watchdog, which no restart of the firmware itself does."""
        mount(self._folder)

    def write(self, data: bytes, deadline: float) -> None:
        """To the chip; nobody listens in the loader."""
        self._inner.write(data, deadline)

    def read(self, deadline: float) -> bytes:
        """From the chip; meanwhile the loader's drive comes and goes."""
        if not self._folder.exists():
            with contextlib.suppress(EmulationStuck):  # busy, or in the loader
                return self._inner.read(deadline)
            return self._inner.line.take()
        for path in self._folder.glob("*.uf2"):
            data = path.read_bytes()
            if len(data) >= 512 and len(data) == 512 * struct.unpack_from("<I", data, 24)[0]:
                self.copied = data
                kept = self._folder.parent.parent / path.name
                kept.write_bytes(data)
                self._boot(BootedRp2040(kept))
                shutil.rmtree(self._folder)
        time.sleep(0.001)
        return b""

    def reset(self) -> None:
        """Has no button."""

    def close(self) -> None:
        """Holds nothing."""

    def _boot(self, machine: BootedRp2040) -> None:
        machine.run(1.0)
        self._inner = Rp2040pyTransport(machine)
        machine.wires.append(self)


def old_firmware(board: BoardFirmware) -> BootedRp2040:
    """This firmware under another build id."""
    machine = BootedRp2040(board.flash.uf2)
    at = bytes(machine.rp2040.flash[:0x60000]).index(board.flash.build_id)
    machine.rp2040.flash[at : at + len(OLD_BUILD)] = OLD_BUILD
    return machine


def other_firmware() -> ProcessTransport:
    """A firmware that no image is the build of."""
    return ProcessTransport(build("host").process)


@contextlib.contextmanager
def on_a_port(transport: Transport) -> Iterator[str]:
    """A device behind a pseudo-terminal; the name of its port."""
    port = PtyBoard(transport)
    try:
        yield port.path
    finally:
        port.close()


def test_from_an_old_build_to_this_one(alone: Path, board: BoardFirmware) -> None:
    """The old firmware restarts through the real bootrom; what is copied to the drive boots and says its build id."""
    said: list[str] = []
    transport = BoardWithLoader(old_firmware(board), alone / "RPI-RP2")
    with on_a_port(transport) as port:
        assert flash(FlashOptions(port), said.append) == port
        build_id = board.flash.build_id.hex()[:12]
        assert said[0] == f"{port} runs build {OLD_BUILD.hex()[:12]}"
        assert said[-1] == f"{port} runs build {build_id}, read back from it"
        assert transport.copied == board.flash.uf2.read_bytes()
        said.clear()
        assert flash(FlashOptions(port), said.append) == port
        assert said == [f"{port} runs build {build_id} already; nothing to do"]


def test_a_board_that_is_found_before_and_after(
    alone: Path, board: BoardFirmware, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another firmware it has another number on USB, at the same place and under the same name of its port."""
    transport = BoardWithLoader(old_firmware(board), alone / "RPI-RP2")
    with on_a_port(transport) as port:

        def ports() -> tuple[Port, ...]:
            if (alone / "RPI-RP2").exists():
                return ()
            if transport.copied is None:
                return (Port(port, "OLD", "1-1:1.0", discovery.RASPBERRY_PI, 0x000A, "Pico"),)
            return (Port(port, "NEW", "1-1:1.0", *discovery.OWN_USB, "Pico"),)

        monkeypatch.setattr(discovery, "find_ports", ports)
        said: list[str] = []
        assert flash(FlashOptions(), said.append) == "serial:NEW"
        assert said[0] == f"serial:OLD runs build {OLD_BUILD.hex()[:12]}"


def test_asking_leaves_a_session_alone() -> None:
    """The build id is read without ending the session of whoever works there."""
    transport = other_firmware()
    link = Link(transport)
    link.hello()
    found = ask(transport)
    assert found is not None
    assert found.build_id == build("host").build_id
    assert link.request(CommandCode.STATE, b"")[0] == StatusCode.NOT_LOADED
    transport.close()


def test_a_device_without_a_loader(alone: Path) -> None:
    """It says so, and nothing was written."""
    with on_a_port(other_firmware()) as port, pytest.raises(InputError) as caught:
        flash(FlashOptions(port, patience=SOON), lambda _: None)
    assert "expected a board with a loader in ROM" in str(caught.value)


@pytest.mark.slow
def test_something_else_behind_the_port(alone: Path) -> None:
    """A port that does not answer, and no drive after the 1200 baud: what to do with the hand."""
    said: list[str] = []
    with on_a_port(BoardThatIsMute()) as port, pytest.raises(InputError) as caught:
        flash(FlashOptions(port, patience=SOON), said.append)
    assert said[0] == f"{port} runs something else"
    assert said[1].endswith("asking for its loader at 1200 baud")
    assert str(caught.value).endswith(
        "got none, and no picotool on the PATH; nothing was written; hold BOOTSEL while you plug the board "
        "in, then give the same command again."
    )


class BoardThatIsMute(BoardWithLoader):
    """Takes everything and says nothing."""

    def __init__(self) -> None:
        pass

    def write(self, data: bytes, deadline: float) -> None:
        """Nobody cares."""

    def read(self, deadline: float) -> bytes:
        """Nothing."""
        return b""


def test_no_board_at_all(alone: Path, tmp_path: Path) -> None:
    """Neither port nor drive; a drive that is there but not mounted is named."""
    with pytest.raises(InputError, match=r"expected a drive with INFO_UF2.TXT .* hold BOOTSEL"):
        flash(FlashOptions(patience=SOON), lambda _: None)
    (tmp_path / "by-label").touch()
    with pytest.raises(InputError, match=r"by-label, not mounted; mount it, and name the folder with --drive"):
        flash(FlashOptions(patience=SOON), lambda _: None)


def test_several_boards_or_drives(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which one is the user's to say."""
    ports = tuple(Port(f"/dev/ttyACM{n}", f"E66{n}", f"1-{n}:1.0", 0x2E8A, 0x000A, "Pico") for n in range(2))
    monkeypatch.setattr(discovery, "find_ports", lambda: ports)
    with pytest.raises(InputError, match=r"expected one, got 2: serial:E660, serial:E661; name one with --device"):
        flash(FlashOptions(patience=SOON), lambda _: None)
    monkeypatch.setattr(discovery, "find_ports", tuple)
    for name in ("one", "two"):
        mount(alone / name)
    with pytest.raises(InputError, match=r"expected one board's, got .*one, .*two; name one of them with --drive"):
        flash(FlashOptions(patience=SOON), lambda _: None)


def test_a_folder_that_is_no_drive(alone: Path, tmp_path: Path) -> None:
    """Another folder, another chip's drive, none."""
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(InputError, match=r"expected a drive with 'Board-ID: RPI-RP2' in its INFO_UF2.TXT"):
            flash(FlashOptions(drive=folder), lambda _: None)
    other = mount(alone / "RP2350")
    (other / drive.INFO).write_text(INFO.replace("RPI-RP2", "RP2350"))
    assert not drive.is_drive(other)
    assert list(other.iterdir()) == [other / drive.INFO]


@pytest.mark.parametrize("image", ["flash", "ram"])
def test_a_named_drive_without_a_port(alone: Path, board: BoardFirmware, image: str) -> None:
    """The right image was written in whole, and that nothing was read back is said."""
    folder = mount(alone / "RPI-RP2")
    with pytest.raises(FlashFailed, match=r"after it was written in whole: expected an answer from build \w{12}"):
        flash(FlashOptions(drive=folder, image=image, patience=SOON), lambda _: None)
    uf2 = board.flash.uf2 if image == "flash" else board.ram.uf2
    assert (folder / uf2.name).read_bytes() == uf2.read_bytes()


def test_another_build_answers(alone: Path, board: BoardFirmware) -> None:
    """What was written is not what runs: no success."""
    folder = mount(alone / "RPI-RP2")
    with on_a_port(other_firmware()) as port, pytest.raises(FlashFailed) as caught:
        flash(FlashOptions(port, drive=folder, patience=SOON), lambda _: None)
    assert f"got build {build('host').build_id.hex()[:12]} behind {port}" in str(caught.value)


def test_a_drive_that_vanishes(alone: Path, board: BoardFirmware, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the last block that is success; earlier, or where it is still there, the board is called half-written."""
    uf2 = board.flash.uf2
    folder = mount(alone / "RPI-RP2")

    def fail_and(vanish: bool) -> Callable[[int], None]:
        def fsync(_: int) -> None:
            if vanish:
                shutil.rmtree(folder)
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        return fsync

    monkeypatch.setattr(drive.os, "fsync", fail_and(vanish=False))
    with pytest.raises(FlashFailed, match=rf"after {uf2.stat().st_size} of them, so that the board holds a part"):
        drive.copy_uf2(uf2, folder)
    monkeypatch.setattr(drive.os, "fsync", fail_and(vanish=True))
    drive.copy_uf2(uf2, folder)
    with pytest.raises(FlashFailed, match=r"after 0 of them, so that the board holds its old program"):
        drive.copy_uf2(uf2, folder)


def test_picotool(alone: Path, board: BoardFirmware) -> None:
    """Where no drive is mounted: the image is loaded, read back and started by it; its failure is told in its words."""
    tool = program(alone, "picotool", "")
    with pytest.raises(FlashFailed, match="after it was written in whole"):
        flash(FlashOptions(patience=SOON), lambda _: None)
    assert (tool.parent / "picotool.said").read_text() == (
        f"['load', '--verify', '--execute', '{board.flash.uf2}', '-t', 'uf2']\n"
    )
    program(alone, "picotool", 'sys.exit("No accessible RP2040 device in BOOTSEL mode was found.")')
    with pytest.raises(
        FlashFailed, match=r"got status 1 \(No accessible RP2040 .*\), so that the board may hold a part"
    ):
        flash(FlashOptions(patience=SOON), lambda _: None)


@pytest.mark.parametrize("name", ["openocd", "probe-rs"])
def test_a_debugger(alone: Path, board: BoardFirmware, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A board behind a probe's UART is written through the probe, by its serial number, and not asked to restart."""
    tool = program(alone, name, "")
    with on_a_port(other_firmware()) as port:
        probe = Port(port, "E6633861A3", "1-1:1.1", 0x2E8A, 0x000C, "Debug Probe")
        monkeypatch.setattr(discovery, "find_ports", lambda: (probe,))
        with pytest.raises(FlashFailed, match=f"got build {build('host').build_id.hex()[:12]} behind"):
            flash(FlashOptions(patience=SOON), lambda _: None)
    said = (tool.parent / f"{name}.said").read_text()
    assert "E6633861A3" in said
    assert str(board.flash.elf) in said
    assert "verify" in said


def test_unknown_image() -> None:
    """Before anything is built or asked."""
    with pytest.raises(InputError, match="image: expected flash or ram, got 'rom'"):
        flash(FlashOptions(image="rom"))
