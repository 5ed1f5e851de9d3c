"""What a table of accuracies has to say."""

from .. import report
from ..table import Table
from .curves import curve_pictures
from .runs import key_of, runs_section
from .sections import CellText, Grid, Linked, Part, Prose, Section


def accuracy_sections(table: Table, name: str) -> list[Section]:
    """The sections of a table of accuracies.

    Args:
        table: What was run.
        name: Its file, as a command names it.
    """
    told = [*report.missing(table), *report.legend(table)]
    sections = [Section("accuracy", "Accuracy", (accuracies(table), *map(Prose, told)))]
    if table.experiment.claims:
        sections.append(Section("claims", "Claims", claims(table)))
    sections.append(Section("curves", "Training curves", curve_pictures(table)))
    return [*sections, runs_section(table, name)]


def accuracies(table: Table) -> Grid:
    """The accuracies; each leads to its runs."""
    angles = table.experiment.angles
    board = (report.BOARD,) if report.has_board(table.experiment) else ()
    rows: list[tuple[CellText, ...]] = []
    for told, row in zip(report.body(table), table.experiment.rows, strict=True):
        keys = [key_of(table, row.name, angle) for angle in angles for _ in report.MEASURES]
        cells = (Linked(text, key) for text, key in zip(told[1:], keys, strict=False))
        rows.append((told[0], *cells, *told[1 + len(keys) :]))
    return Grid(
        key="table",
        title="Accuracy in percent, gain in points",
        columns=("", *report.MEASURES * len(angles), *board),
        rows=tuple(rows),
        align=report.aligns(table.experiment),
        groups=(("", 1), *((f"{angle}°", len(report.MEASURES)) for angle in angles), *[("", 1)] * len(board)),
    )


def claims(table: Table) -> tuple[Part, ...]:
    """The claims with their verdicts, where they stand and how they are judged."""
    rows = tuple(map(tuple, report.claims(table)))
    grid = Grid("claims", "Published claims, and what this table says about them", report.CLAIM_COLUMNS, rows, "pprll")
    return (grid, *map(Prose, (*report.sources(table.experiment), *report.rule(table))))
