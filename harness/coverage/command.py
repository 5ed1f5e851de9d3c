"""`invoke coverage`: runs the suite on the build that counts, and says what it reached."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from priot_hil.harness.clang import require_counting_clang
from priot_hil.harness.errors import CheckFailed
from priot_hil.harness.files import write_aside
from priot_hil.harness.firmware import HostFirmware, build
from priot_hil.harness.output_kinds import COVERAGE
from priot_hil.harness.outputs import check_file
from priot_hil.harness.paths import ROOT
from priot_hil.harness.progress import Part, Work, shown

from .counts import Counts, read_counts
from .exceptions import read_exceptions
from .report import Evidence, percent, report, share, what

RESULTS = Path("results")
ROOMS = ("kernels", "engine")
STEPS = "tests/equivalence"
REQUESTS = "tests/harness/test_descriptions.py"
OTHERS = tuple(f"tests/harness/test_device{part}.py" for part in ("", "_load", "_data"))
GENERATED = ("-m", "hypothesis and not slow")  # hypothesis marks what it drives
CHOSEN = ("-m", "not hypothesis and not slow")
ON_THE_LIBRARY = ("-k", "not process and not board")  # what runs elsewhere is not counted
UNACCOUNTED = 1
PERCENT = re.compile(r"\[ *(\d+)%\]")
# Percent of each suite, and what one takes beside one of the others.
WEIGHTS = {STEPS: 8.0, REQUESTS: 1.0, CHOSEN: 4.0}


class SuiteFailed(CheckFailed):
    """The suite fails on the build that counts, and so its counts say nothing."""


def coverage(profile: str = "default", seed: int = 0, out: Path | None = None) -> int:
    """Measure, write the report, and say in a few lines what it says.

    Args:
        profile: Of hypothesis: "default" or "thorough".
        seed: Of the generated cases.
        out: The report; None for ``results/coverage.md`` here, of another profile ``results/coverage-PROFILE.md``.

    Returns:
        0, or 1 where a line or an outcome of a condition is neither reached nor argued, or an argument is not needed.

    Raises:
        InputError: No clang that counts, or the report cannot be written.
        SuiteFailed: The suite fails on this build.
    """
    name = "coverage.md" if profile == "default" else f"coverage-{profile}.md"
    path = check_file(RESULTS / name if out is None else out, COVERAGE)
    firmware = build("host-coverage")
    generated = Counts()
    parts = {name: Part(100, kind=name, weight=weight) for name, weight in WEIGHTS.items()}
    with shown(Work("tests that are counted", parts, "%")) as work:
        for tests, number in ((STEPS, profile), (REQUESTS, "thorough")):
            options = (f"--hypothesis-profile={number}", f"--hypothesis-seed={seed}")
            done = partial(work.advance, name=tests)
            generated.update(run_counted(firmware, tests, *GENERATED, *options, done=done))
        done = partial(work.advance, name=CHOSEN)
        chosen = run_counted(firmware, STEPS, REQUESTS, *OTHERS, *CHOSEN, done=done)
    evidence = Evidence(generated, chosen, read_exceptions())
    head = (
        f"Written by `./run invoke coverage` (hypothesis profile {profile}, seed {seed}) on firmware "
        f"{firmware.build_id.hex()[:12]}; [what it means](../coverage.md)."
    )
    write_aside(path, report(evidence, head))
    for name, counts in (("generated cases", evidence.generated), ("with chosen cases", evidence.total)):
        lines, branches = (percent(share(counts, "", conditions)) for conditions in (False, True))
        print(f"{name}: lines {lines}, conditions' outcomes {branches}")
    print(f"report: {path}")
    for place in evidence.open:
        print(f"not reached, not argued: {place.file}:{place.line} ({place.function}) {what(place)}")
    for exempt in evidence.needless:
        print(f"argued and not needed: {exempt.function}: {what(exempt)}")
    return UNACCOUNTED if evidence.open or evidence.needless else 0


def run_counted(
    firmware: HostFirmware, *tests: str, root: Path = ROOT, done: Callable[[float], None] = lambda percent: None
) -> Counts:
    """What tests reach of the library that counts.

    Args:
        firmware: Of preset "host-coverage".
        tests: Files, and what else pytest is told.
        root: The checkout that was built.
        done: Told how many percent more of the tests have run.

    Raises:
        SuiteFailed: They do not pass.
    """
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"LLVM_PROFILE_FILE": f"{folder}/%p.profraw"}
        device = f"--device=library:{firmware.library}"
        command = [sys.executable, "-m", "pytest", "-v", device, *ON_THE_LIBRARY, *tests]
        if run_tests(command, environment, done):
            raise SuiteFailed("tests fail on the build that counts; pytest says above which and why.")
        assert firmware.library is not None, "only a sanitized build has none"
        raw = sorted(Path(folder).glob("*.profraw"))
        counts = read_counts(require_counting_clang(), firmware.library, raw, root / "firmware", ROOMS)
        assert counts is not None, "a clang without these tools does not count as one that counts"
        return counts


def run_tests(command: Sequence[str], environment: Mapping[str, str], done: Callable[[float], None]) -> int:
    """Run pytest, which is to say of each test how many percent are done by then; what it says of others goes on.

    Args:
        command: With ``-v``.
        environment: Of the process.
        done: Told how many percent more of the tests have run.

    Returns:
        The exit status.
    """
    said: list[str] = []
    percent = 0
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if step := PERCENT.search(line):
                done(int(step[1]) - percent)
                percent = int(step[1])
            else:
                said.append(line)
    if process.returncode:
        print("".join(said), end="", file=sys.stderr)
    return process.returncode
