"""What a table of accuracies has to say."""

from .. import report
from ..table import Table
from .runs import key_of, runs_section
from .sections import CellText, Grid, Linked, Part, Prose, Section


def accuracy_sections(table: Table, name: str) -> list[Section]:
    """The sections of a table of accuracies.

    Args:
        table: What was run.
        name: Its file, as a command names it.
    """
    sections = [Section("accuracy", table.experiment.title, (accuracies(table), *map(Prose, report.legend(table))))]
    if table.experiment.claims:
        sections.append(Section("claims", "Claims", _claims(table)))
    return [*sections, runs_section(table, name)]


def accuracies(table: Table) -> Grid:
    """The accuracies; each leads to its runs."""
    angles = table.experiment.angles
    rows: list[tuple[CellText, ...]] = []
    for told, row in zip(report.body(table), table.experiment.rows, strict=True):
        head, *cells, board = told
        leading = [Linked(text, key_of(table, row.name, angles[index // 3])) for index, text in enumerate(cells)]
        rows.append((head, *leading, board))
    return Grid(
        key="accuracy",
        title=table.experiment.title,
        columns=tuple(report.header(table.experiment)),
        rows=tuple(rows),
        align="l" + "rrr" * len(angles) + "l",
    )


def _claims(table: Table) -> tuple[Part, ...]:
    grid = Grid("claims", "Claims", report.CLAIM_COLUMNS, tuple(map(tuple, report.claims(table))), "pprll")
    return (grid, *map(Prose, (*report.sources(table.experiment), *report.rule(table))))
