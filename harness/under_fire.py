"""What must hold on any line: a result that is exact, or a lost link that says why, and no step twice or lost."""

import functools
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from hypothesis import strategies as st

from priot_hil.reference.engine import Step
from priot_hil.reference.errors import InputError
from priot_hil.reference.network import Conv2d, Flatten, Linear, Network, Relu
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reference.run import MethodKind

from .device import LinkDevice
from .engines import DeviceEngine
from .errors import DeviceFault, EmulationStuck, KernelStatus, LinkLost, LostReason
from .example import example_run
from .link import MARGIN, TRIES, Link
from .protocol import StatusCode
from .strategies import Run
from .strategies.faults import plans
from .transcript import Transcript
from .transports import Transport
from .transports.faulty import Fault, FaultyLine, parse_fault

NETWORK = Network((1, 6, 6), (Conv2d(1, 3, 3, 1, 1), Relu(), Flatten(), Linear(108, 10)))  # its weights take two frames
STEPS = 3
CALM_SESSIONS = (0, 1)  # of the opening, before the faults


class WrongResult(AssertionError):
    """A device or a host that does not keep what the link promises."""


@dataclass(frozen=True)
class Case:
    """A run of one method, and what happens to it on its way."""

    kind: MethodKind
    plan: tuple[Fault, ...]

    def __str__(self) -> str:
        return " ".join([self.kind.value, *map(str, self.plan)])


def parse_case(text: str) -> Case:
    """Reads what a case is printed as.

    Raises:
        InputError: It is none.
    """
    kind, *faults = text.split() or [""]
    if kind not in list(MethodKind):
        expected = f"a method ({', '.join(MethodKind)}) and faults behind it"
        raise InputError.about("case", expected=expected, got=repr(text), do="take the line as it was printed")
    return Case(MethodKind(kind), tuple(map(parse_fault, faults)))


def cases(most: int) -> st.SearchStrategy[Case]:
    """Any method, and up to `most` faults."""
    return st.builds(Case, st.sampled_from(list(MethodKind)), plans(most))


@dataclass(frozen=True)
class Outcome:
    """How a case ended: exactly, or with a lost link.

    Attributes:
        lost: Why the link was lost; None where all went to the end.
        retries: Requests that went out again because a deadline had passed.
        resends: Requests that did because something had arrived damaged.
        met: Faults that came about, by kind and direction.
    """

    lost: LostReason | None
    retries: int
    resends: int
    met: Counter[str]


class Untold(Transcript):
    """Writes no file: links are lost by the hundred here, and the plan says more."""

    def name_in(self, error: BaseException) -> None:
        """Nothing."""


class DeviceUnderFire:
    """A device at the end of a bad line.

    Args:
        transport: To the device; see `FaultyLine` for what it must do. Owned and closed.
        images: As `LinkDevice` takes them.
    """

    def __init__(self, transport: Transport, images: Mapping[bytes, Path]) -> None:
        self.line = FaultyLine(transport)
        self._images = images

    def close(self) -> None:
        """Gives the device up."""
        self.line.close()

    def endure(self, case: Case) -> Outcome:
        """Trains a run while the line fails as planned, and holds all that is left against the reference.

        Raises:
            WrongResult: A promise is broken.
        """
        try:
            return self._endure(case)
        except (KernelStatus, DeviceFault, EmulationStuck) as error:
            raise WrongResult(f"{type(error).__name__}: {error}") from error

    def _endure(self, case: Case) -> Outcome:
        run, steps, crcs = _expected(case.kind)
        self.line.plan()
        # The same numbers in each case, so that its frames are the same bytes. Two other sessions come first, because
        # the device takes nothing for new that is of its last two.
        rest = random.Random(0)
        draw = chain(CALM_SESSIONS, iter(lambda: rest.randrange(2, 1 << 32), None))
        link = Link(self.line, draw=lambda _: next(draw))
        link.transcript = Untold(link.name)
        link.hello()
        device = LinkDevice(link, self._images)
        engine = DeviceEngine(device)
        device.forget_session()
        self.line.plan(case.plan)
        lost: LinkLost | None = None
        allowed: Sequence[int] | None = None
        done = 0
        try:
            engine.load(run.model, run.method, run.state)
            allowed = crcs[0:1]
            for expected, image, label in zip(steps, run.images, run.labels, strict=False):
                allowed = crcs[done : done + 2]
                _expect_step(engine.train_step(image, int(label)), expected, done)
                done += 1
            allowed = crcs[STEPS:]
            _expect_state(engine, allowed)
        except LinkLost as error:
            lost = error
        outcome = Outcome(lost.reason if lost else None, link.retries, link.resends, self.line.met())
        if lost is not None and len(case.plan) < TRIES:
            raise WrongResult(f"{len(case.plan)} faults are fewer than the link's tries, and yet: {lost}")
        self.line.deliver(time.monotonic() + MARGIN)
        device.forget_session()
        try:
            if allowed is not None:
                self._expect_kept(engine, allowed)
            if lost is not None:
                engine.load(run.model, run.method, run.state)
                _expect_step(engine.train_step(run.images[0], int(run.labels[0])), steps[0], 0)
                _expect_state(engine, crcs[1:2])
        except LinkLost as error:
            raise WrongResult(f"the line is well again, and yet: {error}") from error
        if self.line.silences:
            raise WrongResult(f"the device did not give {self.line.silences} answers that it owed")
        return outcome

    def _expect_kept(self, engine: DeviceEngine, allowed: Sequence[int]) -> None:
        """No step is lost or has come twice, also after all that was late; only a reset may have taken the run away."""
        try:
            _expect_state(engine, allowed)
        except KernelStatus as error:
            if error.status != StatusCode.NOT_LOADED or not self.line.resets:
                raise


@functools.cache
def _expected(kind: MethodKind) -> tuple[Run, list[Step], list[int]]:
    """A run, what each step reports, and the state's CRC before and after each."""
    run, reference = example_run(kind, NETWORK), ReferenceEngine()
    reference.load(run.model, run.method, run.state)
    steps, crcs = [], [reference.state_crc()]
    for image, label in zip(run.images[:STEPS], run.labels[:STEPS], strict=True):
        steps.append(reference.train_step(image, int(label)))
        crcs.append(reference.state_crc())
    assert len(set(crcs)) == len(crcs), "a step that changes nothing would hide one that is lost"
    return run, steps, crcs


def _expect_step(got: Step, expected: Step, number: int) -> None:
    if (got.prediction, got.shifts, got.crcs) != (expected.prediction, expected.shifts, expected.crcs):
        raise WrongResult(f"step {number}: expected {expected}, got {got}")


def _expect_state(engine: DeviceEngine, allowed: Sequence[int]) -> None:
    crc = engine.state_crc()
    if crc not in allowed:
        raise WrongResult(f"state: expected {' or '.join(f'{one:08x}' for one in allowed)}, got {crc:08x}")
