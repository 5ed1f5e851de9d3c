"""The names that `--device` takes, and what they open."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from priot_hil.reference.errors import InputError
from priot_hil.reference.reference_engine import ReferenceEngine

from .device import LibraryDevice, LinkDevice
from .engines import DeviceEngine
from .firmware import build
from .link import Link
from .transports.emulator import EmulatorTransport
from .transports.process import ProcessTransport
from .transports.renode import RenodeTransport

DATASET_FLASH_BYTES = 0x1A0000  # a Pico's flash behind the program
DATASET_FLASH_OFFSET = 0x60000  # where firmware/boards/rp2040 looks for a transfer set


def open_host() -> DeviceEngine:
    """The C engine as a library in this process."""
    library = build("host").library
    assert library is not None, "the preset host always links the library"
    return DeviceEngine(LibraryDevice(library))


def open_process() -> DeviceEngine:
    """The C engine as a process on pipes, with frames."""
    firmware = build("host")
    flash = tempfile.NamedTemporaryFile(prefix="priot-flash-")  # noqa: SIM115 - it lives as long as the device
    flash.truncate(DATASET_FLASH_BYTES)

    def write_flash(data: bytes) -> None:
        flash.seek(0)
        flash.write(data)
        flash.flush()

    link = Link(ProcessTransport(firmware.process, flash.name))
    return DeviceEngine(LinkDevice(link, firmware.process, firmware.build_id, write_flash), "process")


def open_emulator() -> DeviceEngine:
    """The RP2040 firmware, RAM image, on the embedded emulator."""
    image = build("rp2040").ram
    return open_emulated(image.elf, image.build_id)


def open_emulated(elf: Path, build_id: bytes) -> DeviceEngine:
    """An RP2040 image on the embedded emulator, its transfer set in the emulated flash."""
    transport = EmulatorTransport(elf)

    def write_flash(data: bytes) -> None:
        transport.machine.write_flash(DATASET_FLASH_OFFSET, data)

    return DeviceEngine(LinkDevice(Link(transport), elf, build_id, write_flash), "emulator")


def open_renode() -> DeviceEngine:
    """The same image on Renode, its transfer set in the emulated flash."""
    image = build("rp2040").ram
    transport = RenodeTransport(image.elf)

    def write_flash(data: bytes) -> None:
        transport.write_flash(DATASET_FLASH_OFFSET, data)

    return DeviceEngine(LinkDevice(Link(transport), image.elf, image.build_id, write_flash), "renode")


DEVICES: dict[str, Callable[[], DeviceEngine | ReferenceEngine]] = {
    "reference": ReferenceEngine,
    "host": open_host,
    "emulator": open_emulator,
    "process": open_process,
    "renode": open_renode,
}


def parse_devices(text: str) -> tuple[str, ...]:
    """The device names of a comma-separated list, each once, in its order.

    Raises:
        InputError: A name is unknown, or none is given.
    """
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    unknown = [name for name in names if name not in DEVICES]
    if unknown or not names:
        got = ", ".join(unknown) or "none"
        known = f"names out of {', '.join(DEVICES)}, with commas"
        raise InputError.about("device", expected=known, got=got, do="name one of them")
    return names


def open_engine(name: str) -> DeviceEngine | ReferenceEngine:
    """Opens the engine of a device.

    Raises:
        InputError: The name is unknown, or the firmware cannot be built.
        LinkLost: The device does not answer as it should.
    """
    parse_devices(name)
    return DEVICES[name]()
