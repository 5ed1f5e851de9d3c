"""`invoke mutate`: builds each mutant, lets the suite look for it, and keeps what came of it."""

import json
import queue
import shutil
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from priot_hil.harness.cases import read_case, size_of
from priot_hil.harness.files import write_aside
from priot_hil.harness.progress import counted, shown
from priot_hil.harness.schema import Location, Seconds, checked, read_json
from priot_hil.reference.errors import InputError

from .mutant import Mutant
from .progress import Teller
from .records import Record, Results, Size, Verdict, describe
from .trial import DEVICE_TESTS, EQUIVALENCE, QUICK, Hunt, Outcome, Trial, patience, result, start
from .workshop import MutatedDevice, Product, Workshop

SUITES: dict[MutatedDevice, tuple[str, ...]] = {
    "host": (*EQUIVALENCE, *DEVICE_TESTS),
    "emulator": (*QUICK, *DEVICE_TESTS),
}
SHRINK_SECONDS = 900.0  # more than hypothesis gives itself
VERDICT = {
    Outcome.FAILED: Verdict.FAILED,
    Outcome.CRASHED: Verdict.CRASHED,
    Outcome.HUNG: Verdict.HUNG,
    Outcome.SURVIVED: Verdict.SURVIVED,
}


@dataclass(frozen=True)
class Times:
    """CPU seconds of each test on the firmware as it is, and the fingerprint that they hold for."""

    key: str
    times: dict[str, Seconds]


def read_times(path: Path) -> Times | None:
    """What was measured before; None where nothing was, or the file is damaged and it is measured again."""
    place = Location(f"{path}", "times of tests", "leave it: they are measured again")
    try:
        return checked(Times, read_json(path, place), place)
    except InputError:
        return None


@dataclass
class Campaign:
    """What the workers of a campaign share.

    Attributes:
        device: What is mutated.
        results: Where the records go.
        is_over: Set where it is interrupted: what ends after that is no verdict.
    """

    device: MutatedDevice
    results: Results
    is_over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._times: dict[str, float] = {}
        self._code: str | None = None
        self._lock = threading.Lock()

    def perform(self, mutants: Sequence[Mutant], workers: int, console: Console, *, shrinks: bool = False) -> None:
        """Tries mutants, or looks how small the cases become that killed them; interrupted, it leaves what it has.

        Raises:
            InputError: The suite fails on the firmware as it is, or a file cannot be written.
            BuildError: The firmware does not build.
        """
        waiting: queue.SimpleQueue[Mutant] = queue.SimpleQueue()
        for mutant in mutants:
            waiting.put(mutant)
        with shown(counted("mutants", len(mutants))) as work, ThreadPoolExecutor(workers) as pool:
            teller = Teller(console, work)
            tasks = [pool.submit(self._work, number, waiting, teller, shrinks) for number in range(workers)]
            try:
                done, _ = wait(tasks, return_when=FIRST_EXCEPTION)
                _raise_first(done)
            finally:
                self.is_over.set()

    def _work(self, number: int, waiting: "queue.SimpleQueue[Mutant]", teller: Teller, shrinks: bool) -> None:
        """One worker: its own copy of the firmware, one mutant after the other."""
        with closing(Workshop(self.device, number)) as workshop:
            self._work_in(workshop, waiting, teller, shrinks)

    def _work_in(self, workshop: Workshop, waiting: "queue.SimpleQueue[Mutant]", teller: Teller, shrinks: bool) -> None:
        product = workshop.build()
        assert product is not None, "what fails to build raises"
        self._measure(product, workshop.root, teller)
        while not self.is_over.is_set():
            try:
                mutant = waiting.get_nowait()
            except queue.Empty:
                return
            record = self._shrink(mutant, workshop) if shrinks else self._try(mutant, workshop)
            if not self.is_over.is_set():
                with self._lock:
                    self.results.add(record)
                    teller.tell(record)

    def _measure(self, product: Product, folder: Path, teller: Teller) -> None:
        """How long each test takes on the firmware as it is, and what code it is; once a campaign.

        Raises:
            InputError: It does not pass.
        """
        with self._lock:
            if self._times or self.is_over.is_set():
                return
            kept = self.results.path.with_name(f"times-{self.device}.json")
            known = read_times(kept)
            if known is None or known.key != self.results.key:
                teller.say(f"the suite on the firmware as it is, on {self.device}")
                trial = self._hunt(product, folder)
                if trial.outcome is not Outcome.SURVIVED and not self.is_over.is_set():
                    got = f"{trial.test}: {trial.said}"
                    raise InputError.about("unmutated firmware", expected="it to pass", got=got, do="mend it first")
                known = Times(self.results.key, dict(trial.times))
                if not self.is_over.is_set():
                    write_aside(kept, json.dumps(asdict(known)))
            self._times, self._code = known.times, product.code
            teller.begin()

    def _try(self, mutant: Mutant, workshop: Workshop) -> Record:
        product = workshop.build(mutant)
        about: dict[str, Any] = describe(mutant)
        if product is None:
            return Record(**about, verdict=Verdict.NOT_COMPILED)
        if product.code is not None and product.code == self._code:
            return Record(**about, verdict=Verdict.SAME_CODE)
        trial = self._hunt(product, workshop.root)
        verdict = VERDICT[trial.outcome]
        return Record(**about, verdict=verdict, test=trial.test, seconds=round(trial.seconds, 2), said=trial.said)

    def _shrink(self, mutant: Mutant, workshop: Workshop) -> Record:
        """The record of a mutant that a test killed, with the size of the smallest case that this test finds."""
        record = self.results.records[mutant.id]
        product = workshop.build(mutant)
        assert product is not None, "it compiled before"
        hunt = Hunt(product.device, workshop.root, {}, (record.test,), shrinks=True)
        shutil.rmtree(hunt.failures, ignore_errors=True)
        self._run(hunt, SHRINK_SECONDS)
        sizes = [size_of(read_case(path)) for path in hunt.failures.glob("*.npz")]
        if not sizes:
            return record
        size = min(sizes, key=lambda size: size.weights)
        return replace(record, size=Size(size.weights, size.nonzero, size.steps or 1))

    def _hunt(self, product: Product, folder: Path) -> Trial:
        """Lets the suite look at a device."""
        hunt = Hunt(product.device, folder, self._times, SUITES[self.device])
        return self._run(hunt, patience(self._times) if self._times else None)

    def _run(self, hunt: Hunt, left: float | None) -> Trial:
        """A suite in a process that ends with the campaign, or after so many seconds."""
        process = start(hunt)
        while process.is_alive() and not self.is_over.is_set() and (left is None or left > 0):
            process.join(0.25)
            left = None if left is None else left - 0.25
        was_ended = process.is_alive()
        if was_ended:
            process.kill()
            process.join()
        if self.is_over.is_set():
            return Trial(Outcome.SURVIVED)  # no verdict; nobody will read it
        return result(hunt, None if was_ended else process.exitcode)


def _raise_first(done: "set[Future[None]]") -> None:
    for task in done:
        task.result()
