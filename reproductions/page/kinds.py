"""Which sections a table gives: those of a study, or of accuracies."""

from ..sensitivity.sections import sensitivity_sections
from ..table import Table
from .accuracy import accuracy_sections
from .sections import Section


def sections_of(table: Table, name: str) -> list[Section]:
    """The sections of a table of runs.

    Args:
        table: What was run.
        name: Its file, as a command names it.
    """
    sections = accuracy_sections if table.experiment.study is None else sensitivity_sections
    return sections(table, name)
