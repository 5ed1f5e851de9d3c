"""Experiments: what a table runs, read from `experiments/*.toml` and checked before anything starts."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from priot_hil.harness.schema import Location, parse_toml, read_bytes
from priot_hil.reference.errors import InputError
from priot_hil.reference.ranges import SEED

from .claims import Claim, Rule, read_claims
from .fields import Fields
from .networks import network
from .row import Row, take_row
from .setting import Setting, take_setting
from .split import Split
from .study import Study, take_study

FORMAT = "priot-experiment/1"
FOLDER = Path(__file__).resolve().parent / "experiments"
DO = "correct the experiment file"


@dataclass(frozen=True)
class Experiment:
    """Everything that decides a table; see the comments in the experiment file.

    Attributes:
        table: Name of the table, which is the file's.
        title: What the table shows.
        note: A word on how the setting was chosen.
        network: Name of the network.
        setting: Of all rows that say nothing else.
        split: Where the images that a run is judged by are drawn from.
        train_samples: Training images a run.
        test_samples: Test images a run.
        angles: Degrees, the columns.
        seeds: One run each.
        epochs: Passes over the training images.
        baseline: Name of the row that gains are measured from.
        rows: The rows in order.
        row_by_row: In a table that takes hours, all rows by name, in the order in which each is performed to its end
            before the next one is begun; empty where all rows come on together.
        quick: Whether this is the short form.
        rule: How claims are judged; None where there are none.
        claims: The published claims that the table is held against.
        study: What is varied, where the table is a study: its rows are made from it.
        sources: The files that say all this, by name; a second one is the table's that the first builds on.
    """

    table: str
    title: str
    note: str
    network: str
    setting: Setting
    split: Split
    train_samples: int
    test_samples: int
    angles: tuple[int, ...]
    seeds: tuple[int, ...]
    epochs: int
    baseline: str
    rows: tuple[Row, ...]
    quick_seeds: tuple[int, ...]
    quick_epochs: int
    quick_angles: tuple[int, ...]
    quick: bool = False
    row_by_row: tuple[str, ...] = ()
    rule: Rule | None = None
    claims: tuple[Claim, ...] = ()
    study: Study | None = None
    sources: tuple[tuple[str, str], ...] = ()

    def shortened(self) -> "Experiment":
        """The `--quick` form: fewer seeds, epochs and perhaps angles, all else the same."""
        return replace(self, seeds=self.quick_seeds, epochs=self.quick_epochs, angles=self.quick_angles, quick=True)

    @property
    def pretrainings(self) -> list[str]:
        """The checkpoints that the rows start from, each once."""
        return list(dict.fromkeys(row.setting.pretraining for row in self.rows))

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
    sources = _sources(table, folder)
    try:
        return parse_experiment(table, sources)
    except InputError as error:
        raise InputError(f"experiment {folder / f'{table}.toml'}: {error}") from error


def _sources(table: str, folder: Path) -> dict[str, str]:
    """The text of a table's file and of the one it builds on, by name."""
    sources: dict[str, str] = {}
    name = f"{table}.toml"
    while name not in sources:
        place = Location(f"experiment {folder / name}", "a TOML file", DO)
        text = read_bytes(folder / name, place)
        base = parse_toml(text, place).get("base", table)
        sources[name], name = text.decode(), f"{base}.toml"
    return sources


def parse_experiment(table: str, sources: Mapping[str, str]) -> Experiment:
    """Read an experiment from the text of its files.

    Args:
        table: Its name.
        sources: The text of the table's own file by its name, and of the file that its `base` names: what the own one
            does not say is taken from there.

    Returns:
        The experiment in its full form.

    Raises:
        InputError: They are not legal.
    """
    content: dict[str, Any] = {}
    left, name = dict(sources), f"{table}.toml"
    while (text := left.pop(name, None)) is not None:
        content = parse_toml(text, Location(name, "TOML", DO)) | content
        name = f"{content.pop('base', '')}.toml"
    if left:
        expected = f"{table}.toml and those that it builds on"
        raise InputError.about("files", expected=expected, got=", ".join(map(repr, sources)), do=DO)
    return replace(_experiment(table, content), sources=tuple(sources.items()))


def _experiment(table: str, content: dict[str, Any]) -> Experiment:
    fields = Fields("the file", content, DO)
    if (found := fields.take("format", str)) != FORMAT:
        raise InputError.about("format", expected=FORMAT, got=repr(found), do=DO)
    quick = Fields("quick", fields.take("quick", dict), DO)
    baseline = Fields("baseline", fields.take("baseline", dict), DO)
    setting = take_setting(fields)
    rows = tuple(take_row(row, setting) for row in fields.take("rows", list))
    names = [row.name for row in rows]
    angles = fields.numbers("angles", -360, 360)
    experiment = Experiment(
        table=table,
        title=fields.take("title", str),
        note=fields.take("note", str).strip(),
        network=fields.take("network", str),
        setting=setting,
        split=fields.choice("split", Split) if "split" in fields else Split.TEST,
        train_samples=fields.number("train_samples", 1, 60000),
        test_samples=fields.number("test_samples", 1, 10000),
        angles=angles,
        seeds=fields.numbers("seeds", SEED.low, SEED.high),
        epochs=fields.number("epochs", 1, 1000),
        baseline=baseline.take("row", str),
        rows=rows,
        row_by_row=fields.texts("row_by_row", names) if "row_by_row" in fields else (),
        quick_seeds=quick.numbers("seeds", SEED.low, SEED.high),
        quick_epochs=quick.number("epochs", 1, 1000),
        quick_angles=quick.numbers("angles", -360, 360) if "angles" in quick else angles,
    )
    network(experiment.network)
    study = take_study(fields, rows)
    if len(set(names)) != len(names) or not names:
        raise InputError.about("rows", expected="one or more with names of their own", got=names, do=DO)
    if experiment.baseline not in names:
        raise InputError.about("baseline row", expected=f"one of {names}", got=repr(experiment.baseline), do=DO)
    if experiment.row_by_row and len(experiment.row_by_row) < len(names):
        raise InputError.about("row_by_row", expected=f"all of {names}", got=list(experiment.row_by_row), do=DO)
    rule, claims = read_claims(fields, names)
    for part in (fields, quick, baseline):
        part.check_nothing_left()
    if study is not None:
        # Claims are about the rows of the table that the study builds on.
        return replace(experiment, study=study, rows=study.rows())
    return replace(experiment, rule=rule, claims=claims)
