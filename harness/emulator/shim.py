"""The compiled half of the emulator: built once for a state of its sources, and called through ctypes."""

import ctypes
import errno
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Final

import unicorn
from unicorn.unicorn_py3.unicorn import uclib

from priot_hil.harness.byproducts import reason, say_not_kept
from priot_hil.harness.paths import BUILD, ROOT
from priot_hil.reference.errors import InputError

SOURCES: Final = ROOT / "harness" / "emulator" / "shim"
CACHE: Final = BUILD / "emulator"
REGISTERS: Final = (*(f"r{i}" for i in range(13)), "sp", "lr", "pc", "xpsr", "primask", "control")
UNMODELLED_KEPT: Final = 64
LIBRARY_BYTES: Final = 1 << 22  # of room that compiling takes; with less, a failure is taken for a full disk

# The order of UNICORN_FUNCTIONS in machine.h.
_UNICORN_FUNCTIONS: Final = (
    "open", "close", "ctl", "mem_map_ptr", "mmio_map", "mem_protect", "hook_add", "emu_start", "emu_stop",
    "reg_read_batch", "reg_write_batch", "strerror",
)  # fmt: skip


class Fault(ctypes.Structure):
    """machine_fault of machine.h."""

    _fields_ = (
        ("kind", ctypes.c_uint32),
        ("pc", ctypes.c_uint32),
        ("address", ctypes.c_uint32),
    )
    kind: int
    pc: int
    address: int


class Counters(ctypes.Structure):
    """machine_counters of machine.h."""

    _fields_ = (
        ("instructions", ctypes.c_uint64),
        ("cycles", ctypes.c_uint64),
        ("last", ctypes.c_uint64),
        ("end", ctypes.c_uint64),
    )
    instructions: int
    cycles: int


class State(ctypes.Structure):
    """The head of machine_state of machine.h; what follows is the peripherals' and only copied."""

    _fields_ = (
        ("registers", ctypes.c_uint32 * len(REGISTERS)),
        ("waiting", ctypes.c_uint32),
        ("locked", ctypes.c_uint32),
        ("depth", ctypes.c_uint32),
        ("hard_fault", ctypes.c_uint32),
        ("nvic_enabled", ctypes.c_uint32),
        ("nvic_pending", ctypes.c_uint32),
        ("systick_zero", ctypes.c_uint64),
        ("systick_wraps", ctypes.c_uint64),
        ("timer_high", ctypes.c_uint32),
        ("watchdog_due", ctypes.c_uint64),
        ("fault", Fault),
        ("counters", Counters),
    )
    registers: ctypes.Array[ctypes.c_uint32]
    watchdog_due: int
    fault: Fault
    counters: Counters


@functools.cache
def load() -> ctypes.CDLL:
    """Load the shim, compiling it first where this state of its sources has not been compiled yet.

    Raises:
        RuntimeError: the compiler refused, with what it said.
        InputError: There is no room to compile it, in the checkout or in the temporary folder.
    """
    library = _built()
    machine, size, count_out = ctypes.c_void_p, ctypes.c_size_t, ctypes.POINTER(ctypes.c_void_p)
    signatures: dict[str, tuple[type | None, tuple[type, ...]]] = {
        "machine_open": (
            machine,
            (machine, ctypes.c_char_p, ctypes.c_uint32, ctypes.c_uint32, ctypes.POINTER(ctypes.c_char_p)),
        ),
        "machine_close": (None, (machine,)),
        "machine_reset": (None, (machine,)),
        "machine_run": (ctypes.c_int, (machine, ctypes.c_double)),
        "machine_get_state": (ctypes.POINTER(State), (machine,)),
        "machine_set_state": (None, (machine, ctypes.c_char_p)),
        "machine_state_bytes": (size, ()),
        "machine_sram": (machine, (machine,)),
        "machine_flash": (machine, (machine,)),
        "machine_rom": (machine, (machine,)),
        "machine_input": (size, (machine, count_out)),
        "machine_output": (size, (machine, count_out)),
        "machine_clear_input": (None, (machine,)),
        "machine_clear_output": (None, (machine,)),
        "machine_feed": (ctypes.c_bool, (machine, ctypes.c_char_p, size)),
        "machine_send": (ctypes.c_bool, (machine, ctypes.c_char_p, size)),
        "machine_flood": (None, (machine,)),
        "machine_flash_changes": (ctypes.c_uint64, (machine,)),
        "machine_unmodelled": (ctypes.c_uint32, (machine, machine)),
        "machine_text_changed": (ctypes.c_bool, (machine,)),
        "machine_watch": (ctypes.c_bool, (machine, ctypes.c_uint32)),
        "machine_changes": (ctypes.c_bool, (machine, count_out, ctypes.POINTER(size))),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


@functools.cache
def unicorn_functions() -> ctypes.Array[ctypes.c_void_p]:
    """Addresses of Unicorn's functions in the order in which the shim expects them."""
    addresses = [ctypes.cast(uclib[f"uc_{name}"], ctypes.c_void_p) for name in _UNICORN_FUNCTIONS]
    return (ctypes.c_void_p * len(addresses))(*addresses)


def _built() -> ctypes.CDLL:
    """The library of this state of the sources; where it cannot be kept, it is compiled for this process alone."""
    sources = sorted(SOURCES.glob("*.[ch]"))
    key = hashlib.sha256()
    versions = [f"{name} {metadata.version(name)}" for name in ("ziglang", "unicorn")]
    key.update(repr([*versions, sysconfig.get_platform()]).encode())
    for source in sources:
        key.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    name = f"shim-{key.hexdigest()[:16]}{'.dylib' if sys.platform == 'darwin' else '.so'}"
    units = [source for source in sources if source.suffix == ".c"]
    library = CACHE / name
    if not library.exists():
        try:
            with _scratch(CACHE) as scratch:
                os.replace(_compile(units, scratch / name, CACHE / "zig"), library)
        except OSError as error:
            say_not_kept("compiled parts of the emulator", CACHE, error)
            return _compiled_aside(units, name)
    return ctypes.CDLL(str(library))


@contextmanager
def _scratch(folder: Path | None) -> Iterator[Path]:
    """A folder for the time of the block, below one that is made; below the temporary folder where it is None."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="shim-") as scratch:
        yield Path(scratch)


def _compiled_aside(units: list[Path], name: str) -> ctypes.CDLL:
    """The library out of the temporary folder, where nothing of it stays: once loaded, it needs no file.

    Raises:
        InputError: That cannot be written either.
    """
    try:
        with _scratch(None) as scratch:
            return ctypes.CDLL(str(_compile(units, scratch / name, scratch / "zig")))
    except OSError as error:
        expected, do = "room to compile the emulator", "make room, or name another folder in TMPDIR"
        raise InputError.about("temporary folder", expected=expected, got=reason(error), do=do) from error


def _compile(units: list[Path], library: Path, cache: Path) -> Path:
    """Compiles the library.

    Raises:
        OSError: There is no room.
        RuntimeError: The compiler refused, with what it said.
    """
    headers = Path(unicorn.__file__).parent / "include"
    # The baseline of the host's architecture: zig takes the native CPU otherwise, and a cache may be shared.
    command = [
        *(
            sys.executable,
            "-m",
            "ziglang",
            "cc",
            "-shared",
            "-fPIC",
            "-std=c11",
            "-O2",
            "-fomit-frame-pointer",
            "-mcpu=baseline",
        ),
        *("-Wall", "-Wextra", "-Werror", "-isystem", str(headers), "-o", str(library)),
        *map(str, units),
    ]
    zig = dict.fromkeys(("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR"), str(cache))
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | zig)
    if done.returncode or not library.exists():
        if shutil.disk_usage(library.parent).free < LIBRARY_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise RuntimeError(
            f"the emulator's shim cannot be compiled: {' '.join(command)} ended with {done.returncode}; "
            f"reinstall the pinned ziglang and unicorn.\n{done.stderr.strip()}"
        )
    return library
