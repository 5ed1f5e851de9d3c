"""The suite on one device, in a process of its own, as a user runs it."""

import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from priot_hil.harness.mutation.trial import SuiteError
from priot_hil.harness.paths import ROOT

FOLDER = "tests/equivalence"
EQUIVALENCE = (f"{FOLDER}/test_kernels.py", f"{FOLDER}/test_runs.py")  # the smallest cases first
SHORT = (f"{FOLDER}/test_short.py",)
EXAMPLE = re.compile(r"^Failing test case: .*?^\)\n?", re.MULTILINE | re.DOTALL)
SECONDS = 900  # after which a run hangs


@dataclass(frozen=True)
class Verdict:
    """What came of a run that stops at its first failure.

    Attributes:
        test: The first that failed, "test_file.py::test_name"; empty where all passed.
        seconds: Spent in tests up to there.
        message: Of the failure; of a process that died or never ended, how.
    """

    test: str = ""
    seconds: float = 0.0
    message: str = ""

    @property
    def is_red(self) -> bool:
        """Whether something failed."""
        return bool(self.message)


def run_suite(device: str, folder: Path, tests: Sequence[str], *options: str) -> Verdict:
    """Run tests in this order until one fails.

    Args:
        device: As `--device` has it.
        folder: Where it runs; failing cases go to ``failures`` in it.
        tests: Folders, files or tests of the checkout.
        options: More of pytest's.

    Raises:
        SuiteError: No test was run at all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    results = folder / "junit.xml"
    results.unlink(missing_ok=True)
    place = [f"--rootdir={ROOT}", f"--config-file={ROOT / 'pyproject.toml'}", f"--junitxml={results}"]
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *place, f"--device={device}"]
    try:
        done = subprocess.run(
            [*command, *options, *(str(ROOT / test) for test in tests)],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Verdict(message=f"no end within {SECONDS} s", seconds=SECONDS)
    if done.returncode < 0:
        return Verdict(message=f"the process died: {signal.Signals(-done.returncode).name}")
    if not results.exists() or not (cases := list(ElementTree.parse(results).iter("testcase"))):
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise SuiteError(f"pytest ran no test on {device}:\n{tail}")
    seconds = sum(float(case.get("time", 0)) for case in cases)
    for case in cases:
        for found in (*case.iter("failure"), *case.iter("error")):
            module, name = case.get("classname", "").rpartition(".")[2], case.get("name", "").partition("[")[0]
            return Verdict(f"{FOLDER}/{module}.py::{name}", seconds, message_of(found.text or "") or "no message")
    return Verdict(seconds=seconds)


def message_of(report: str) -> str:
    """What a failure says, out of pytest's report of it: without code, and without the case, which is in a file."""
    first, *more = [line[1:].strip("\n") for line in report.splitlines() if re.match(r"E(\s|$)", line)] or [""]
    said = first.strip() + "\n" + textwrap.dedent("\n".join(more))
    return EXAMPLE.sub("", said).strip()
