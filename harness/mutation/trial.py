"""Runs the suite against one device in a process of its own, which may crash or never end."""

import json
import os
import resource
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from priot_hil.harness.errors import CheckFailed
from priot_hil.harness.paths import BUILD, ROOT
from priot_hil.harness.plugin.selection import id_of
from priot_hil.harness.schema import Location, Seconds, checked, lines_of, parse_json

DEVICE = "device"  # what a test's name says in place of a device's path, which would not be the same elsewhere
EQUIVALENCE = ("tests/equivalence",)
QUICK = tuple(f"tests/equivalence/test_{name}.py" for name in ("short", "kernels"))
ENDS = ("ends_of_networks", "ends_of_stages", "ends_of_requests", "ends_of_transfer_sets", "ends_of_numbers")
DEVICE_FILES = ("device", "device_load", "device_data", *ENDS, "descriptions", "detached")
DEVICE_TESTS = tuple(f"tests/harness/test_{name}.py" for name in DEVICE_FILES)
FIXTURES = ("engine", "device_engine", "fresh_engine")
PROFILE = "hunt"
SMALLEST = "hunt for the smallest"
SEED = 0
PATIENCE = 5  # a test that takes so many times as long as on the unmutated firmware hangs
LEAST_SECONDS = 10  # a failure in a large case takes that long to be said
WALL_PER_CPU = 20  # for a machine that does other things too
CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(["numpy", "hypothesis", "pytest", "unicorn", "priot_hil.harness.devices", __name__])

settings.register_profile(
    PROFILE,
    phases=(Phase.explicit, Phase.generate),  # the first kill counts; how small it can be is another question
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
settings.register_profile(
    SMALLEST, settings.get_profile(PROFILE), phases=(Phase.explicit, Phase.generate, Phase.shrink)
)


class Outcome(StrEnum):
    """How a trial ended."""

    FAILED = "failed"
    CRASHED = "crashed"
    HUNG = "hung"
    SURVIVED = "survived"


@dataclass(frozen=True)
class Trial:
    """What came of the suite.

    Attributes:
        outcome: How it ended.
        test: The first test that did not pass; empty where all did.
        seconds: From the start of the first test to the end of the last that ran.
        said: The first line of the failure.
        times: CPU seconds of each test that passed.
    """

    outcome: Outcome
    test: str = ""
    seconds: float = 0.0
    said: str = ""
    times: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Note:
    """What the suite's process says of a test: that it starts, passes or fails.

    Attributes:
        at: Seconds since the first note.
        starts, passes, fails: The test, under one of the three.
        said: The first line of its failure.
        cpu: CPU seconds of one that passed.
    """

    at: Seconds
    starts: str = ""
    passes: str = ""
    fails: str = ""
    said: str = ""
    cpu: Seconds = 0.0


class SuiteError(CheckFailed):
    """The suite did not run; its log says why."""


@dataclass(eq=False)
class Hunt:
    """What the suite's process is told, and a plugin of its pytest.

    Attributes:
        device: The name for `--device`.
        folder: Where it works, and leaves notes and log.
        times: CPU seconds of each test on the unmutated firmware; of none: no limits.
        tests: Which to run: files, or the names of tests as a trial gives them.
        shrinks: Whether a failing case is made as small as it can be, and left in `failures`.
    """

    device: str
    folder: Path
    times: Mapping[str, float]
    tests: tuple[str, ...] = EQUIVALENCE
    shrinks: bool = False

    def __post_init__(self) -> None:
        self._begin: float | None = None
        self._cpu = 0.0

    @property
    def notes(self) -> Path:
        """A line of JSON for each test that starts, passes or fails."""
        return self.folder / "trial.jsonl"

    @property
    def failures(self) -> Path:
        """Where failing cases are kept."""
        return self.folder / "failures"

    @property
    def log(self) -> Path:
        """What pytest printed."""
        return self.folder / "trial.log"

    def note(self, **said: Any) -> None:
        """Adds a line that outlives this process."""
        self._begin = self._begin if self._begin is not None else time.monotonic()
        with self.notes.open("a", encoding="utf-8") as file:
            file.write(json.dumps(said | {"at": round(time.monotonic() - self._begin, 3)}) + "\n")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keeps the tests of a device, the quickest suite first."""
        tests = [item for item in items if self._runs_on_device(item)]
        items[:] = sorted(tests, key=suite_of)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Notes which test runs, in case that it is the last, and gives it its time."""
        name = self._name(nodeid)
        self.note(starts=name)
        self._cpu = time.process_time()
        if self.times:
            limit = self._cpu + max(LEAST_SECONDS, PATIENCE * self.times.get(name, 0.0))
            resource.setrlimit(resource.RLIMIT_CPU, (int(limit) + 1, resource.RLIM_INFINITY))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Notes how a test ended."""
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            said = str(crash.message if crash is not None else report.longrepr).strip().partition("\n")[0]
            self.note(fails=self._name(report.nodeid), said=said[:300])
        elif report.when == "teardown":
            self.note(passes=self._name(report.nodeid), cpu=round(time.process_time() - self._cpu, 3))

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Notes a device that did not even open."""
        self.note(fails="opening the device", said=str(excinfo.value).partition("\n")[0][:300])

    def _runs_on_device(self, item: pytest.Item) -> bool:
        params = getattr(getattr(item, "callspec", None), "params", {})
        return self.device in (params.get(fixture) for fixture in FIXTURES)

    def _name(self, nodeid: str) -> str:
        """A test without its device."""
        return nodeid.replace(id_of(self.device), DEVICE)


def is_device_test(nodeid: str) -> bool:
    """Whether a test is one of those that hold the device beyond the equivalence suite."""
    return nodeid.startswith(DEVICE_TESTS)


def suite_of(item: pytest.Item) -> int:
    """Where a test stands in a trial: the short suite, the device's refusals and data, all the rest."""
    return 0 if item.get_closest_marker("short") else 1 if is_device_test(item.nodeid) else 2


def start(hunt: Hunt) -> Any:
    """Starts the suite's process.

    Returns:
        It; join it, then ask `result`.
    """
    hunt.folder.mkdir(parents=True, exist_ok=True)
    hunt.notes.unlink(missing_ok=True)
    process = CONTEXT.Process(target=perform, args=(hunt,))
    process.start()
    return process


def patience(times: Mapping[str, float]) -> float:
    """Seconds after which a process that uses no time at all is given up."""
    return WALL_PER_CPU * (LEAST_SECONDS + sum(times.values()))


def perform(hunt: Hunt) -> None:
    """The suite's process: pytest as a user runs it, until the first failure."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the campaign ends it
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # To compile the tests once and not for each mutant, whatever the environment says.
    sys.pycache_prefix, sys.dont_write_bytecode = str(BUILD / "mutants" / "pycache"), False
    os.chdir(hunt.folder)
    log = os.open(hunt.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    device = id_of(hunt.device)
    tests = [str(ROOT / test).replace(f"[{DEVICE}", f"[{device}") for test in hunt.tests]
    options = ["-x", "-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    options += [f"--hypothesis-profile={SMALLEST if hunt.shrinks else PROFILE}", f"--failures={hunt.failures}"]
    options += [f"--hypothesis-seed={SEED}", f"--device={hunt.device}"]
    place = [f"--rootdir={ROOT}", f"--config-file={ROOT / 'pyproject.toml'}"]
    status = pytest.main([*options, *place, *tests], plugins=[hunt])
    sys.stdout.flush()
    os._exit(int(status))  # what a mutant did to this process is not to be tidied up


def result(hunt: Hunt, exitcode: int | None) -> Trial:
    """What came of a suite, by its process's end and its notes.

    Args:
        hunt: What it was told.
        exitcode: Of the process, negative for a signal; None where it had to be ended.

    Raises:
        SuiteError: It says nothing of the device.
        InputError: Its notes are damaged.
    """
    content = hunt.notes.read_bytes() if hunt.notes.exists() else b""
    place = Location(f"{hunt.notes}", "notes of a trial", "give the same command again")
    notes = [checked(Note, parse_json(text, at), at) for at, text in lines_of(content, place, may_be_cut=True)]
    last = notes[-1] if notes else Note(0.0)
    times = {note.passes: note.cpu for note in notes if note.passes}
    failures = [note for note in notes if note.fails]
    if exitcode in (None, -signal.SIGXCPU):
        return Trial(Outcome.HUNG, last.starts, last.at, "no end", times)
    if exitcode < 0:
        return Trial(Outcome.CRASHED, last.starts, last.at, signal.Signals(-exitcode).name, times)
    if exitcode == 0 and times:
        return Trial(Outcome.SURVIVED, "", last.at, "", times)
    if failures:
        first = failures[0]
        return Trial(Outcome.FAILED, first.fails, first.at, first.said, times)
    tail = hunt.log.read_text(errors="replace").splitlines()[-15:] if hunt.log.exists() else []
    raise SuiteError("the suite did not run:\n" + "\n".join(tail))
