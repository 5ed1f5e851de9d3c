"""Builds the firmware and says what came out: images for the RP2040, library and process for this machine."""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args, overload

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import NoteSection, SymbolTableSection

from priot_hil.reference.errors import InputError

from . import firmware_folder
from .clang import require_counting_clang, require_fuzzing_clang
from .elf import open_elf
from .files import write_aside
from .paths import ROOT
from .progress import counted, shown

BoardPreset = Literal["rp2040", "rp2040-gcc"]
HostPreset = Literal["host", "host-sanitized", "host-coverage"]
FuzzPreset = Literal["fuzz", "fuzz-32"]
PRESETS: tuple[str, ...] = get_args(BoardPreset) + get_args(HostPreset) + get_args(FuzzPreset)

ZIG_PRESETS = ("rp2040", "host")
TAIL_LINES = 40
ALL = "all"
NINJA_STEP = re.compile(r"\[(\d+)/(\d+)\] ")


class BuildError(InputError):
    """The firmware does not compile; the message ends with the compiler's own words."""


@dataclass(frozen=True)
class Sizes:
    """Bytes of an image: code and constants, initialised data, zeroed data, and SRAM left for a model."""

    text: int
    data: int
    bss: int
    arena: int


@dataclass(frozen=True)
class Image:
    """One linked RP2040 image in its forms; `debug` has DWARF and the same addresses, but a build id of its own."""

    elf: Path
    debug: Path
    bin: Path
    uf2: Path
    build_id: bytes
    sizes: Sizes


@dataclass(frozen=True)
class BoardFirmware:
    """The RP2040's two images of one program."""

    preset: BoardPreset
    ram: Image
    flash: Image


@dataclass(frozen=True)
class HostFirmware:
    """The same device on this machine; a sanitized build has the process only."""

    preset: HostPreset
    build_id: bytes
    process: Path
    library: Path | None


@dataclass(frozen=True)
class FuzzFirmware:
    """The device as libFuzzer programs, one for each target, and the clang that made them."""

    preset: FuzzPreset
    frames: Path
    commands: Path
    clang: Path


Firmware = BoardFirmware | HostFirmware | FuzzFirmware


@overload
def build(preset: BoardPreset, root: Path = ROOT, target: str = ALL) -> BoardFirmware: ...
@overload
def build(preset: HostPreset, root: Path = ROOT, target: str = ALL) -> HostFirmware: ...
@overload
def build(preset: FuzzPreset, root: Path = ROOT, target: str = ALL) -> FuzzFirmware: ...
@overload
def build(preset: str, root: Path = ROOT, target: str = ALL) -> Firmware: ...
def build(preset: str, root: Path = ROOT, target: str = ALL) -> Firmware:
    """Bring a build up to date.

    Quiet unless it fails or has to start from nothing. Safe to call from several processes: they take turns. Where the
    build's folder cannot be written, a build that is up to date is taken as it is.

    Args:
        preset: "rp2040" (pinned compiler), "rp2040-gcc", "host", "host-sanitized", "host-coverage", "fuzz" or
            "fuzz-32", as in firmware/CMakePresets.json.
        root: The checkout; its build lies below ``build/firmware/<preset>``.
        target: What of it to bring up to date; the rest stays as it was.

    Returns:
        What was built, by paths.

    Raises:
        InputError: No such preset, or its compiler is missing.
        BuildError: The compiler, the linker or a check of the result refused the sources.
    """
    if preset not in PRESETS:
        raise InputError.about("preset", expected=" or ".join(PRESETS), got=repr(preset), do="name one of these")
    _require_compiler(preset)
    folder = root / "build" / "firmware" / preset
    with firmware_folder.turn(folder) as cannot:
        arguments = _configuring(preset)
        configuration = _configuration(root, arguments)
        state = firmware_folder.state_of(root / "firmware", configuration)
        if cannot is not None:
            firmware_folder.require_built(folder, state, cannot, f"./run invoke build --preset {preset}")
            return _finished(preset, folder)
        _configure(preset, root, folder, arguments, configuration)
        with firmware_folder.building(folder, state, is_whole=target == ALL):
            _run([*_cmake(), "--build", "--preset", preset, "--target", target], root, f"the build of preset {preset}")
        return _finished(preset, folder)


def describe(firmware: Firmware) -> str:
    """What was built, a line for each file that a user may want."""
    if isinstance(firmware, FuzzFirmware):
        return f"{firmware.frames}\n{firmware.commands}"
    if isinstance(firmware, HostFirmware):
        library = f"library {firmware.library}\n" if firmware.library else ""
        return f"{library}process {firmware.process}\nbuild   {firmware.build_id.hex()}"
    lines = []
    for image in (firmware.ram, firmware.flash):
        used = f"text {image.sizes.text}, bss {image.sizes.bss}, arena {image.sizes.arena} bytes"
        lines += [f"{path}" for path in (image.elf, image.bin, image.uf2)]
        lines += [f"    build {image.build_id.hex()}, {used}"]
    return "\n".join(lines)


def build_id(elf: Path) -> bytes:
    """The 20 bytes of an ELF's GNU build-id note.

    Raises:
        InputError: It has none.
    """
    with open_elf(elf) as image:
        section = image.get_section_by_name(".note.gnu.build-id")
        if isinstance(section, NoteSection):
            for note in section.iter_notes():
                return bytes.fromhex(note["n_desc"])
    raise InputError.about(str(elf), expected="a GNU build-id note", got="none", do="link with -Wl,--build-id=sha1")


def sizes(elf: Path) -> Sizes:
    """Sizes of an RP2040 image.

    Raises:
        InputError: It is no such image.
    """
    counted = {"text": 0, "data": 0, "bss": 0}
    with open_elf(elf) as image:
        for section in image.iter_sections():
            allocated, writable = section["sh_flags"] & 2, section["sh_flags"] & 1
            if allocated:
                kind = "bss" if section["sh_type"] == "SHT_NOBITS" else "data" if writable else "text"
                counted[kind] += section["sh_size"]
        address = {symbol.name: symbol["st_value"] for symbol in symbol_table(image).iter_symbols()}
        return Sizes(**counted, arena=address["__arena_end"] - address["__arena_start"])


def symbolize(elf: Path, address: int) -> str:
    """Name the code at an address.

    Args:
        elf: An image with its symbol table.
        address: Any address, with or without the Thumb bit.

    Returns:
        "function+0x12", or the bare address where no function of this image lies.
    """
    with open_elf(elf) as image:
        functions = sorted(
            (symbol["st_value"] & ~1, symbol["st_size"], symbol.name)
            for symbol in symbol_table(image).iter_symbols()
            if symbol["st_info"]["type"] == "STT_FUNC"
        )
    place = address & ~1
    index = bisect_right(functions, place, key=lambda function: function[0]) - 1
    if index >= 0:
        start, size, name = functions[index]
        if place < start + max(size, 2):
            return f"{name}+{place - start:#x}"
    return f"{address:#010x}"


def symbol_table(elf: ELFFile) -> SymbolTableSection:
    """The symbol table of an open ELF file.

    Raises:
        InputError: It has none.
    """
    table = elf.get_section_by_name(".symtab")
    if not isinstance(table, SymbolTableSection):
        raise InputError.about("image", expected="a symbol table", got="none", do="link it without stripping")
    return table


def _finished(preset: str, folder: Path) -> Firmware:
    """What was built.

    Raises:
        BuildError: A part of it is missing.
    """
    try:
        if preset in get_args(FuzzPreset):
            return _fuzz(preset, folder)
        return _board(preset, folder) if preset in get_args(BoardPreset) else _host(preset, folder)
    except FileNotFoundError as error:
        do = f"remove {folder}, then build again"
        raise BuildError.about(f"{error.filename}", expected="a file of the build", got="none", do=do) from error


def _board(preset: str, folder: Path) -> BoardFirmware:
    def image(kind: str) -> Image:
        path = folder / f"priot-{kind}.elf"
        return Image(
            elf=path,
            debug=folder / f"priot-{kind}-debug.elf",
            bin=path.with_suffix(".bin"),
            uf2=path.with_suffix(".uf2"),
            build_id=build_id(path),
            sizes=sizes(path),
        )

    return BoardFirmware("rp2040-gcc" if preset == "rp2040-gcc" else "rp2040", image("ram"), image("flash"))


def _host(preset: str, folder: Path) -> HostFirmware:
    header = (folder / "boards" / "host" / "priot_build_id.h").read_text()
    found = re.search(r"[0-9a-f]{40}", header)
    assert found, "firmware/tools/source_id.py writes the id in hexadecimal first"
    return HostFirmware(
        preset=next(known for known in get_args(HostPreset) if known == preset),
        build_id=bytes.fromhex(found[0]),
        process=folder / "priot-host",
        library=next(iter(sorted(folder.glob("libpriot.*"))), None),
    )


def _fuzz(preset: str, folder: Path) -> FuzzFirmware:
    return FuzzFirmware(
        preset="fuzz-32" if preset == "fuzz-32" else "fuzz",
        frames=folder / "priot-fuzz-frames",
        commands=folder / "priot-fuzz-commands",
        clang=require_fuzzing_clang(preset),
    )


def _require_compiler(preset: str) -> None:
    """Say at once what is missing, instead of a page of CMake's search."""
    if preset in ZIG_PRESETS:
        expected = _pinned("ziglang")
        try:
            got = importlib.metadata.version("ziglang")
        except importlib.metadata.PackageNotFoundError:
            got = "nothing"
        if got != expected:
            machine = os.uname()
            raise InputError.about(
                f"preset {preset}",
                expected=f"the pinned compiler ziglang {expected} in {sys.executable}",
                got=got,
                do=f"`pip install ziglang=={expected}` (it has wheels for Linux on x86-64 and aarch64, and for macOS; "
                f"this is {machine.sysname} on {machine.machine}), or build another preset",
            )
    elif preset == "rp2040-gcc" and not shutil.which("arm-none-eabi-gcc"):
        raise InputError.about(
            "preset rp2040-gcc",
            expected="arm-none-eabi-gcc on the PATH",
            got="none",
            do="install the package gcc-arm-none-eabi, or build preset rp2040, which needs none",
        )
    elif preset in get_args(FuzzPreset):
        require_fuzzing_clang(preset)
    elif preset == "host-coverage":
        require_counting_clang()
    elif preset == "host-sanitized" and not has_host_compiler():
        raise InputError.about(
            "preset host-sanitized",
            expected="gcc or clang on the PATH",
            got="neither",
            do="install one of them with its sanitizer library, or build preset host, which needs none",
        )


def has_host_compiler() -> bool:
    """Whether this machine has a compiler of its own, which sanitized builds need."""
    return any(map(shutil.which, ("cc", "gcc", "clang")))


def _pinned(package: str) -> str:
    """The version that pyproject.toml pins."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (version,) = (pin.partition("==")[2] for pin in project["dependencies"] if pin.startswith(package + "=="))
    return str(version)


def _cmake() -> list[str]:
    """CMake of the environment that runs this, wherever the PATH leads."""
    return [sys.executable, "-m", "cmake"]


def _configuring(preset: str) -> list[str]:
    """The command that configures a build."""
    import ninja

    arguments = [
        *_cmake(),
        "--preset",
        preset,
        f"-DPRIOT_PYTHON={sys.executable}",
        f"-DCMAKE_MAKE_PROGRAM={Path(ninja.BIN_DIR) / 'ninja'}",
    ]
    if preset in get_args(FuzzPreset):
        arguments.append(f"-DCMAKE_C_COMPILER={require_fuzzing_clang(preset)}")
    elif preset == "host-coverage":
        arguments.append(f"-DCMAKE_C_COMPILER={require_counting_clang()}")
    return arguments


def _configuration(root: Path, arguments: list[str]) -> str:
    """All that decides how a build is configured."""
    versions = {name: importlib.metadata.version(name) for name in ("cmake", "ninja", "ziglang")}
    firmware = root / "firmware"
    settings = [path.read_text() for path in (firmware / "CMakePresets.json", *sorted(firmware.glob("cmake/*")))]
    return json.dumps([str(root), arguments, versions, settings])


def _configure(preset: str, root: Path, folder: Path, arguments: list[str], configuration: str) -> None:
    """Configure from nothing when the way to configure changed: another Python, another checkout, another version."""
    stamp = folder / "configured.json"
    if stamp.exists() and stamp.read_text() == configuration:
        return
    print(f"building the firmware, preset {preset}, for the first time", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    _run(arguments, root, f"the configuration of preset {preset}")
    write_aside(stamp, configuration)


def _run(arguments: list[str], root: Path, what: str) -> None:
    said: list[str] = []
    command = subprocess.Popen(
        arguments, cwd=root / "firmware", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    with command, shown(counted(what, None)) as work:
        assert command.stdout is not None
        try:
            for line in command.stdout:
                said.append(line.rstrip("\n"))
                if step := NINJA_STEP.match(line):
                    done, total = map(int, step.groups())
                    if total != work.total:
                        work.expect(total)
                    work.advance(done - work.done)
            work.advance((work.total or 0) - work.done)  # a step whose input came out as it was is left out
        except BaseException:
            command.kill()
            raise
    if command.returncode:
        tail = "\n".join(said[-TAIL_LINES:])
        raise BuildError(f"{what} failed with status {command.returncode}; its last lines say why:\n{tail}")
