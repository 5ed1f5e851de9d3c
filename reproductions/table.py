"""A table as it was run: the experiment and a record for each cell and seed, as a file that is a hash chain."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field

from priot_hil.harness.schema import Count, Location, Text, checked, expect_format, shown
from priot_hil.reference.errors import InputError

from .chain import DO, Entry, read_chain, write_chain
from .experiment import Experiment, parse_experiment
from .plan import plan
from .records import RunRecord, record_from_json

FORMAT = "priot-table/2"
# Told apart from what was run: the code and the checkpoint; and the engines, of which the first alone is the table's.
TOLD_APART = ("code_sha256", "checkpoint_sha256", "devices")


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


@dataclass(frozen=True)
class Head:
    """The form of a file's first line.

    Attributes:
        format: See `FORMAT`.
        table: Name of the table.
        is_quick: Whether it is the short form.
        device: The engine that all runs went through.
        records: How many there are.
        experiment: The text of the experiment's files by name.
    """

    format: str
    table: Annotated[str, Field(pattern="^[A-Za-z0-9_-]+$")]
    is_quick: bool
    device: Text
    records: Count
    experiment: dict[Text, str]


def read_table(path: Path) -> Table:
    """Read a table back from its file alone; the experiment is the one that its head holds.

    Raises:
        InputError: It is no whole, unbroken chain of a table's records, or one is not as its experiment says.
    """
    table = table_from_entries(read_chain(path), path)
    if found := check(table):
        raise _place(path).refusal(expected="records of its own experiment", got=found[0])
    return table


def table_from_entries(entries: list[Entry], path: Path) -> Table:
    """The table that a file's entries are, whether they hang together and are as the experiment says, or not.

    Raises:
        InputError: They are no table's, or a record is not legal.
    """
    place = _place(path)
    first, (head_entry, *rest) = place.line(1), entries
    expect_format(head_entry.body, FORMAT, first)
    head = checked(Head, head_entry.body, first)
    if head_entry.beside:
        raise first.refusal("beside", expected="nothing", got=shown(head_entry.beside))
    try:
        experiment = parse_experiment(head.table, head.experiment)
    except InputError as error:
        raise InputError(f"{first.name}: experiment: {error}") from error
    if len(rest) != head.records:
        raise first.refusal("records", expected=f"{len(rest)}, as many as follow", got=head.records)
    records: dict[Cell, RunRecord] = {}
    for number, entry in enumerate(rest, start=2):
        record = record_from_json(entry.body, entry.beside, place.line(number))
        if (at := cell_of(record)) in records:
            raise place.line(number).refusal(expected="one record of each run", got=f"a second one of {at}")
        records[at] = record
    return Table(experiment.shortened() if head.is_quick else experiment, head.device, records)


def check(table: Table) -> list[str]:
    """What in the records is not as the table's own experiment says, a sentence each; nothing is recomputed."""
    experiment = table.experiment
    runs = plan(experiment, table.device, None, dict.fromkeys(experiment.pretrainings, ""), "")
    planned = {Cell(run.row.name, run.angle, run.seed): run for run in runs}
    found = []
    for at, record in table.records.items():
        run = planned.get(at)
        if run is None:
            found.append(f"{at}: the experiment has no such run")
            continue
        for name, value in run.description().items():
            if name not in TOLD_APART and record.run.get(name) != value:
                found.append(f"{at}: {name} is {record.run.get(name)} in the record, {value} in the experiment")
        if (engine := record.run["devices"][0]) != run.devices[0]:
            found.append(f"{at}: performed on {engine}, the table on {run.devices[0]}")
        if record.trained != run.epochs:
            found.append(f"{at}: {record.trained} epochs in the record, {run.epochs} in the experiment")
    return found


def _place(path: Path) -> Location:
    return Location(f"{path}", f"a table ({FORMAT})", DO)


def cell_of(record: RunRecord) -> Cell:
    """The cell that a record belongs to."""
    return Cell(record.run["row"], record.run["angle"], record.run["seed"])
