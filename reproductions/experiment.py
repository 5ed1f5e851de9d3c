"""Experiments: what a table runs, read from `experiments/*.toml` and checked before anything starts."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from priot_hil.reference.checks import check_range
from priot_hil.reference.errors import InputError
from priot_hil.reference.kinds import LossRounding, MethodKind, Selection
from priot_hil.reference.run import Method

from .networks import network

FORMAT = "priot-experiment/1"
FOLDER = Path(__file__).resolve().parent / "experiments"
DO = "correct the experiment file"
KIND_NAMES = {str: "text", int: "a whole number", bool: "true or false", list: "a list", dict: "a table"}

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


@dataclass(frozen=True)
class Row:
    """A row of the table: one method with its parameters.

    Attributes:
        name: What the table calls it.
        kind: The method.
        trains: False for the model as it is before transfer.
        theta: The pruning threshold, None for NITI.
        percent: Share of each layer's edges that PRIOT-S scores, else None.
        selection: How PRIOT-S chooses them, else None.
    """

    name: str
    kind: MethodKind
    trains: bool = True
    theta: int | None = None
    percent: int | None = None
    selection: Selection | None = None


@dataclass(frozen=True)
class Experiment:
    """Everything that decides a table; see the comments in the experiment file.

    Attributes:
        table: Name of the table, which is the file's.
        title: What the table shows.
        note: A word on how the setting was chosen.
        network: Name of the network.
        pretraining: Which of its checkpoints.
        loss_rounding: Of all rows.
        mu: Of all rows.
        train_samples: Training images a run.
        test_samples: Test images a run.
        angles: Degrees, the columns.
        seeds: One run each.
        epochs: Passes over the training images.
        baseline: Name of the row that gains are measured from.
        rows: The rows in order.
        quick: Whether this is the short form.
    """

    table: str
    title: str
    note: str
    network: str
    pretraining: str
    loss_rounding: LossRounding
    mu: int
    train_samples: int
    test_samples: int
    angles: tuple[int, ...]
    seeds: tuple[int, ...]
    epochs: int
    baseline: str
    rows: tuple[Row, ...]
    quick_seeds: tuple[int, ...]
    quick_epochs: int
    quick: bool = False

    def shortened(self) -> "Experiment":
        """The `--quick` form: fewer seeds and epochs, all else the same."""
        return replace(self, seeds=self.quick_seeds, epochs=self.quick_epochs, quick=True)

    def method(self, row: Row) -> Method:
        """The method of a row at this experiment's setting."""
        return Method(row.kind, self.mu, row.theta, self.loss_rounding)

    def epochs_of(self, row: Row) -> int:
        """How many epochs a row trains; 0 before transfer."""
        return self.epochs if row.trains else 0


def tables(folder: Path = FOLDER) -> list[str]:
    """The names of the tables there are."""
    return sorted(path.stem for path in folder.glob("*.toml"))


def read_experiment(table: str, folder: Path = FOLDER) -> Experiment:
    """Read and check the experiment of a table.

    Args:
        table: Its name.
        folder: Where the experiment files are.

    Returns:
        The experiment in its full form.

    Raises:
        InputError: There is no such table, or its file is not legal.
    """
    if table not in tables(folder):
        do = "name one of them"
        raise InputError.about("table", expected=f"one of {', '.join(tables(folder))}", got=repr(table), do=do)
    path = folder / f"{table}.toml"
    try:
        return _experiment(table, tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError, InputError) as error:
        raise InputError(f"experiment {path}: {error}") from error


def _experiment(table: str, content: dict[str, Any]) -> Experiment:
    fields = Fields("the file", content)
    fields.expect_format(FORMAT)
    quick = Fields("quick", fields.take("quick", dict))
    baseline = Fields("baseline", fields.take("baseline", dict))
    experiment = Experiment(
        table=table,
        title=fields.take("title", str),
        note=fields.take("note", str).strip(),
        network=fields.take("network", str),
        pretraining=fields.take("pretraining", str),
        loss_rounding=fields.choice("loss_rounding", LossRounding),
        mu=fields.number("mu", 0, 7),
        train_samples=fields.number("train_samples", 1, 60000),
        test_samples=fields.number("test_samples", 1, 10000),
        angles=fields.numbers("angles", -360, 360),
        seeds=fields.numbers("seeds", 0, 2**32 - 1),
        epochs=fields.number("epochs", 1, 1000),
        baseline=baseline.take("row", str),
        rows=tuple(_row(row) for row in fields.take("rows", list)),
        quick_seeds=quick.numbers("seeds", 0, 2**32 - 1),
        quick_epochs=quick.number("epochs", 1, 1000),
    )
    for part in (fields, quick, baseline):
        part.check_nothing_left()
    network(experiment.network)
    names = [row.name for row in experiment.rows]
    if len(set(names)) != len(names) or not names:
        raise InputError.about("rows", expected="one or more with names of their own", got=names, do=DO)
    if experiment.baseline not in names:
        raise InputError.about("baseline row", expected=f"one of {names}", got=repr(experiment.baseline), do=DO)
    return experiment


def _row(content: Any) -> Row:
    if not isinstance(content, dict):
        raise InputError.about("rows", expected="tables", got=repr(content), do=DO)
    fields = Fields(f"row {content.get('name', '?')!r}", content)
    name, kind = fields.take("name", str), fields.choice("method", MethodKind)
    theta = fields.number("theta", -127, 127) if kind.learns_scores else None
    is_priot_s = kind is MethodKind.PRIOT_S
    percent = fields.number("percent", 0, 100) if is_priot_s else None
    selection = fields.choice("selection", Selection) if is_priot_s else None
    trains = fields.take("trains", bool) if "trains" in content else True
    fields.check_nothing_left()
    return Row(name, kind, trains, theta, percent, selection)


class Fields:
    """A table of the file, whose keys are taken one by one so that what is left over is unknown."""

    def __init__(self, name: str, content: Mapping[str, Any]) -> None:
        self._name = name
        self._left = dict(content)

    def expect_format(self, wanted: str) -> None:
        """Take `format`, and refuse another than `wanted`."""
        if (found := self.take("format", str)) != wanted:
            raise InputError.about("format", expected=wanted, got=repr(found), do=DO)

    def take(self, key: str, kind: type[T]) -> T:
        """Take a value of a type."""
        got = repr(self._left[key]) if key in self._left else "nothing"
        value = self._left.pop(key, None)
        if type(value) is not kind:
            raise InputError.about(f"{self._name}: {key}", expected=KIND_NAMES[kind], got=got, do=DO)
        return value

    def number(self, key: str, low: int, high: int) -> int:
        """Take a whole number in low..high."""
        value = self.take(key, int)
        check_range(f"{self._name}: {key}", value, low, high)
        return value

    def numbers(self, key: str, low: int, high: int) -> tuple[int, ...]:
        """Take one or more different numbers in low..high."""
        values = self.take(key, list)
        for value in values:
            check_range(f"{self._name}: {key}", value, low, high)
        if len(set(values)) != len(values) or not values:
            raise InputError.about(f"{self._name}: {key}", expected="different numbers", got=values, do=DO)
        return tuple(values)

    def choice(self, key: str, kind: type[E]) -> E:
        """Take a member of an enumeration by its name."""
        value = self.take(key, str)
        if value not in list(kind):
            raise InputError.about(f"{self._name}: {key}", expected=f"one of {list(map(str, kind))}", got=value, do=DO)
        return kind(value)

    def check_nothing_left(self) -> None:
        """Refuse keys that nobody took."""
        if self._left:
            got = ", ".join(self._left)
            raise InputError.about(f"{self._name}: keys", expected="only known ones", got=got, do=DO)
