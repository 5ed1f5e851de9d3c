"""The report of a table, whichever kind it is: for the terminal, as Markdown, and its picture."""

from rich.console import Console

from . import plot, report
from .sensitivity import picture
from .sensitivity import report as study_report
from .table import Table


def show(table: Table, console: Console) -> None:
    """Print it."""
    if table.experiment.study is None:
        report.show(table, console)
    else:
        study_report.show(table, console)


def markdown(table: Table, name: str) -> str:
    """The page as Markdown, made from the records in the file of that name."""
    if table.experiment.study is None:
        return report.markdown(table, name)
    return study_report.markdown(table, name)


def svg(table: Table) -> bytes:
    """Its training curves, or a study's heat maps."""
    return plot.svg(table) if table.experiment.study is None else picture.svg(table)


def shown(table: Table) -> str:
    """What the picture shows."""
    return "Training curves" if table.experiment.study is None else "Heat maps"
