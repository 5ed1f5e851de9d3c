"""A study's report: on the terminal the recommended setting and the best of each method, as Markdown all of it."""

from collections.abc import Iterable

from rich.console import Console

from ..page.sections import Grid, HeatMap, Part, Prose
from ..page.tables import as_grid, markdown_lines, markdown_text, text_of
from ..report import origin, terminal_table
from ..table import Table
from .recommend import study_of
from .sections import best, recommendation, sensitivity_sections


def show(table: Table, console: Console) -> None:
    """Print what is recommended, and the best of each method."""
    study = study_of(table)
    for part in recommendation(table, study):
        if isinstance(part, Prose):
            console.print(part.text, markup=False, highlight=False)
    grid = best(table, study)
    rows = [[text_of(cell) for cell in row] for row in grid.rows]
    console.print(terminal_table(grid.title, grid.full_columns, rows))


def markdown(table: Table, name: str) -> str:
    """The whole page as Markdown, but for the runs.

    Args:
        table: What was run.
        name: The name of the file with its records.
    """
    lines = [f"# {table.experiment.title}", ""]
    for section in sensitivity_sections(table, name)[:-1]:
        lines += [f"## {section.title}", "", *_lines(section.parts)]
    return "\n".join([*lines, origin(table, name), ""])


def _lines(parts: Iterable[Part]) -> Iterable[str]:
    for part in parts:
        if isinstance(part, Prose):
            yield from (markdown_text(part.text), "")
        elif isinstance(part, Grid | HeatMap):
            grid = part if isinstance(part, Grid) else as_grid(part)
            yield from (f"**{grid.title}**", "", *markdown_lines(grid), "", *(f"{note}\n" for note in grid.notes))
