"""A table as it was run: the experiment and a record for each cell and seed, as a file that is a hash chain."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from priot_hil.reference.errors import InputError

from .chain import DO, Entry, read_chain, write_chain
from .experiment import Experiment, parse_experiment
from .records import RunRecord, record_from_json

FORMAT = "priot-table/2"


class Cell(NamedTuple):
    """What one run is in a table."""

    row: str
    angle: int
    seed: int

    def __str__(self) -> str:
        return f"{self.row}, {self.angle} degrees, seed {self.seed}"


@dataclass(frozen=True)
class Table:
    """An experiment and what was run of it.

    Attributes:
        experiment: What the table shows.
        device: The engine that all runs went through.
        records: What was run.
    """

    experiment: Experiment
    device: str
    records: Mapping[Cell, RunRecord]

    @property
    def cells(self) -> list[Cell]:
        """All cells in canonical order: by seed, angle and row, as they are planned."""
        experiment = self.experiment
        return [
            Cell(row.name, angle, seed)
            for seed in experiment.seeds
            for angle in experiment.angles
            for row in experiment.rows
        ]

    def column(self, row: str, angle: int) -> list[RunRecord] | None:
        """The records of a row at an angle in the order of the seeds; None if one is missing."""
        wanted = [Cell(row, angle, seed) for seed in self.experiment.seeds]
        return [self.records[cell] for cell in wanted] if all(cell in self.records for cell in wanted) else None

    def entries(self) -> list[Entry]:
        """The file's entries: a head that says what the table is, then the records there are."""
        experiment = self.experiment
        run = [self.records[cell] for cell in self.cells if cell in self.records]
        head = {
            "format": FORMAT,
            "table": experiment.table,
            "is_quick": experiment.quick,
            "device": self.device,
            "records": len(run),
            "experiment": dict(experiment.sources),
        }
        return [Entry(head), *(Entry(record.to_json(), record.beside) for record in run)]

    def write(self, path: Path) -> str:
        """Write the file.

        Returns:
            The hash of its last line.

        Raises:
            InputError: The folder cannot be written.
        """
        return write_chain(path, self.entries())


def read_table(path: Path) -> Table:
    """Read a table back from its file alone; the experiment is the one that its head holds.

    Raises:
        InputError: It is no whole, unbroken chain of a table's records.
    """
    return table_from_entries(read_chain(path), path)


def table_from_entries(entries: list[Entry], path: Path) -> Table:
    """The table that a file's entries are; see `read_table`."""
    head, *rest = (entry.body for entry in entries)
    try:
        if (found := head["format"]) != FORMAT:
            raise ValueError(f"format is {found!r}")
        experiment = parse_experiment(head["table"], head["experiment"])
        experiment = experiment.shortened() if head["is_quick"] else experiment
        records = [record_from_json(body, entry.beside) for body, entry in zip(rest, entries[1:], strict=True)]
        if len(records) != head["records"]:
            raise ValueError(f"{len(records)} records where the head says {head['records']}")
        by_cell = {cell_of(record): record for record in records}
        if len(by_cell) != len(records):
            raise ValueError("two records of one cell")
        return Table(experiment, head["device"], by_cell)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        got = f"{type(error).__name__} {error}"
        raise InputError.about(f"{path}", expected=f"a table ({FORMAT})", got=got, do=DO) from error


def cell_of(record: RunRecord) -> Cell:
    """The cell that a record belongs to."""
    return Cell(record.run["row"], record.run["angle"], record.run["seed"])
