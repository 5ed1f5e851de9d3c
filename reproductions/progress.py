"""Progress while runs are performed: a bar on a terminal, a line for each finished run elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from .plan import Run
from .records import RunRecord
from .recovery import Loss, LostWorker


@dataclass(frozen=True)
class Reporter:
    """Who is told what.

    Attributes:
        epochs: Told how many epochs were performed so far.
        run: Told of a finished run.
        lost: Told of a device or a worker that was lost in mid-run.
    """

    epochs: Callable[[int], None]
    run: Callable[[Run, RunRecord], None]
    lost: Callable[[Loss | LostWorker], None]


@contextmanager
def reporting(console: Console, runs: int, epochs: int) -> Iterator[Reporter]:
    """Report progress while the block runs.

    Args:
        console: Where to.
        runs: Runs to perform.
        epochs: Epochs to perform in all of them.

    Yields:
        The reporter.
    """

    def lost(loss: Loss | LostWorker) -> None:
        console.print(str(loss), markup=False, highlight=False, soft_wrap=True)

    if console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task("epochs", total=epochs)
            yield Reporter(lambda done: bar.update(task, completed=done), lambda run, record: None, lost)
        return
    finished = 0

    def line(run: Run, record: RunRecord) -> None:
        nonlocal finished
        finished += 1
        accuracies = f"best {record.best:.1f} %, last {record.last:.1f} %"
        console.print(f"[{finished}/{runs}] {run}: {accuracies}", markup=False, highlight=False, soft_wrap=True)

    yield Reporter(lambda done: None, line, lost)
