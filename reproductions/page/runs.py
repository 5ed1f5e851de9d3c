"""Where each figure comes from: the runs of a cell, with their hashes and the command that verifies them."""

import shlex

from ..chain import linked
from ..table import Table, cell_of
from .sections import Command, Fold, Grid, Part, Prose, Section


def runs_section(table: Table, name: str) -> Section:
    """Every run of a table, by row and angle; the parts have the keys that `key_of` gives.

    Args:
        table: What was run.
        name: Its file, as a command names it.
    """
    experiment = table.experiment
    folds = [runs_fold(table, name, row.name, angle) for row in experiment.rows for angle in experiment.angles]
    return Section("runs", "The runs", tuple(folds))


def key_of(table: Table, row: str, angle: int) -> str:
    """The key of the runs of a row at an angle."""
    names = [each.name for each in table.experiment.rows]
    return f"runs-{names.index(row) + 1}-at-{angle}"


def runs_fold(table: Table, name: str, row: str, angle: int) -> Fold:
    """The runs of a row at an angle, those that there are, and the command that verifies them."""
    records = [record for cell, record in sorted(table.records.items()) if cell[:2] == (row, angle)]
    title = f"{row}, {angle}°: {len(records)} of {len(table.experiment.seeds)} runs"
    if not records:
        return Fold(key_of(table, row, angle), title, (Prose("Not run."),))
    hashes = {line.entry.body["key"]: line.sha256 for line in linked(table.entries())[1:]}
    rows = [
        (f"{record.run['seed']}", f"{record.best:.1f}", f"{record.last:.1f}", record.key, hashes[record.key])
        for record in records
    ]
    cells = [shlex.quote(",".join(map(str, cell_of(record)))) for record in records]
    command = " \\\n    ".join([f"./run invoke verify --records {name}", *(f"--cell {cell}" for cell in cells)])
    columns = ("seed", "best", "last", "key", "SHA-256 of the record")
    key = key_of(table, row, angle)
    parts: list[Part] = [Grid(f"{key}-runs", title, columns, tuple(rows), "lrrll", is_exported=False), Command(command)]
    return Fold(key, title, tuple(parts))
