"""Boards on serial ports: one by its port, or a free one out of a pool."""

import time
from pathlib import Path

from priot_hil.reference.errors import InputError

from .device import LinkDevice
from .device_kinds import DEFAULT_OPTIONS, DeviceOptions
from .discovery import SERIAL, find_boards, short_name
from .engines import DeviceEngine
from .errors import DeviceFault, LinkLost
from .firmware import build
from .link import Link
from .port_lock import PortBusy, processes_with
from .sessions import session_folder
from .transports.serial import SerialTransport

WAIT_SECONDS = 0.1  # between two looks whether a board has become free


class NoBoard(InputError):
    """None of the boards asked for can be had; the message says why of each."""


def board_images() -> dict[bytes, Path]:
    """The ELF files that a board may run, RAM or flash, by build id.

    Raises:
        InputError: They cannot be built.
    """
    firmware = build("rp2040")
    return {image.build_id: image.elf for image in (firmware.ram, firmware.flash)}


def open_port(name: str, options: DeviceOptions = DEFAULT_OPTIONS) -> DeviceEngine:
    """The board behind a port.

    Args:
        name: As `SerialTransport` takes it.
        options: Rate of the line, and whether any build will do.

    Raises:
        InputError: There is no such port, it does not open, or another process holds it.
        LinkLost: No board of this project answers, or it runs another build.
    """
    images = board_images()
    transport = SerialTransport(name, options.baud)
    path = transport.path
    link = Link(transport, bytes_per_second=options.baud / 10)  # a start and a stop bit
    try:
        return DeviceEngine(LinkDevice(link, images, any_build=options.any_build), name)
    except LinkLost as lost:
        if path is not None and (users := processes_with(path)):
            lost.add_note(f"{name} is open in {', '.join(users)} too, which takes what the board says")
        raise


def pool_boards(boards: tuple[str, ...]) -> tuple[str, ...]:
    """The names of a pool's boards; those that are found now where it is `serial:*`.

    Raises:
        InputError: None is found.
    """
    if boards != (f"{SERIAL}*",):
        return boards
    found = find_boards()
    if not found:
        do = "plug one in, and see `invoke devices`"
        raise InputError.about(f"{SERIAL}*", expected="boards on USB", got="none", do=do)
    return tuple(short_name(board, found) for board in found)


def open_pool(boards: tuple[str, ...], options: DeviceOptions = DEFAULT_OPTIONS) -> DeviceEngine:
    """The first board of a pool that is free and answers.

    With a quarantine, a board that fails here is given up, and one that another worker of this session has is waited
    for: a worker has one board at a time, so whoever has it will let go of it.

    Raises:
        NoBoard: None can be had.
        InputError: The firmware cannot be built, or no board is found.
        LinkLost: The only board of a pool, without a quarantine, does not answer.
    """
    boards = pool_boards(boards)
    if len(boards) == 1 and options.quarantine is None:
        return open_port(boards[0], options)
    board_images()  # what does not compile is no board's fault
    while True:
        given_up = options.quarantine.causes() if options.quarantine else {}
        why = {board: f"given up: {given_up[board]}" for board in boards if board in given_up}
        can_wait = False
        for board in boards:
            if board in why:
                continue
            try:
                return open_port(board, options)
            except PortBusy as busy:
                why[board] = f"held by {busy.holder or 'another process'}"
                can_wait |= busy.holder is not None and busy.holder.session == str(session_folder())
            except (InputError, LinkLost, DeviceFault) as error:
                why[board] = one_line(error)
                if options.quarantine:
                    options.quarantine.add(board, one_line(error))
        if not (can_wait and options.quarantine):
            reasons = "; ".join(f"{board} {why[board]}" for board in boards)
            raise NoBoard(f"no board left of {'+'.join(boards)}: {reasons}")
        time.sleep(WAIT_SECONDS)


def one_line(error: BaseException) -> str:
    """An error and its notes as one sentence."""
    return " ".join("; ".join([str(error), *getattr(error, "__notes__", ())]).split())
