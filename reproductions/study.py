"""A study: the rows of a table at many settings, all combinations of a few and single changes of others."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import product
from typing import Any

from priot_hil.reference.errors import InputError
from priot_hil.reference.kinds import LossRounding
from priot_hil.reference.ranges import MU

from .fields import DO, Fields
from .row import Row, changed
from .setting import PRETRAININGS, told


@dataclass(frozen=True)
class Grid:
    """Rows at every combination of three choices.

    Attributes:
        rows: Names of the rows.
        pretraining: Checkpoints.
        loss_rounding: How the loss error is rounded.
        mu: Bit widths of an update.
    """

    rows: tuple[str, ...]
    pretraining: tuple[str, ...]
    loss_rounding: tuple[str, ...]
    mu: tuple[int, ...]

    def points(self) -> list[dict[str, Any]]:
        """The combinations, as changes of a row."""
        choices = product(self.pretraining, self.loss_rounding, self.mu)
        return [{"pretraining": way, "loss_rounding": rounding, "mu": mu} for way, rounding, mu in choices]


@dataclass(frozen=True)
class Axis:
    """Rows in which one thing is changed.

    Attributes:
        change: Its name, as a row in an experiment file has it.
        values: What it is changed to.
        rows: Names of the rows.
    """

    change: str
    values: tuple[Any, ...]
    rows: tuple[str, ...]


@dataclass(frozen=True)
class Gain:
    """A difference that the study looks for, in points.

    Attributes:
        row: The row that gains.
        over: The row that it is compared with.
        low: One end of the published range, and
        high: the other.
    """

    row: str
    over: str
    low: float
    high: float


@dataclass(frozen=True)
class Recommendation:
    """How one setting of the grid is chosen.

    Attributes:
        row: The row that it is to be best for.
        written: When the rule was.
        text: The rule.
    """

    row: str
    written: date
    text: str


@dataclass(frozen=True)
class Study:
    """What is varied.

    Attributes:
        usual: The rows as they are unchanged.
        grid: All combinations.
        gain: The difference that is looked for.
        axes: Single changes.
        recommendation: How a setting is chosen.
    """

    usual: tuple[Row, ...]
    grid: Grid
    gain: Gain
    axes: tuple[Axis, ...]
    recommendation: Recommendation

    def rows(self) -> tuple[Row, ...]:
        """All rows: those of the grid point by point, then those of the axes."""
        by_name = {row.name: row for row in self.usual}
        grid = [(name, changes) for changes in self.grid.points() for name in self.grid.rows]
        axes = [(name, {axis.change: value}) for axis in self.axes for value in axis.values for name in axis.rows]
        return tuple(
            replace(changed(by_name[name], changes), name=row_name(name, changes)) for name, changes in grid + axes
        )


def row_name(name: str, changes: Mapping[str, Any]) -> str:
    """What a row is called where something is changed: no comma, which parts a cell's row from its angle."""
    return f"{name}: {' '.join(told(change, value) for change, value in changes.items())}"


def take_study(fields: Fields, rows: Sequence[Row]) -> Study | None:
    """Read what a file says of a study.

    Args:
        fields: The file.
        rows: The table's rows.

    Returns:
        The study; None where it says of none.

    Raises:
        InputError: It is not legal.
    """
    if "grid" not in fields:
        return None
    names = [row.name for row in rows if row.trains]
    grid = Fields("grid", fields.take("grid", dict))
    gain = Fields("gain", fields.take("gain", dict))
    recommendation = Fields("recommendation", fields.take("recommendation", dict))
    axes = [Fields("axes", _table(content)) for content in fields.take("axes", list)]
    study = Study(
        usual=tuple(rows),
        grid=Grid(
            rows=grid.texts("rows", names),
            pretraining=grid.texts("pretraining", PRETRAININGS),
            loss_rounding=grid.texts("loss_rounding", list(LossRounding)),
            mu=grid.numbers("mu", MU.low, MU.high),
        ),
        gain=Gain(gain.text("row", names), gain.text("over", names), gain.real("low"), gain.real("high")),
        axes=tuple(_axis(axis, names) for axis in axes),
        recommendation=Recommendation(
            row=recommendation.text("row", names),
            written=recommendation.take("written", date),
            text=recommendation.take("text", str).strip(),
        ),
    )
    for part in (grid, gain, recommendation, *axes):
        part.check_nothing_left()
    return study


def _axis(fields: Fields, names: Iterable[str]) -> Axis:
    return Axis(fields.take("change", str), tuple(fields.take("values", list)), fields.texts("rows", list(names)))


def _table(content: Any) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise InputError.about("axes", expected="tables", got=repr(content), do=DO)
    return content
