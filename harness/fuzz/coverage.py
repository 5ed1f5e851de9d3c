"""Which lines of the firmware a corpus reaches, by clang's own counts."""

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from priot_hil.harness.clang import tool_beside

ROOMS = ("link", "engine")


@dataclass(frozen=True)
class Lines:
    """Lines with code of one source, and the numbers of those that no input reached."""

    count: int
    missed: tuple[int, ...]


Coverage = dict[str, Lines]  # by name: "link/priot_link.c"


def measure(clang: Path, program: Path, corpus: Path) -> Coverage | None:
    """Run each input of a corpus once and count lines, file by file.

    Args:
        clang: The clang that built the program.
        program: A libFuzzer program.
        corpus: A folder of inputs that do not break it.

    Returns:
        The lines of each source of ROOMS; None where llvm-cov or llvm-profdata is missing.
    """
    profdata, cov = tool_beside(clang, "llvm-profdata"), tool_beside(clang, "llvm-cov")
    if profdata is None or cov is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        raw, merged = Path(folder) / "raw", Path(folder) / "merged"
        environment = os.environ | {"LLVM_PROFILE_FILE": str(raw)}
        command = [str(program), "-runs=0", f"-artifact_prefix={folder}/", str(corpus)]
        subprocess.run(command, env=environment, capture_output=True, check=True)
        subprocess.run([profdata, "merge", "-o", merged, raw], capture_output=True, check=True)
        export = [str(cov), "export", "-format=lcov", f"-instr-profile={merged}", str(program)]
        return parse(subprocess.run(export, capture_output=True, text=True, check=True).stdout)


def parse(lcov: str) -> Coverage:
    """Reads lcov's text: `SF:` names a source, `DA:line,times` counts a line."""
    counts: dict[str, dict[int, int]] = {}
    lines: dict[int, int] = {}
    for text in lcov.splitlines():
        field, _, value = text.partition(":")
        if field == "SF":
            path, lines = Path(value), {}
            if path.parent.name in ROOMS and path.suffix == ".c":
                counts[f"{path.parent.name}/{path.name}"] = lines
        elif field == "DA":
            number, times = value.split(",")[:2]
            lines[int(number)] = int(times)
    found = {}
    for name in sorted(counts, reverse=True):
        missed = tuple(number for number, times in sorted(counts[name].items()) if times == 0)
        found[name] = Lines(len(counts[name]), missed)
    return found
