"""`invoke devices`: what this machine can test on, and what is plugged into it."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from priot_hil.reference.errors import InputError

from .boards_on_ports import board_images, one_line
from .device_kinds import DeviceOptions
from .devices import DEVICES, find_device, parse_devices
from .discovery import find_ports, port_behind, short_name
from .flashing.running import ask_port
from .port_lock import PortBusy


def list_devices(more: str | None, options: DeviceOptions) -> None:
    """Prints the devices that need no port, and all ports with what answers behind them.

    Args:
        more: Ports to ask beside the boards found, with commas: those that the system does not list, as
            pseudo-terminals, and those that do not look like a board, which are left in peace otherwise.
        options: Rate of the ports.

    Raises:
        InputError: A name in `more` is no port, or the firmware cannot be built.
    """
    rows = _aligned(port_rows(more, options))
    for name, kind in DEVICES.items():
        print(f"{name:<14}{kind.unavailable() or 'available'}")
    for row in rows:
        print(row)


def port_rows(more: str | None, options: DeviceOptions) -> list[tuple[str, str, str, str]]:
    """A row for each port: its name, what else `--device` may call it, its place, and what answers."""
    named = [name for name in parse_devices(more) if _is_port(name)] if more else []
    ports = find_ports()
    known = {port.device: port for port in ports}
    called = {name: port.device for name in named if (port := port_behind(name)) is not None}
    asked = {port.device for port in ports if port.is_board} | set(called.values())
    images = board_images()
    with ThreadPoolExecutor(max(1, len(ports) + len(named))) as pool:
        unlisted = [name for name in named if name not in called]
        answers = {name: pool.submit(ask, name, options, images) for name in (*asked, *unlisted)}
        rows = []
        for name in (*known, *unlisted):
            port = known.get(name)
            said = answers[name].result() if name in answers else "not asked: it does not look like a board; name it"
            place = "" if port is None or port.location is None else f"at {port.location}"
            other = "" if port is None else short_name(port, ports)
            rows.append((name, other if other != name else "", place, said))
    return rows


def ask(name: str, options: DeviceOptions, images: Mapping[bytes, Path]) -> str:
    """What answers on a port, or who holds it."""
    try:
        hello = ask_port(name, options.baud)
    except PortBusy as busy:
        return f"held by {busy.holder or 'another process'}"
    except InputError as error:
        return one_line(error)
    if hello is None:
        return "silent: no firmware of this project answers; see `invoke flash`"
    image = images.get(hello.build_id)
    build = f"{image.stem}, this checkout's" if image else "another build than this checkout's; see `invoke flash`"
    what = hello.name.rstrip(b"\0").decode(errors="replace")
    return f"{what} {hello.unique_id.hex()} runs {hello.build_id.hex()[:12]} ({build}) at {hello.clock_hz / 1e6:g} MHz"


def _is_port(name: str) -> bool:
    kind = find_device(name)
    if kind is None or kind.boards != (name,):
        raise InputError.about("device", expected="ports, with commas", got=name, do="name ports only")
    return True


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
