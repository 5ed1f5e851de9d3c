"""What a campaign says while it runs: a bar on a terminal, a line for each mutant elsewhere."""

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from .records import Record, Verdict

COLUMNS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


class Teller:
    """Tells of mutants as they are tried; survivors are named on a terminal too.

    Args:
        console: Where to.
        count: Of the mutants.
    """

    def __init__(self, console: Console, count: int) -> None:
        self._console, self._count, self._done = console, count, 0
        self._bar = Progress(*COLUMNS, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task("mutants", total=count)

    def __enter__(self) -> "Teller":
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()

    def say(self, line: str) -> None:
        """A line of its own."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def tell(self, record: Record) -> None:
        """One mutant more."""
        self._done += 1
        self._bar.update(self._task, completed=self._done)
        if not self._console.is_terminal or record.verdict is Verdict.SURVIVED:
            by = f" by {record.test} after {record.seconds:.1f} s" if record.test else ""
            size = record.size
            small = f", shrunk to {size.weights} weights and {size.nonzero} numbers not 0" if size else ""
            self.say(f"[{self._done}/{self._count}] {record.id}: {record.verdict}{by}{small}")
