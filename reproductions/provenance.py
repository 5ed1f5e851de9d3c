"""Where results come from: the state of the checkout, the versions, the compiler and the builds that gave them."""

import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from priot_hil.harness.firmware import build
from priot_hil.harness.paths import ROOT
from priot_hil.harness.schema import Hexadecimal, Sha256, Text

from .files import sha256

# Numbers come from these: streams and the reference, the compiler, the emulator.
PACKAGES = ("numpy", "ziglang", "unicorn")
TORCH = "torch"  # of the engines of this name


@dataclass(frozen=True)
class Git:
    """The form of `git_state`."""

    commit: Annotated[str, Field(pattern="^([0-9a-f]{40}|[0-9a-f]{64})$")]
    is_dirty: bool


@dataclass(frozen=True)
class EngineMade:
    """The form of an engine in `made_by`."""

    build: Hexadecimal
    elf_sha256: Sha256 = ""


@dataclass(frozen=True)
class Packages:
    """The versions of packages; None of one that is not installed, and nothing of torch where no engine is of it."""

    numpy: Text | None
    ziglang: Text | None
    unicorn: Text | None
    torch: Text | None = None


@dataclass(frozen=True)
class Made:
    """The form of `made_by`."""

    git: Git | None
    packages: Packages
    engines: dict[Text, EngineMade]


@dataclass(frozen=True)
class Machine:
    """The form of `machine`."""

    system: Text
    processor: str
    python: Text
    compiler_sha256: Sha256 = ""
    library_sha256: Sha256 = ""


def made_by(builds: Mapping[str, str | None]) -> dict[str, Any]:
    """What gave a result; the same wherever the same command is given in the same checkout.

    Args:
        builds: The build id of each engine's firmware in hexadecimal, by the engine's name; None where it has none.

    Returns:
        JSON: git state, versions, and for each engine its build; for the emulated board the ELF's SHA-256 too.
    """
    known = {name: build_id for name, build_id in sorted(builds.items()) if build_id is not None}
    engines: dict[str, dict[str, str]] = {name: {"build": build_id} for name, build_id in known.items()}
    if "emulator" in engines:
        engines["emulator"]["elf_sha256"] = sha256(build("rp2040").ram.elf.read_bytes())
    packages = (*PACKAGES, *([TORCH] if any(name.split(":")[0] == TORCH for name in builds) else []))
    return {"git": git_state(), "packages": {name: _version(name) for name in packages}, "engines": engines}


@cache
def machine() -> dict[str, str]:
    """Where it was made; names no host and no user.

    Returns:
        System, processor and Python; the SHA-256 of the compiler's program and of the engine's library, which are other
        files on each kind of machine, the library also in each folder.
    """
    found = {
        "system": platform.platform(),
        "processor": platform.machine(),
        "python": platform.python_version(),
    }
    if (compiler := compiler_sha256()) is not None:
        found["compiler_sha256"] = compiler
    if (library := build("host").library) is not None:
        found["library_sha256"] = sha256(library.read_bytes())
    return found


def compiler_sha256() -> str | None:
    """The SHA-256 of the pinned compiler's program, another on each kind of machine; None where it is missing."""
    package = find_spec("ziglang")
    if package is None or package.origin is None:
        return None
    program = Path(package.origin).with_name("zig")
    return sha256(program.read_bytes()) if program.is_file() else None


def git_state(root: Path = ROOT) -> dict[str, Any] | None:
    """The commit of a checkout, and whether tracked files differ from it; None outside of one."""
    top = _git(root, "rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() != root.resolve():
        return None
    commit = _git(root, "rev-parse", "HEAD")
    changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    return None if commit is None else {"commit": commit, "is_dirty": bool(changed)}


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
