"""`doctor`: what is installed, found and running here, and what to do about it. It changes nothing."""

import importlib.metadata
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from priot_hil.reference.errors import InputError

from . import discovery
from .errors import LinkLost
from .firmware import PRESETS, build_id
from .flashing import drive, tools
from .flashing.running import ask_port
from .options import BAUD
from .paths import BUILD, ROOT
from .port_causes import how_to_be_let_in
from .port_lock import processes_with

VERSION_SECONDS = 10.0
PYTHON = (3, 11)


class State(Enum):
    """What a finding means."""

    GOOD = "ok"
    ABSENT = "-"  # nobody needs it until he asks for what it is for
    TROUBLE = "!"  # something here will not work
    MISSING = "MISSING"  # the default commands will not work


@dataclass(frozen=True)
class Finding:
    """One line of the table.

    Attributes:
        state: What it means.
        what: The thing.
        found: What there is of it.
        do: What to do next; empty where there is nothing to do.
    """

    state: State
    what: str
    found: str
    do: str = ""


@dataclass(frozen=True)
class Program:
    """A program that something beyond the default commands needs.

    Attributes:
        name: On the PATH.
        purpose: What it is for, and what to do to have it.
        arguments: What makes it say its version.
    """

    name: str
    purpose: str
    arguments: tuple[str, ...] = ("--version",)


PROGRAMS = (
    Program("renode", "for `--device=renode`: install a release of Renode"),
    Program("picotool", "for `invoke flash` without a mounted drive", ("version",)),
    Program("openocd", "for `invoke flash` through a Debug Probe"),
    Program("probe-rs", "the same, instead of openocd"),
    Program("arm-none-eabi-gcc", "for `invoke build --preset rp2040-gcc`: the package gcc-arm-none-eabi"),
    Program("gcc", "for `invoke build --preset host-sanitized`; clang does too"),
    Program("clang", "the same; gcc does too"),
)
PROGRAMS_OF_BUILDS = ("priot-host", "priot-fuzz-frames", "priot-fuzz-commands")
EXTRAS = {"torch": "float", "ruff": "dev", "mypy": "dev"}


def doctor(say: Callable[[str], None] = print) -> int:
    """Says all that is found; 1 where something is missing that the default commands need, else 0."""
    findings = [*python_packages(), *programs(), *builds(), *boards()]
    width = max(len(finding.what) for finding in findings)
    for finding in findings:
        do = f"  -> {finding.do}" if finding.do else ""
        say(f"{finding.state.value:<8}{finding.what:<{width}}  {finding.found}{do}")
    missing = [finding.what for finding in findings if finding.state is State.MISSING]
    if missing:
        say(f"The default commands need {', '.join(missing)}.")
    return 1 if missing else 0


def python_packages() -> Iterator[Finding]:
    """Python, what the project requires, and what its extras would bring."""
    running = sys.version_info[:2]
    version = ".".join(map(str, sys.version_info[:3]))
    if running >= PYTHON:
        yield Finding(State.GOOD, "Python", version)
    else:
        yield Finding(State.MISSING, "Python", version, "install 3.11 or later, or name one in PRIOT_PYTHON")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for requirement in project["dependencies"]:
        yield _required(requirement)
    for name, extra in EXTRAS.items():
        if extra_version := _version(name):
            yield Finding(State.GOOD, name, extra_version)
        else:
            yield Finding(State.ABSENT, name, "none", f"PRIOT_EXTRAS={extra} ./run ... brings it")


def _required(requirement: str) -> Finding:
    parsed = re.fullmatch(r"([\w-]+)(==|>=)([\d.]+)", requirement)
    assert parsed, f"{requirement}: pyproject.toml pins a version or names the first that will do"
    name, relation, wanted = parsed.groups()
    version = _version(name)
    if version is None:
        return Finding(
            State.MISSING, name, "none", f"`pip install '{requirement}'`, or remove .venv and let ./run make it"
        )
    if relation == "==":
        if version != wanted:
            return Finding(State.MISSING, name, f"{version}, not the pinned {wanted}", f"`pip install '{requirement}'`")
        return Finding(State.GOOD, name, f"{version}, as pinned")
    if _numbers(version) < _numbers(wanted):
        return Finding(State.MISSING, name, f"{version}, older than {wanted}", f"`pip install '{requirement}'`")
    return Finding(State.GOOD, name, version)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)))


def programs() -> Iterator[Finding]:
    """Programs beside Python's packages."""
    for program in PROGRAMS:
        path = shutil.which(program.name)
        if path is None:
            yield Finding(State.ABSENT, program.name, "none", program.purpose)
            continue
        try:
            done = subprocess.run(
                [path, *program.arguments], capture_output=True, text=True, timeout=VERSION_SECONDS, check=False
            )
            said = next(
                (line.strip() for line in (done.stdout + done.stderr).splitlines() if re.search(r"\d", line)), ""
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            yield Finding(State.TROUBLE, program.name, f"{path}, which does not run ({error})", "install it anew")
            continue
        yield Finding(State.GOOD, program.name, said or path)


def builds() -> Iterator[Finding]:
    """What is built, as it lies there; whether it is up to date only a build can say."""
    for preset in PRESETS:
        images = sorted((BUILD / "firmware" / preset).glob("priot-*.elf"))
        images = [image for image in images if not image.stem.endswith("-debug")]
        programs = [path for path in (BUILD / "firmware" / preset).glob("priot-*") if path.name in PROGRAMS_OF_BUILDS]
        if images:
            ids = ", ".join(f"{image.stem} {build_id(image).hex()[:12]}" for image in images)
            yield Finding(State.GOOD, f"build {preset}", ids)
        elif programs:
            yield Finding(State.GOOD, f"build {preset}", ", ".join(sorted(path.name for path in programs)))
        else:
            yield Finding(State.ABSENT, f"build {preset}", "none", f"`./run invoke build --preset {preset}` makes it")


def boards() -> Iterator[Finding]:
    """Ports with a board, drives of loaders, and who is in the way."""
    ports = discovery.find_ports()
    drives = drive.find_drives()
    for port in ports:
        yield _port(port) if port.is_board else Finding(State.GOOD, port.device, f"{port.description}; no known board")
    for folder in drives:
        do = f"`./run invoke flash --drive {shlex.quote(str(folder))}`"
        yield Finding(State.GOOD, str(folder), "a board in its loader", do)
    if not drives and drive.UNMOUNTED.exists():
        do = "mount it, and name the folder: `./run invoke flash --drive FOLDER`"
        yield Finding(State.TROUBLE, str(drive.UNMOUNTED), "a board in its loader, not mounted", do)
    elif not drives and not any(port.is_board for port in ports):
        do = "plug one in; a new one while BOOTSEL is held. Everything else works without"
        yield Finding(State.ABSENT, "board", "none", do)


def _port(port: discovery.Port) -> Finding:
    """A board's port: whether it may be opened, is held, and what runs behind it."""
    what = f"{port.description}, serial number {port.serial_number or 'none'} at {port.location}"
    if not os.access(port.device, os.R_OK | os.W_OK):
        return Finding(State.TROUBLE, port.device, f"{what}: no permission", how_to_be_let_in(Path(port.device)))
    if users := processes_with(port.device):
        return Finding(State.TROUBLE, port.device, f"{what}: open in {', '.join(users)}", "end that, or wait for it")
    try:
        running = ask_port(port.device, BAUD)
    except (InputError, LinkLost) as error:
        return Finding(State.TROUBLE, port.device, f"{what}: {error}")
    flash = f"`./run invoke flash --device {port.device}`"
    if running is None:
        behind = " behind this probe's UART" if tools.is_probe(port) else ""
        return Finding(State.TROUBLE, port.device, f"{what}: nothing of this project answers{behind}", flash)
    short = running.build_id.hex()[:12]
    if running.build_id in _built():
        return Finding(State.GOOD, port.device, f"{what}: runs {short}, as built here")
    return Finding(State.TROUBLE, port.device, f"{what}: runs {short}, which is not what is built here", flash)


def _built() -> set[bytes]:
    return {build_id(path) for path in (BUILD / "firmware" / "rp2040").glob("priot-*.elf")}
