"""Small programs that the emulator's tests run, and how they are compiled."""

import functools
import subprocess
import sys
import tempfile
from pathlib import Path

_SOURCES = Path(__file__).parent
_BUILT = tempfile.TemporaryDirectory(prefix="emulator-programs-")


@functools.cache
def build(program: str) -> Path:
    """Compile and link a program of this folder for the RP2040's SRAM, once a session; returns its ELF."""
    elf = Path(_BUILT.name) / f"{Path(program).stem}.elf"
    command = [
        *(sys.executable, "-m", "ziglang", "cc", "-target", "thumb-freestanding-eabi", "-mcpu=cortex_m0plus"),
        *("-ffreestanding", "-fno-sanitize=all", "-O2", "-Wall", "-Wextra", "-Werror"),
        *("-T", str(_SOURCES / "ram.ld"), "-Wl,--entry=entry", "-o", str(elf)),
        *(str(_SOURCES / "start.S"), str(_SOURCES / program)),
    ]
    subprocess.run(command, check=True)
    return elf
