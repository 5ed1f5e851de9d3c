"""Finds a clang that can link libFuzzer; the pinned compiler and many systems' own clang cannot."""

import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

from priot_hil.reference.errors import InputError

NAMES = ("clang", *(f"clang-{version}" for version in range(40, 11, -1)))
TARGET = "#include <stdlib.h>\nint LLVMFuzzerTestOneInput(const char *data, size_t size);\n"
TARGET += "int LLVMFuzzerTestOneInput(const char *data, size_t size) { return size && *data ? 0 : 0; }\n"
FLAGS = ("-fsanitize=fuzzer,address,undefined", "-x", "c", "-", "-o")


@functools.cache
def find_fuzzing_clang(preset: str) -> Path | None:
    """The first clang on the PATH that links a fuzzer for a preset; None where there is none.

    Args:
        preset: "fuzz", or "fuzz-32" for 32-bit pointers.
    """
    width = ("-m32",) if preset == "fuzz-32" else ()
    for name in NAMES:
        path = shutil.which(name)
        if path is not None:
            with tempfile.TemporaryDirectory() as folder:
                command = [path, *width, *FLAGS, str(Path(folder) / "fuzzer")]
                if not subprocess.run(command, input=TARGET.encode(), capture_output=True, check=False).returncode:
                    return Path(path)
    return None


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


def tool_beside(clang: Path, name: str) -> Path | None:
    """A tool of clang's own LLVM, such as llvm-cov; None where it is not installed."""
    said = subprocess.run(
        [clang, f"-print-prog-name={name}"], capture_output=True, text=True, check=True
    ).stdout.strip()
    found = shutil.which(said)
    return Path(found) if found else None
