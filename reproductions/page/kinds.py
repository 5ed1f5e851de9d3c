"""Which sections a table gives: its name decides."""

from collections.abc import Callable, Mapping

from ..sensitivity.sections import sensitivity_sections
from ..table import Table
from .accuracy import accuracy_sections
from .sections import Section

# By the name of the experiment; whichever is not here is a table of accuracies. A function takes what was run, and the
# file that it was read from, as a command names it.
OF_RUNS: Mapping[str, Callable[[Table, str], list[Section]]] = {"sensitivity": sensitivity_sections}


def sections_of(table: Table, name: str) -> list[Section]:
    """The sections of a table of runs.

    Args:
        table: What was run.
        name: Its file, as a command names it.
    """
    return OF_RUNS.get(table.experiment.table, accuracy_sections)(table, name)
