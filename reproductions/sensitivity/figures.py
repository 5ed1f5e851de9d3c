"""What a study's records say of a row at a setting: means over its seeds, at one angle or over all."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from ..curves import CURVES
from ..records import RunRecord
from ..study import Study, row_name
from ..table import Table


@dataclass(frozen=True)
class Figure:
    """A number that each run gives.

    Attributes:
        name: What it is called.
        unit: Of its values.
        value: Of a record; None where it is not defined.
    """

    name: str
    unit: str
    value: Callable[[RunRecord], float | None]

    def mean(self, table: Table, row: str, angles: Sequence[int] | None = None) -> float | None:
        """The mean over the seeds and some angles; None where a run is missing or the number is not defined.

        Args:
            table: What was run.
            row: Name of the row.
            angles: Degrees; None for all of the table.
        """
        values: list[float] = []
        for angle in table.experiment.angles if angles is None else angles:
            records = table.column(row, angle)
            if records is None:
                return None
            known = [value for record in records if (value := self.value(record)) is not None]
            if len(known) < len(records):
                return None
            values += known
        return fmean(values)


def _at_the_end(name: str) -> Figure:
    """A training curve's value after the last epoch."""
    curve = next(curve for curve in CURVES if curve.name == name)
    return Figure(name, curve.unit, lambda record: curve.value(record, record.epochs[-1]))


def _in_the_mean(name: str) -> Figure:
    """A training curve's mean over the epochs."""
    curve = next(curve for curve in CURVES if curve.name == name)

    def value(record: RunRecord) -> float | None:
        known = [value for epoch in record.epochs if (value := curve.value(record, epoch)) is not None]
        return fmean(known) if known else None

    return Figure(name, curve.unit, value)


LAST = Figure("last", "%", lambda record: record.last)
BEST = Figure("best", "%", lambda record: record.best)
BEFORE = Figure("before", "%", lambda record: 100 * record.epochs[0].test_correct / int(record.run["test_samples"]))
DEAD = _at_the_end("dead units")
SATURATED = _in_the_mean("saturated errors")
CHANGED = _in_the_mean("changed values")
MOVED = _in_the_mean("update size")


def gain(table: Table, row: str, over: str, figure: Figure, angle: int) -> float | None:
    """How many points a row lies above another at an angle, in the mean over the seeds; None where a run is missing."""
    mine, other = (figure.mean(table, name, [angle]) for name in (row, over))
    return None if mine is None or other is None else mine - other


def usual_point(study: Study) -> dict[str, Any]:
    """The point of the grid that the unchanged rows stand at."""
    setting = study.usual[0].setting.to_json()
    return {name: setting[name] for name in study.grid.points()[0]}


def best_point(table: Table, study: Study, row: str, figure: Figure = LAST) -> Mapping[str, Any] | None:
    """The point of the grid at which a row has the highest figure, over all angles and seeds.

    Args:
        table: What was run.
        study: Whose grid.
        row: Name of an unchanged row.
        figure: What is compared; of equals, the first point of the grid is taken.

    Returns:
        The point; None where a run of the row is missing.
    """
    means = [figure.mean(table, row_name(row, point)) for point in study.grid.points()]
    known = [mean for mean in means if mean is not None]
    return None if len(known) < len(means) else study.grid.points()[means.index(max(known))]
