"""Published accuracies that a user has read, beside the measured ones; the project ships none."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from priot_hil.harness.schema import Location, read_toml
from priot_hil.reference.errors import InputError

from .claims import Measure
from .experiment import Experiment
from .fields import Fields
from .intervals import spread
from .report import NOT_RUN, markdown_table
from .table import Table

FORMAT = "priot-published/1"
DO = "correct the file"
COLUMNS = ("", "angle", "published", "measured", "95 % interval", "difference")


@dataclass(frozen=True)
class Published:
    """What somebody has published.

    Attributes:
        source: Where.
        measure: Whether it is compared with the best or the last epoch.
        accuracies: In percent, by row and angle.
    """

    source: str
    measure: Measure
    accuracies: Mapping[tuple[str, int], float]

    def page(self, table: Table) -> str:
        """The differences of each cell as Markdown: measured minus published, in points."""
        rows = [self._row(table, row, angle, value) for (row, angle), value in self.accuracies.items()]
        title = f"# {table.experiment.title}, beside published accuracies"
        measured = f"Measured: {self.measure} epoch, mean over the seeds. Difference: measured minus published."
        line = f"Published: {self.source}. {measured}"
        return "\n".join([title, "", *markdown_table(COLUMNS, rows), "", line, ""])

    def _row(self, table: Table, row: str, angle: int, value: float) -> list[str]:
        records = table.column(row, angle)
        if records is None:
            return [row, f"{angle}°", f"{value:.2f}", NOT_RUN, NOT_RUN, NOT_RUN]
        found = spread([record.best if self.measure is Measure.BEST else record.last for record in records])
        interval = "one seed" if found.margin is None else f"{found.low:.2f} to {found.high:.2f}"
        return [row, f"{angle}°", f"{value:.2f}", f"{found.mean:.2f}", interval, f"{found.mean - value:+.2f}"]


def read_published(path: Path, experiment: Experiment) -> Published:
    """Read a file of published accuracies: ``source``, ``measure`` and a table ``accuracies`` of rows, each by angle.

    Args:
        path: The file, TOML.
        experiment: Whose rows and angles it may name.

    Returns:
        What it says.

    Raises:
        InputError: It is missing or not legal.
    """
    name = f"published accuracies {path}"
    content = read_toml(path, Location(name, "a TOML file", DO))
    try:
        return _published(Fields("the file", content), experiment)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def _published(fields: Fields, experiment: Experiment) -> Published:
    if (found := fields.take("format", str)) != FORMAT:
        raise InputError.about("format", expected=FORMAT, got=repr(found), do=DO)
    source, measure = fields.take("source", str), fields.choice("measure", Measure)
    rows = Fields("accuracies", fields.take("accuracies", dict))
    fields.check_nothing_left()
    accuracies = {}
    for row in experiment.rows:
        if row.name not in rows:
            continue
        angles = Fields(f"accuracies of {row.name!r}", rows.take(row.name, dict))
        for angle in experiment.angles:
            if str(angle) in angles:
                accuracies[row.name, angle] = value = angles.real(str(angle))
                if not 0 <= value <= 100:
                    what = f"accuracies of {row.name!r}: {angle}"
                    raise InputError.about(what, expected="a percentage, 0..100", got=value, do=DO)
        angles.check_nothing_left()
    rows.check_nothing_left()
    return Published(source, measure, accuracies)
