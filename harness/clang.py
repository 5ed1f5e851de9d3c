"""Finds a clang that can link libFuzzer, or count coverage; the pinned compiler and many systems' own clang cannot."""

import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

from priot_hil.reference.errors import InputError

NAMES = ("clang", *(f"clang-{version}" for version in range(40, 11, -1)))
TARGET = "#include <stdlib.h>\nint LLVMFuzzerTestOneInput(const char *data, size_t size);\n"
TARGET += "int LLVMFuzzerTestOneInput(const char *data, size_t size) { return size && *data ? 0 : 0; }\n"
FLAGS = ("-fsanitize=fuzzer,address,undefined",)
COUNTED = "int main(void) { return 0; }\n"
COUNTING = ("-fprofile-instr-generate", "-fcoverage-mapping")
TOOLS = ("llvm-profdata", "llvm-cov")


@functools.cache
def find_fuzzing_clang(preset: str) -> Path | None:
    """The first clang on the PATH that links a fuzzer for a preset; None where there is none.

    Args:
        preset: "fuzz", or "fuzz-32" for 32-bit pointers.
    """
    width = ("-m32",) if preset == "fuzz-32" else ()
    return next((path for path in _clangs() if _links(path, (*width, *FLAGS), TARGET)), None)


def require_fuzzing_clang(preset: str) -> Path:
    """`find_fuzzing_clang`, or a sentence that says what to install.

    Raises:
        InputError: There is none.
    """
    clang = find_fuzzing_clang(preset)
    if clang is None:
        wide = ", libc6-dev-i386, lib32stdc++-12-dev" if preset == "fuzz-32" else ""
        raise InputError.about(
            f"preset {preset}",
            expected="a clang on the PATH that links libFuzzer" + (" with -m32" if wide else ""),
            got="none",
            do="install clang with its runtime library and llvm "
            f"(on Debian: clang-14, libclang-rt-14-dev, llvm-14{wide})",
        )
    return clang


@functools.cache
def find_counting_clang() -> Path | None:
    """The first clang on the PATH that links a program which counts, and has the tools that read the counts."""
    clangs = (path for path in _clangs() if all(tool_beside(path, tool) for tool in TOOLS))
    return next((path for path in clangs if _links(path, COUNTING, COUNTED)), None)


def require_counting_clang() -> Path:
    """`find_counting_clang`, or a sentence that says what to install.

    Raises:
        InputError: There is none.
    """
    clang = find_counting_clang()
    if clang is None:
        raise InputError.about(
            "preset host-coverage",
            expected=f"a clang on the PATH that counts coverage, with {' and '.join(TOOLS)}",
            got="none",
            do="install clang with its runtime library and llvm (on Debian: clang-14, libclang-rt-14-dev, llvm-14)",
        )
    return clang


def tool_beside(clang: Path, name: str) -> Path | None:
    """A tool of clang's own LLVM, such as llvm-cov; None where it is not installed."""
    said = subprocess.run(
        [clang, f"-print-prog-name={name}"], capture_output=True, text=True, check=True
    ).stdout.strip()
    found = shutil.which(said)
    return Path(found) if found else None


def _clangs() -> list[Path]:
    """Every clang on the PATH, the plain name first and then the newest."""
    return [Path(path) for name in NAMES if (path := shutil.which(name)) is not None]


def _links(clang: Path, flags: tuple[str, ...], program: str) -> bool:
    """Whether a clang makes a program of this source with these flags."""
    with tempfile.TemporaryDirectory() as folder:
        command = [str(clang), *flags, "-x", "c", "-", "-o", str(Path(folder) / "program")]
        return not subprocess.run(command, input=program.encode(), capture_output=True, check=False).returncode
