"""Serial ports that are there now, and the same board again after it has come back under another name."""

import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from serial.tools import list_ports

from priot_hil.reference.errors import InputError

SERIAL = "serial:"
SYSFS = Path("/sys/dev/char")  # where Linux tells of which kind a device is
KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISREG, "a file"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket of this machine"),
    (stat.S_ISBLK, "a block device"),
)
RASPBERRY_PI = 0x2E8A  # the Debug Probe, and a Pico with firmware of others
OWN_USB = (0x1209, 0x0001)  # what firmware/boards/rp2040/usb_descriptors.c calls a Pico that runs it


@dataclass(frozen=True)
class Port:
    """A serial port that the system knows.

    Attributes:
        device: What opens it: "/dev/ttyACM0", "COM3".
        serial_number: Of its USB device; None where it has none.
        location: On USB, "1-1.4:1.0": bus, ports, and interface of the device; None where it is elsewhere.
        vendor: USB vendor id.
        product: USB product id.
        description: What the system calls it.
    """

    device: str
    serial_number: str | None
    location: str | None
    vendor: int | None
    product: int | None
    description: str

    @property
    def identity(self) -> str:
        """Stays the same when the board comes back under another name."""
        if self.location is None:
            return os.path.realpath(self.device)
        return f"usb {self.serial_number or ''} at {self.location}"

    def is_called(self, number: str) -> bool:
        """Whether a USB serial number or location, with or without its interface, is this port's."""
        places = (self.location, self.location.partition(":")[0]) if self.location else ()
        return number.lower() == (self.serial_number or "").lower() or number in places

    @property
    def is_board(self) -> bool:
        """Whether a board of this project's kind may be behind it."""
        return self.vendor == RASPBERRY_PI or (self.vendor, self.product) == OWN_USB


def find_ports() -> tuple[Port, ...]:
    """All serial ports that the system lists, by name; it lists no pseudo-terminals."""
    ports = (
        Port(port.device, port.serial_number or None, port.location or None, port.vid, port.pid, port.description)
        for port in list_ports.comports()
    )
    return tuple(sorted(ports, key=lambda port: (len(port.device), port.device)))


def find_boards() -> tuple[Port, ...]:
    """The ports that may lead to a board."""
    return tuple(port for port in find_ports() if port.is_board)


def port_named(number: str) -> Port:
    """The port of a USB serial number or location.

    Raises:
        InputError: None has it, or several have.
    """
    ports = find_ports()
    found = [port for port in ports if port.is_called(number)]
    if len(found) == 1:
        return found[0]
    if found:
        got, do = f"{len(found)} ({_places(found)})", "name one by its location: serial:LOCATION"
    else:
        got, do = _places(ports) or "no serial port at all", "plug the board in, and see `invoke devices`"
    raise InputError.about(f"{SERIAL}{number}", expected="one port with this number", got=got, do=do)


def short_name(port: Port, ports: Sequence[Port]) -> str:
    """What `--device` may call a port: by its serial number, or by its location where others have the same."""
    same = [other for other in ports if other.serial_number == port.serial_number]
    number = port.serial_number if port.serial_number and len(same) == 1 else port.location
    return f"{SERIAL}{number}" if number else port.device


def port_behind(device: str) -> Port | None:
    """What the system knows about a port by any path that leads to it; None where it does not list it."""
    path = os.path.realpath(device)
    return next((port for port in find_ports() if os.path.realpath(port.device) == path), None)


def no_port(path: str) -> str | None:
    """What lies under a path where that is no serial port; None where it may be one, or nothing is there.

    Nothing is opened: some devices start at that.
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    kind = next((name for is_kind, name in KINDS if is_kind(status.st_mode)), None)
    if kind is not None:
        return kind
    if os.path.basename(os.path.realpath(path)) == "ptmx":
        return "what makes pseudo-terminals, and none itself"
    subsystem = SYSFS / f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}" / "subsystem"
    is_terminal = not subsystem.exists() or subsystem.resolve().name == "tty"
    return None if is_terminal else "a device that is no serial port"


def where_now(known: Port) -> str | None:
    """The name under which a board is found now, at the same place or plugged in elsewhere; None while it is away."""
    ports = find_ports()
    same = [port for port in ports if port.identity == known.identity]
    moved = [port for port in ports if known.serial_number and port.serial_number == known.serial_number]
    return same[0].device if same else moved[0].device if len(moved) == 1 else None


def _places(ports: Sequence[Port]) -> str:
    return ", ".join(f"{port.device} ({port.serial_number or 'no serial number'} at {port.location})" for port in ports)
