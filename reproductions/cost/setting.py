"""What the table of costs measures, read from `experiments/cost.toml`."""

from dataclasses import dataclass
from pathlib import Path

from priot_hil.harness.schema import Location, read_toml
from priot_hil.reference.errors import InputError
from priot_hil.reference.ranges import SEED

from ..experiment import FOLDER, Experiment, read_experiment
from ..fields import DO, Fields
from ..row import Row

TABLE = "cost"
FORMAT = "priot-cost/1"


@dataclass(frozen=True)
class Amount:
    """How much is measured.

    Attributes:
        epochs: Those that are measured, counted from 1, ascending.
        steps: Training steps of each, from its first on; and the test images predicted behind them.
        scale_steps: Steps of each, spread over it, taken with dynamic scales and again with the same scales given.
    """

    epochs: tuple[int, ...]
    steps: int
    scale_steps: int


@dataclass(frozen=True)
class CostSetting:
    """What is measured.

    Attributes:
        title: What the table shows.
        experiment: Whose network, data, rows, mu and rounding are taken.
        seed: Of the run.
        angle: Degrees.
        full: How much is measured.
        quick: The same for `--quick`.
    """

    title: str
    experiment: Experiment
    seed: int
    angle: int
    full: Amount
    quick: Amount

    @property
    def rows(self) -> tuple[Row, ...]:
        """The experiment's rows that train."""
        return tuple(row for row in self.experiment.rows if row.trains)


def read_setting(path: Path = FOLDER / f"{TABLE}.toml") -> CostSetting:
    """Read and check the setting.

    Raises:
        InputError: The file, or the experiment that it names, is not legal.
    """
    name = f"experiment {path}"
    content = read_toml(path, Location(name, "a TOML file", DO))
    try:
        return _setting(Fields("the file", content))
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def _setting(fields: Fields) -> CostSetting:
    fields.text("format", [FORMAT])
    experiment = read_experiment(fields.take("setting", str))
    quick = Fields("quick", fields.take("quick", dict))
    setting = CostSetting(
        title=fields.take("title", str),
        experiment=experiment,
        seed=fields.number("seed", SEED.low, SEED.high),
        angle=fields.number("angle", -360, 360),
        full=_amount(fields, experiment),
        quick=_amount(quick, experiment),
    )
    for part in (fields, quick):
        part.check_nothing_left()
    return setting


def _amount(fields: Fields, experiment: Experiment) -> Amount:
    samples = min(experiment.train_samples, experiment.test_samples)
    return Amount(
        epochs=tuple(sorted(fields.numbers("epochs", 1, experiment.epochs))),
        steps=fields.number("steps", 1, samples),
        scale_steps=fields.number("scale_steps", 1, samples),
    )
