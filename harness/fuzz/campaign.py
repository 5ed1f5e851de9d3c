"""`invoke fuzz`: builds the fuzzer, gives it seeds, runs it, and says what it reached and what it found."""

import hashlib
import os
import re
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final, get_args

from priot_hil.harness.files import write_aside
from priot_hil.harness.firmware import FuzzFirmware, FuzzPreset, build
from priot_hil.harness.paths import BUILD, ROOT
from priot_hil.harness.progress import Timed, shown
from priot_hil.reference.errors import InputError

from .coverage import Coverage, measure
from .dictionary import dictionary
from .seeds import write_seeds

TARGETS: Final = ("frames", "commands")
CAPSULES: Final = ROOT / "tests" / "capsules" / "golden"
FINDS: Final = ROOT / "tests" / "firmware" / "fuzz_finds"
MAX_BYTES: Final = 4096
TIMEOUT: Final = 60  # seconds for one input: a hang, since none takes a tenth
MINIMISE_SECONDS: Final = 30
FOUND: Final = 1


@dataclass(frozen=True)
class Campaign:
    """What came of one target.

    Attributes:
        executions: Inputs tried, the corpus included.
        seconds: Wall clock.
        edges: Edges of the control flow that were reached.
        find: The input that broke the firmware, and what was seen; None where none did.
    """

    target: str
    executions: int
    seconds: int
    edges: int
    find: tuple[bytes, str] | None


def fuzz(seconds: int, target: str | None = None, preset: str = "fuzz") -> int:
    """Fuzz one target or both, each from where it stopped the last time.

    Args:
        seconds: For each target.
        target: "frames" or "commands"; None for both.
        preset: "fuzz", or "fuzz-32" for the board's 32-bit sizes.

    Returns:
        1 where something was found, else 0.

    Raises:
        InputError: An option is wrong, or no clang here has libFuzzer.
        KeyboardInterrupt: After the figures of the target that was cut short.
    """
    if target not in (None, *TARGETS):
        raise InputError.about("target", expected=" or ".join(TARGETS), got=repr(target), do="name one of them")
    if preset not in get_args(FuzzPreset):
        raise InputError.about("preset", expected="fuzz or fuzz-32", got=repr(preset), do="name one of them")
    if seconds < 1:
        raise InputError.about("seconds", expected="1 or more", got=seconds, do="give the fuzzer time")
    firmware = build("fuzz-32" if preset == "fuzz-32" else "fuzz")
    library = build("host").library
    assert library is not None
    # Both presets go on from one corpus: what one has reached is worth trying on the other.
    folders = {name: BUILD / "fuzz" / name for name in TARGETS}
    write_seeds(library, CAPSULES, folders)
    found = False
    for name in (target,) if target else TARGETS:
        print(f"{name}: {seconds} s", file=sys.stderr, flush=True)
        campaign = search(firmware, name, folders[name], seconds)
        _report(campaign)
        if campaign.find is None:
            _report_lines(measure(firmware.clang, program(firmware, name), folders[name]))
        else:
            found = True
            print(f"    {campaign.find[1]}\n    kept as {keep(name, campaign.find[0]).relative_to(ROOT)}")
    return FOUND if found else 0


def program(firmware: FuzzFirmware, target: str) -> Path:
    """The libFuzzer program of a target."""
    return firmware.frames if target == "frames" else firmware.commands


def search(
    firmware: FuzzFirmware, target: str, corpus: Path, seconds: int, minimise_seconds: int = MINIMISE_SECONDS
) -> Campaign:
    """Run a target until its time is up, it finds something or the user interrupts; the corpus grows.

    Args:
        firmware: The fuzzer's build.
        target: "frames" or "commands".
        corpus: The folder that is read and grows.
        seconds: Of searching.
        minimise_seconds: Of making a find smaller; 0: it is kept as it is.

    Raises:
        KeyboardInterrupt: After the fuzzer has ended.
        RuntimeError: The fuzzer ended otherwise than by its time or a find.
    """
    path = program(firmware, target)
    with tempfile.TemporaryDirectory() as folder:
        artifacts = Path(folder)
        words = artifacts / "words"
        words.write_text(dictionary())
        options = [f"-max_total_time={seconds}", "-print_final_stats=1", f"-dict={words}", str(corpus)]
        with shown(Timed(f"fuzzing {target}", seconds)):
            said, interrupted = _run(path, artifacts, options)
        finds = [file for file in artifacts.iterdir() if file.name.startswith(("crash-", "timeout-", "oom-", "leak-"))]
        executions = _number(r"stat::number_of_executed_units:\s+(\d+)", said)
        spent = _number(r"Done \d+ runs in (\d+) second", said) or seconds
        edges = max(map(int, re.findall(r"\bcov: (\d+)", said)), default=0)
        if finds:
            data = minimise(path, finds[0], minimise_seconds) if minimise_seconds else finds[0].read_bytes()
            executions = executions or max(map(int, re.findall(r"^#(\d+)", said, re.MULTILINE)), default=0)
            return Campaign(target, executions, spent, edges, (data, _reason(said)))
    if interrupted:
        print(f"{target}: interrupted after {executions:,} executions, {edges} edges, nothing found", file=sys.stderr)
        raise KeyboardInterrupt
    if not executions:
        raise RuntimeError(f"{path.name} ended before its first input:\n{said[-2000:]}")
    return Campaign(target, executions, spent, edges, None)


def minimise(path: Path, find: Path, seconds: int) -> bytes:
    """The shortest input that still breaks the firmware, as far as libFuzzer gets in `seconds`."""
    shortest = find.read_bytes()
    smaller = find.with_name("smaller")
    options = ["-minimize_crash=1", f"-max_total_time={seconds}", f"-exact_artifact_path={smaller}"]
    with shown(Timed("making the find smaller", seconds)):
        _run(path, find.parent, [*options, str(find)])
    return smaller.read_bytes() if smaller.exists() and smaller.stat().st_size else shortest


def keep(target: str, data: bytes, folder: Path = FINDS) -> Path:
    """Keeps a find where the tests replay it; the folder says which target it is of."""
    path = folder / target / (hashlib.sha1(data, usedforsecurity=False).hexdigest()[:12] + ".bin")
    write_aside(path, data)
    return path


def _run(path: Path, artifacts: Path, options: list[str]) -> tuple[str, bool]:
    """Run libFuzzer quietly; Ctrl-C is passed on, so that it ends in order. Returns what it said, and whether so."""
    command = [str(path), f"-timeout={TIMEOUT}", f"-max_len={MAX_BYTES}", f"-artifact_prefix={artifacts}/", *options]
    environment = os.environ | {"LLVM_PROFILE_FILE": os.devnull}
    with (artifacts / "log").open("w+", errors="replace") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
        interrupted = False
        try:
            process.wait()
        except KeyboardInterrupt:
            interrupted = True
            process.send_signal(signal.SIGINT)
            process.wait()
        log.seek(0)
        return log.read(), interrupted


def _reason(said: str) -> str:
    """The sentence that names what was seen."""
    pattern = r"^(witness: .*|.*runtime error: .*|SUMMARY: (?!libFuzzer: deadly).*|==\d+== ?ERROR: .*)$"
    return next(iter(re.findall(pattern, said, re.MULTILINE)), "the fuzzer ended without a reason")


def _number(pattern: str, said: str) -> int:
    found = re.search(pattern, said)
    return int(found[1]) if found else 0


def _report(campaign: Campaign) -> None:
    rate = campaign.executions // max(1, campaign.seconds)
    finds = "1 find" if campaign.find else "nothing found"
    print(f"{campaign.target}: {campaign.executions:,} executions, {rate:,} a second, {campaign.edges} edges, {finds}")


def _report_lines(coverage: Coverage | None) -> None:
    if coverage is None:
        print("    lines: not counted, since this clang's llvm-cov and llvm-profdata are not installed")
        return
    for name, lines in coverage.items():
        missed = f", never {_ranges(lines.missed)}" if lines.missed else ""
        print(f"    {name:<24} {lines.count - len(lines.missed):>4} of {lines.count:>4} lines{missed}")


def _ranges(numbers: tuple[int, ...]) -> str:
    """Ascending numbers, neighbours as one range: "7, 10-12"."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)
