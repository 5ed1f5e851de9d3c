"""What a campaign says while it runs: how far it is, survivors, and where no bar is shown each mutant."""

import sys

from rich.console import Console

from priot_hil.harness.progress import Work
from priot_hil.harness.progress_display import is_for_bars

from .records import Record, Verdict


class Teller:
    """Tells of mutants as they are tried.

    Args:
        console: Where to.
        work: The mutants, all of them.
    """

    def __init__(self, console: Console, work: Work) -> None:
        self._console, self._work = console, work

    def say(self, line: str) -> None:
        """A line of its own."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def begin(self) -> None:
        """The first mutant is begun with."""
        self._work.begin()

    def tell(self, record: Record) -> None:
        """One mutant more."""
        self._work.advance()
        if not is_for_bars(sys.stderr) or record.verdict is Verdict.SURVIVED:
            by = f" by {record.test} after {record.seconds:.1f} s" if record.test else ""
            size = record.size
            small = f", shrunk to {size.weights} weights and {size.nonzero} numbers not 0" if size else ""
            self.say(f"{record.id}: {record.verdict}{by}{small}")
