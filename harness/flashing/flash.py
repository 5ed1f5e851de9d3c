"""`flash`: from whatever runs on a board to this checkout's firmware, and the proof that it runs."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from priot_hil.harness import discovery
from priot_hil.harness.errors import KernelStatus
from priot_hil.harness.firmware import Image, build
from priot_hil.harness.options import BAUD
from priot_hil.harness.protocol import HelloResponse
from priot_hil.reference.errors import InputError

from . import drive, tools
from .errors import FlashFailed
from .running import ask_port, restart_as_loader, touch

POLL_SECONDS = 0.2
IMAGES = ("flash", "ram")
BOOTSEL = "hold BOOTSEL while you plug the board in, then give the same command again"


@dataclass(frozen=True)
class Patience:
    """How long to wait.

    Attributes:
        drive: Seconds for the loader's drive to be mounted.
        port: Seconds for the new firmware's port to appear and answer.
    """

    drive: float = 15.0
    port: float = 15.0


@dataclass(frozen=True)
class FlashOptions:
    """What a user says.

    Attributes:
        device: The board's port, by any name of it; None for the one board that is found.
        drive: Where the loader's drive is mounted; None to look for it.
        image: Executed in place from flash, or loaded into RAM until the board is unplugged.
        baud: Bits per second of the port.
        patience: How long to wait.
    """

    device: str | None = None
    drive: Path | None = None
    image: str = "flash"
    baud: int = BAUD
    patience: Patience = Patience()


def flash(options: FlashOptions, say: Callable[[str], None] = print) -> str:
    """Makes a board run this checkout's firmware.

    Returns:
        The name of the port behind which it runs.

    Raises:
        InputError: There is no board, or more than one; it is held, or there is no way to write it.
        FlashFailed: It was written, in whole or in part, and does not run what it should.
    """
    if options.image not in IMAGES:
        raise InputError.about("image", expected=" or ".join(IMAGES), got=repr(options.image), do="name one of them")
    chosen = drive.named_drive(options.drive) if options.drive else None
    before = {port.identity for port in discovery.find_boards()}
    device = options.device or (None if chosen else _only_board())
    running = ask_port(device, options.baud) if device else None
    firmware = build("rp2040")
    image = firmware.flash if options.image == "flash" else firmware.ram
    if device and running and running.build_id == image.build_id:
        say(f"{device} runs build {_short(image.build_id)} already; nothing to do")
        return device
    if device:
        say(f"{device} runs {f'build {_short(running.build_id)}' if running else 'something else'}")
    way = _write(image, options, chosen, device, running, say)
    say(f"{way}: build {_short(image.build_id)} written; waiting for it to answer")
    return _wait_for_firmware(image, options, device, before, say)


def _short(build_id: bytes) -> str:
    return build_id.hex()[:12]


def _only_board() -> str | None:
    """The one board with a port; None where there is none, and so perhaps one in its loader.

    Raises:
        InputError: There are several.
    """
    boards = discovery.find_boards()
    if len(boards) > 1:
        names = ", ".join(discovery.short_name(board, boards) for board in boards)
        raise InputError.about("board", expected="one", got=f"{len(boards)}: {names}", do="name one with --device")
    return discovery.short_name(boards[0], boards) if boards else None


def _write(
    image: Image,
    options: FlashOptions,
    chosen: Path | None,
    device: str | None,
    running: HelloResponse | None,
    say: Callable[[str], None],
) -> str:
    """Writes the image by the first way that there is; returns its name."""
    probe = _probe(device)
    if chosen is None and probe is not None and options.image == "flash":
        tool = tools.debugger(image.elf, probe)
        if tool is not None:
            say(f"writing through the probe with {tool.name}")
            tool.run()
            return tool.name
    there = set(drive.find_drives())
    if chosen is None and device is not None:
        _into_loader(device, running, options, say)
    if chosen is None:
        say(f"waiting up to {options.patience.drive:.0f} s for the loader's drive")
    found = chosen or _wait_for_drive(there if device else set(), options)
    if found is not None:
        drive.copy_uf2(image.uf2, found)
        return str(found)
    tool = tools.picotool(image.uf2)
    if tool is not None:
        tool.run()
        return tool.name
    if drive.UNMOUNTED.exists():
        got, do = f"{drive.UNMOUNTED}, not mounted", "mount it, and name the folder with --drive"
    else:
        got, do = "none, and no picotool on the PATH", BOOTSEL
    got += "; nothing was written" if device else ""
    what = f"loader of {device}" if device else "board"
    expected = f"a drive with {drive.INFO} within {options.patience.drive:.0f} s"
    raise InputError.about(what, expected=expected, got=got, do=do)


def _probe(device: str | None) -> discovery.Port | None:
    """The probe behind whose port the board is; None where it is none."""
    if device is None or "://" in device:
        return None
    number = device.removeprefix(discovery.SERIAL)
    port = discovery.port_named(number) if number != device else discovery.port_behind(device)
    return port if port is not None and tools.is_probe(port) else None


def _into_loader(device: str, running: HelloResponse | None, options: FlashOptions, say: Callable[[str], None]) -> None:
    if running is None:
        say(f"{device} does not speak this protocol; asking for its loader at 1200 baud")
        touch(device)
        return
    say(f"{device} restarts as its loader")
    try:
        restart_as_loader(device, options.baud)
    except KernelStatus as status:
        raise InputError.about(
            device, expected="a board with a loader in ROM", got=str(status), do="name a board with --device"
        ) from status


def _wait_for_drive(there: set[Path], options: FlashOptions) -> Path | None:
    """The one drive that was not there before, as soon as it is mounted.

    Raises:
        InputError: There are several.
    """
    deadline = time.monotonic() + options.patience.drive
    while True:
        found = [folder for folder in drive.find_drives() if folder not in there]
        if len(found) > 1:
            names = ", ".join(map(str, found))
            raise InputError.about("drive", expected="one board's", got=names, do="name one of them with --drive")
        if found:
            return found[0]
        if time.monotonic() >= deadline:
            return None
        time.sleep(POLL_SECONDS)


def _wait_for_firmware(
    image: Image, options: FlashOptions, device: str | None, before: set[str], say: Callable[[str], None]
) -> str:
    """The port behind which the image answers: the one it had, or one that has come, as another firmware's name may.

    Raises:
        FlashFailed: None answers, or another firmware does.
    """
    deadline = time.monotonic() + options.patience.port
    got = "no port that answers"
    while True:
        ports = discovery.find_boards()
        new = [discovery.short_name(port, ports) for port in ports if port.identity not in before]
        for name in dict.fromkeys([*([device] if device else []), *new]):
            try:
                running = ask_port(name, options.baud)
            except InputError as error:  # not there yet, or not ours to open yet
                got = str(error)
                continue
            if running and running.build_id == image.build_id:
                say(f"{name} runs build {_short(image.build_id)}, read back from it")
                return name
            if running:
                got = f"build {_short(running.build_id)} behind {name}"
        if time.monotonic() >= deadline:
            raise FlashFailed.about(
                "the board, after it was written in whole",
                expected=f"an answer from build {_short(image.build_id)} within {options.patience.port:.0f} s",
                got=got.rstrip("."),
                do="name its port with --device if it is on a UART, or see `./run invoke doctor`",
            )
        time.sleep(POLL_SECONDS)
