"""An emulated board on a pseudo-terminal: a process of its own, which another one opens as it would a serial port."""

import contextlib
import os
import selectors
import signal
import sys
import time
import tty
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Final, Literal, get_args

from priot_hil.harness.booted import BootedRp2040
from priot_hil.harness.errors import DeviceFault, EmulationStuck
from priot_hil.harness.firmware import build
from priot_hil.harness.outputs import check_folder
from priot_hil.harness.transports import Transport
from priot_hil.harness.transports.emulator import EmulatorTransport
from priot_hil.harness.transports.rp2040py import Line, Rp2040pyTransport
from priot_hil.reference.errors import InputError

Board = Literal["emulator", "rp2040py"]
_SLICE_SECONDS: Final = 0.01  # of running between two looks at the terminal
_CHUNK: Final = 4096
_UNREAD_BYTES: Final = 1 << 16  # kept for a reader; what comes after is lost, as on a line to which nobody listens


def open_board(device: str, link: str) -> Transport:
    """The board and the cable to it.

    Raises:
        InputError: No such board or cable, or the firmware cannot be built.
    """
    if device not in get_args(Board):
        raise InputError.about("device", expected=" or ".join(get_args(Board)), got=device, do="name one of them")
    lines: tuple[Line, ...] = get_args(Line)
    line = next((line for line in lines if line == link), None)
    if line is None or (device == "emulator" and line != "uart"):
        expected = "uart, or usb with rp2040py; the emulator has no USB host"
        raise InputError.about("link", expected=expected, got=f"{link} with {device}", do="name one of them")
    firmware = build("rp2040")
    if device == "emulator":
        return EmulatorTransport(firmware.ram.elf)
    return Rp2040pyTransport(BootedRp2040(firmware.flash.uf2), line)


def emulate(device: str, link: str, symlink: Path | None) -> None:
    """Put an emulated board on a pseudo-terminal, print the terminal's path, and serve it until SIGINT or SIGTERM.

    Args:
        device: "emulator" or "rp2040py".
        link: "uart" or "usb".
        symlink: A name for the terminal that stays the same from one start to the next; None for none.

    Raises:
        InputError: See `open_board`; or there is something else where the link should be.
    """
    if symlink is not None:
        _check_symlink(symlink)
    board = open_board(device, link)
    for end in (signal.SIGINT, signal.SIGTERM):  # a shell's background job would ignore the first
        signal.signal(end, _stop)
    controller, terminal = os.openpty()
    try:
        tty.setraw(terminal)
        os.set_blocking(controller, False)
        path = os.ttyname(terminal)
        with contextlib.suppress(KeyboardInterrupt), _linked(symlink, path):
            print(symlink or path, flush=True)  # who reads it may end this at once
            print(f"{board.name}; Ctrl-C ends it. Try `./run pytest --device={symlink or path}`.", file=sys.stderr)
            _serve(board, controller)
    finally:
        board.close()
        os.close(controller)
        os.close(terminal)


def _check_symlink(symlink: Path) -> None:
    """Refuse a name that something else has than a link which an emulated board left behind.

    Raises:
        InputError: It is so, or no link can be made there.
    """
    do = "name another"
    try:
        if symlink.is_symlink():
            if not os.readlink(symlink).startswith("/dev/"):
                got = f"the link {symlink} to {os.readlink(symlink)}"
                raise InputError.about("symlink", expected="a new name, or a link to a terminal", got=got, do=do)
        elif symlink.exists():
            raise InputError.about("symlink", expected="a new name", got=f"the file {symlink}", do=do)
    except OSError as error:
        raise InputError.about("symlink", expected="a new name", got=f"{symlink} ({error.strerror})", do=do) from error
    check_folder(symlink.parent)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _linked(symlink: Path | None, path: str) -> Iterator[None]:
    """A symbolic link to the terminal for as long as this lasts; one that was left behind is replaced."""
    if symlink is None:
        yield
        return
    aside = symlink.with_name(f"{symlink.name}.{os.getpid()}")
    try:
        symlink.parent.mkdir(parents=True, exist_ok=True)
        aside.symlink_to(path)
        aside.replace(symlink)
    except OSError as error:
        got = f"{symlink}, which cannot be made ({error.strerror})"
        raise InputError.about("symlink", expected="a new name", got=got, do="name another") from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            if os.readlink(symlink) == path:
                symlink.unlink()


def _serve(board: Transport, controller: int) -> None:
    """Carry bytes; asleep while the board waits and the terminal is silent.

    The terminal's other end stays open here, so that a program which closes it does not end the board.
    """
    output = bytearray()
    runs = True  # it has yet to boot
    with selectors.DefaultSelector() as selector:
        while True:
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if output else 0)
            selector.register(controller, wanted)
            selector.select(0 if runs else None)
            selector.unregister(controller)
            with contextlib.suppress(BlockingIOError):
                board.write(os.read(controller, _CHUNK), time.monotonic())
                runs = True
            if runs:
                runs = _run(board, output)
            with contextlib.suppress(BlockingIOError):
                del output[: os.write(controller, output)]
            del output[_UNREAD_BYTES:]


def _run(board: Transport, output: bytearray) -> bool:
    """Run the board for a moment; whether it still has something to do."""
    try:
        data = board.read(time.monotonic() + _SLICE_SECONDS)
    except EmulationStuck:
        return True
    except DeviceFault as fault:
        print(f"{fault} It is reset now.", file=sys.stderr, flush=True)
        board.reset()
        return True
    output += data
    return bool(data)
