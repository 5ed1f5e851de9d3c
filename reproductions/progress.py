"""Progress while runs are performed: epochs and an estimate of what is left, and on no terminal each run's accuracy."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console

from priot_hil.harness.progress import Part, Work, shown
from priot_hil.harness.progress_display import is_for_bars

from .plan import NEAREST_UPDATES, Run
from .records import RunRecord
from .recovery import Loss, LostWorker

# What an epoch of the small network takes on an engine beside the C engine of this machine, before any is measured.
COSTS = {"host": 1.0, "torch": 1.0, "reference": 10.0, NEAREST_UPDATES: 10.0, "emulator": 25.0}
OTHER_COST = 150.0  # a board on a port
UNTRAINED = 0.3  # evaluating the untrained model takes so much of an epoch


@dataclass(frozen=True)
class Reporter:
    """Who is told what.

    Attributes:
        begun: Told of a run that a worker has taken.
        epochs: Told of a run of which so many epochs more are kept.
        run: Told of a finished run.
        lost: Told of a device or a worker that was lost in mid-run.
    """

    begun: Callable[[Run], None]
    epochs: Callable[[Run, int], None]
    run: Callable[[Run, RunRecord], None]
    lost: Callable[[Loss | LostWorker], None]


@contextmanager
def reporting(console: Console, runs: Sequence[Run], left: Mapping[Run, int]) -> Iterator[Reporter]:
    """Report progress while the block runs.

    Args:
        console: Where losses are told.
        runs: All runs, those that were performed before included.
        left: Epochs to perform of those that were not, the untrained model's evaluation included.

    Yields:
        The reporter.
    """
    finished = 0

    def line(run: Run, record: RunRecord) -> None:
        nonlocal finished
        finished += 1
        if not is_for_bars(sys.stderr):
            accuracies = f"best {record.best:.1f} %, last {record.last:.1f} %"
            print(f"[{finished}/{len(left)} runs] {run}: {accuracies}", file=sys.stderr, flush=True)

    def lost(loss: Loss | LostWorker) -> None:
        console.print(str(loss), markup=False, highlight=False, soft_wrap=True)

    with shown(work_of(runs, left)) as work:
        yield Reporter(work.begin, lambda run, epochs: work.advance(epochs, run), line, lost)


def work_of(runs: Sequence[Run], left: Mapping[Run, int]) -> Work:
    """The epochs of some runs; see `reporting`."""
    parts: dict[Run, Part] = {}
    for run in runs:
        epochs, cost = run.epochs + 1, sum(COSTS.get(name, OTHER_COST) for name in run.devices)
        kind = (run.method.kind, run.devices)
        parts[run] = Part(epochs, kept=epochs - left.get(run, 0), kind=kind, weight=cost, first=UNTRAINED)
    return Work(f"epochs of {runs[0].table}", parts)
