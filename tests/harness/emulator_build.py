"""Compiles the small programs that the emulator's tests run."""

import functools
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAMS = Path(__file__).parent / "emulator_programs"
_BUILT = tempfile.TemporaryDirectory(prefix="emulator-programs-")


@functools.cache
def build(program: str, linker_script: str = "ram.ld") -> Path:
    """Compile and link ``emulator_programs/<program>`` once a session and return its ELF."""
    elf = Path(_BUILT.name) / f"{Path(program).stem}-{Path(linker_script).stem}.elf"
    command = [
        *(sys.executable, "-m", "ziglang", "cc", "-target", "thumb-freestanding-eabi", "-mcpu=cortex_m0plus"),
        *("-ffreestanding", "-fno-sanitize=all", "-O2", "-Wall", "-Wextra", "-Werror"),
        *("-T", str(PROGRAMS / linker_script), "-Wl,--entry=entry", "-o", str(elf)),
        *(str(PROGRAMS / "start.S"), str(PROGRAMS / program)),
    ]
    subprocess.run(command, check=True)
    return elf
