"""Which lines of the firmware a corpus reaches, by clang's own counts."""

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from priot_hil.harness.coverage.counts import Counts, read_counts
from priot_hil.harness.paths import ROOT

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
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw"
        environment = os.environ | {"LLVM_PROFILE_FILE": str(raw)}
        command = [str(program), "-runs=0", f"-artifact_prefix={folder}/", str(corpus)]
        subprocess.run(command, env=environment, capture_output=True, check=True)
        counts = read_counts(clang, program, [raw], ROOT / "firmware", ROOMS)
        return None if counts is None else lines_of(counts)


def lines_of(counts: Counts) -> Coverage:
    """The lines of each `.c`, of link first."""
    times: dict[str, dict[int, int]] = {}
    for place, count in counts.items():
        if not place.outcome and place.file.endswith(".c"):
            times.setdefault(place.file, {})[place.line] = count
    return {
        name: Lines(len(times[name]), tuple(line for line, count in sorted(times[name].items()) if count == 0))
        for name in sorted(times, reverse=True)
    }
