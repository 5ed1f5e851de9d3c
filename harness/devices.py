"""The names that `--device` takes, and what they open."""

import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from priot_hil.reference.errors import InputError
from priot_hil.reference.reference_engine import ReferenceEngine

from .boards_on_ports import open_pool
from .booted import BootedRp2040
from .device import LibraryDevice, LinkDevice
from .device_kinds import DEFAULT_OPTIONS, DeviceKind, DeviceOptions, OpenedEngine
from .engines import DeviceEngine
from .firmware import build, build_id, has_host_compiler
from .link import Link
from .renode import missing as renode_is_missing
from .transports.emulator import DATASET_FLASH_OFFSET, EmulatorTransport
from .transports.emulator_process import emulator_process
from .transports.process import ProcessTransport
from .transports.renode import RenodeTransport
from .transports.replay import ReplayTransport
from .transports.rp2040py import Line, Rp2040pyTransport

if TYPE_CHECKING:
    from .torch_engine import TorchEngine

PORT = re.compile(r"/.+|COM\d+|\\\\\.\\.+|serial:.+|[a-z0-9]+://.*")
PORTS = "/dev/ttyACM0, COM3, serial:NUMBER, serial:*, a pyserial URL"
LOOK = "look it up with `./run invoke devices`"
DATASET_FLASH_BYTES = 0x1A0000  # a Pico's flash behind the program


def open_host(_: DeviceOptions = DEFAULT_OPTIONS) -> DeviceEngine:
    """The C engine as a library in this process."""
    library = build("host").library
    assert library is not None, "the preset host always links the library"
    return DeviceEngine(LibraryDevice(library))


class FlashFile:
    """A file that stands for the flash of a device in another process: what is written here, the device sees.

    Raises:
        InputError: The temporary folder cannot be written.
    """

    def __init__(self) -> None:
        with _in_temporary_folder():
            self._file = tempfile.NamedTemporaryFile(prefix="priot-flash-")  # noqa: SIM115 - it lives as long as the device
            self._file.truncate(DATASET_FLASH_BYTES)
            self.name = self._file.name

    def write(self, data: bytes) -> None:
        """Put bytes at its beginning.

        Raises:
            InputError: There is no room for them.
        """
        with _in_temporary_folder():
            self._file.seek(0)
            self._file.write(data)
            self._file.flush()


@contextmanager
def _in_temporary_folder() -> Iterator[None]:
    """A sentence for what goes wrong there."""
    try:
        yield
    except OSError as error:
        expected, do = "room for a device's flash", "make room, or name another folder in TMPDIR"
        raise InputError.about("temporary folder", expected=expected, got=str(error), do=do) from error


def open_process(_: DeviceOptions = DEFAULT_OPTIONS) -> DeviceEngine:
    """The C engine as a process on pipes, with frames."""
    firmware = build("host")
    return open_program(firmware.process, "process", {firmware.build_id: firmware.process})


def open_program(program: Path, name: str, images: Mapping[bytes, Path] | None = None) -> DeviceEngine:
    """A program that speaks frames on its pipes; one without `images` is what it is, whatever this checkout builds."""
    flash = FlashFile()
    link = Link(ProcessTransport(program, flash.name))
    return DeviceEngine(LinkDevice(link, images or {}, flash.write, any_build=images is None), name)


def open_sanitized(_: DeviceOptions = DEFAULT_OPTIONS) -> DeviceEngine:
    """The process with address and undefined-behaviour sanitizers: what they see is a fault of the firmware."""
    firmware = build("host-sanitized")
    return open_program(firmware.process, "sanitized", {firmware.build_id: firmware.process})


def sanitizers_are_missing() -> str | None:
    """Why there is no sanitized process here; None where it can be built."""
    return None if has_host_compiler() else "needs gcc or clang on the PATH, with its sanitizer library"


def open_emulator(_: DeviceOptions = DEFAULT_OPTIONS) -> DeviceEngine:
    """The RP2040 firmware, RAM image, on the embedded emulator."""
    return open_emulated(build("rp2040").ram.elf)


def open_emulated(elf: Path, name: str = "emulator") -> DeviceEngine:
    """An RP2040 image on the embedded emulator, its transfer set in the emulated flash."""
    transport = EmulatorTransport(elf)

    def write_flash(data: bytes) -> None:
        transport.machine.write_flash(DATASET_FLASH_OFFSET, data)

    return DeviceEngine(LinkDevice(Link(transport), {build_id(elf): elf}, write_flash), name)


def open_renode(_: DeviceOptions = DEFAULT_OPTIONS) -> DeviceEngine:
    """The RAM image on Renode, its transfer set in the emulated flash."""
    image = build("rp2040").ram
    transport = RenodeTransport(image.elf)

    def write_flash(data: bytes) -> None:
        transport.write_flash(DATASET_FLASH_OFFSET, data)

    return DeviceEngine(LinkDevice(Link(transport), {image.build_id: image.elf}, write_flash), "renode")


def open_emulator_process(_: DeviceOptions = DEFAULT_OPTIONS) -> DeviceEngine:
    """The RP2040 firmware on the embedded emulator, in a process of its own, which can be killed like a board."""
    image, flash = build("rp2040").ram, FlashFile()
    link = Link(emulator_process(image.elf, flash.name))
    return DeviceEngine(LinkDevice(link, {image.build_id: image.elf}, flash.write), "emulator process")


def open_rp2040py(line: Line, _: DeviceOptions = DEFAULT_OPTIONS) -> DeviceEngine:
    """The flash image on rp2040py, started by the bootrom and our boot2."""
    image = build("rp2040").flash
    transport = Rp2040pyTransport(BootedRp2040(image.uf2), line)

    def write_flash(data: bytes) -> None:
        transport.machine.write_flash(DATASET_FLASH_OFFSET, data)

    name = "rp2040py" if line == "uart" else f"rp2040py:{line}"
    return DeviceEngine(LinkDevice(Link(transport), {image.build_id: image.elf}, write_flash), name)


def open_replay(path: Path, name: str) -> DeviceEngine:
    """A transcript as a device."""
    link = Link(ReplayTransport(path))
    # What was recorded already has its transfer set, and is what it was, whatever this checkout builds.
    return DeviceEngine(LinkDevice(link, {}, write_flash=lambda _: None, any_build=True), name)


def open_library(path: Path, name: str) -> DeviceEngine:
    """Another libpriot in this process, such as one with kernels of one's own."""
    return DeviceEngine(LibraryDevice(path), name)


def torch_is_missing() -> str | None:
    """Why there is no torch engine here; None where torch is installed."""
    return None if find_spec("torch") else "needs torch, which is an extra: PRIOT_EXTRAS=float ./run ..."


def open_torch(name: str, processor: str, _: DeviceOptions = DEFAULT_OPTIONS) -> "TorchEngine":
    """The engine in PyTorch, on one of its processors."""
    from .torch_engine import TorchEngine  # takes a second, and torch

    return TorchEngine(processor, name)


def cuda_is_missing() -> str | None:
    """Why there is no torch engine on CUDA here; None where torch finds a GPU."""
    if reason := torch_is_missing():
        return reason
    import torch

    return None if torch.cuda.is_available() else "torch finds no GPU that it can use"


def open_file(form: str, path: Path, _: DeviceOptions = DEFAULT_OPTIONS) -> DeviceEngine:
    """A file as a device.

    Raises:
        InputError: There is no such file, or it is not what its form says.
    """
    name = f"{form}:{path}"
    check_file_of(name)
    return FILES[form](path.absolute(), name)


DEVICES: dict[str, DeviceKind] = {
    "reference": DeviceKind(lambda _: ReferenceEngine()),
    "host": DeviceKind(open_host, preset="host"),
    "emulator": DeviceKind(open_emulator, preset="rp2040"),
    "process": DeviceKind(open_process, preset="host"),
    "sanitized": DeviceKind(open_sanitized, unavailable=sanitizers_are_missing, preset="host-sanitized"),
    "renode": DeviceKind(open_renode, unavailable=renode_is_missing, preset="rp2040"),
    "torch": DeviceKind(partial(open_torch, "torch", "cpu"), unavailable=torch_is_missing),
    "torch:cuda": DeviceKind(partial(open_torch, "torch:cuda", "cuda"), unavailable=cuda_is_missing),
    "rp2040py": DeviceKind(partial(open_rp2040py, "uart"), is_slow=True, preset="rp2040"),
    "rp2040py:usb": DeviceKind(partial(open_rp2040py, "usb"), is_slow=True, preset="rp2040"),
}

FILES: dict[str, Callable[[Path, str], DeviceEngine]] = {
    "library": open_library,
    "process": open_program,
    "image": open_emulated,
    "replay": open_replay,
}
"""How a file stands for a device, by what comes before the colon."""


def find_device(name: str) -> DeviceKind | None:
    """The entry of a name, or what its form stands for: a file, a port, or ports joined by `+` as a pool.

    Returns:
        None where it is nothing of all that.
    """
    if name in DEVICES:
        return DEVICES[name]
    form, _, path = name.partition(":")
    if form in FILES and path:
        return DeviceKind(partial(open_file, form, Path(path)))
    boards = tuple(name.split("+"))
    if not all(map(PORT.fullmatch, boards)):
        boards = (name,)  # a path may have a + in it
    if not PORT.fullmatch(boards[0]):
        return None
    return DeviceKind(partial(open_pool, boards), boards=boards)


def known_names() -> str:
    """What a device can be called, for people."""
    return f"{', '.join(DEVICES)}, a port ({PORTS}), ports joined by +, {', '.join(f'{form}:FILE' for form in FILES)}"


def parse_devices(text: str) -> tuple[str, ...]:
    """The device names of a comma-separated list, each once, in its order.

    Raises:
        InputError: A name is unknown, or none is given.
    """
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    unknown = [name for name in names if find_device(name) is None]
    if unknown or not names:
        got = ", ".join(unknown) or "none"
        known = f"names out of {known_names()}, with commas"
        meant = [f"/dev/{name}" for name in unknown if os.path.exists(f"/dev/{name}")]
        do = f"write {meant[0]}" if meant else "name one of them"
        raise InputError.about("device", expected=known, got=got, do=do)
    for name in names:
        check_file_of(name)
    return names


def check_file_of(name: str) -> None:
    """Refuse a file as a device that is not there.

    Raises:
        InputError: There is none of that name.
    """
    form, _, path = name.partition(":")
    if name not in DEVICES and form in FILES and not Path(path).is_file():
        raise InputError.about(f"device {name}", expected="a file", got="none of that name", do="check the path")


def check_devices(text: str) -> tuple[str, ...]:
    """`parse_devices`, and each of them can be had here, as far as can be said without opening it.

    Raises:
        InputError: A name is unknown, or there is no such device here.
    """
    names = parse_devices(text)
    for name in names:
        kind = find_device(name)
        assert kind is not None, "parse_devices refuses what is unknown"
        if reason := kind.unavailable():
            raise InputError(f"device {name} is not available: {reason}")
        for board in kind.boards:
            if board.startswith("/") and not Path(board).exists():
                raise InputError.about(f"device {board}", expected="a port", got="none of that name", do=LOOK)
    return names


def open_engine(name: str, options: DeviceOptions = DEFAULT_OPTIONS) -> OpenedEngine:
    """Opens the engine of a device.

    Raises:
        InputError: The name is unknown, the device is not available here, or the firmware cannot be built.
        LinkLost: The device does not answer as it should.
    """
    parse_devices(name)
    kind = find_device(name)
    assert kind is not None, "parse_devices refuses what is unknown"
    if reason := kind.unavailable():
        raise InputError(f"device {name} is not available: {reason}")
    return kind.open(options)
