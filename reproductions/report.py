"""The table: accuracies by row and angle, for the terminal and as Markdown."""

import statistics
from collections.abc import Mapping, Sequence

from rich.table import Table

from .experiment import Experiment, Row
from .plan import Run
from .records import RunRecord

NOT_RUN = "not run"
# The only figures of the letter that its abstract gives; its own tables are not repeated here.
PUBLISHED = "The letter's abstract states 8.08 to 33.75 percentage points of improvement over existing methods."


def header(experiment: Experiment) -> list[str]:
    """The table's columns."""
    angles = [f"{angle}° {what}" for angle in experiment.angles for what in ("best", "last", "gain")]
    return ["", *angles, "emulated board"]


def body(experiment: Experiment, runs: Sequence[Run], records: Mapping[str, RunRecord]) -> list[list[str]]:
    """The table's rows.

    Args:
        experiment: The experiment.
        runs: All runs of the table.
        records: Finished ones by key.

    Returns:
        A list of cells for each row; a cell with an unfinished run says so.
    """
    return [
        [row.name, *_accuracies(experiment, row, runs, records), _agreement(row, runs, records)]
        for row in experiment.rows
    ]


def legend(experiment: Experiment, device: str) -> list[str]:
    """What one must know to read the table, a sentence or two a line."""
    task = f"{experiment.train_samples} + {experiment.test_samples} images, {experiment.epochs} epochs, batch 1"
    model = f"{experiment.network} pre-trained upright ({experiment.pretraining})"
    setting = f"{experiment.loss_rounding} loss rounding, mu = {experiment.mu}"
    return [
        f"{model}; {setting}; {task}; {_seeds(experiment.seeds)}; engine: {device}.",
        "Accuracy in percent, mean ± standard deviation over the seeds. Best: of the evaluations before training and "
        f"after each epoch. Gain: best minus the best of {experiment.baseline}, in points, seed by seed.",
        "Emulated board: one run of the row went through the firmware on the emulated RP2040 and through the engine on "
        "the host; after every epoch their states and accuracies were equal.",
        PUBLISHED,
        experiment.note,
    ]


def terminal_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """The table for a terminal."""
    table = Table(title=title)
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if 0 < index < len(columns) - 1 else "left")
    for row in rows:
        table.add_row(*row)
    return table


def markdown(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], lines: Sequence[str]) -> str:
    """The table and its legend as Markdown."""
    align = [":--", *["--:"] * (len(columns) - 2), ":--"]
    table = [f"| {' | '.join(cells)} |" for cells in (columns, align, *rows)]
    return "\n".join([f"# {title}", "", *table, "", *(f"{line}\n" for line in lines)])


def _accuracies(experiment: Experiment, row: Row, runs: Sequence[Run], records: Mapping[str, RunRecord]) -> list[str]:
    cells = []
    for angle in experiment.angles:
        mine = _column(row.name, angle, runs, records)
        baseline = _column(experiment.baseline, angle, runs, records)
        if mine is None:
            cells += [NOT_RUN] * 3
            continue
        cells += [_spread([record.best for record in mine]), _spread([record.last for record in mine])]
        if baseline is None:
            cells.append(NOT_RUN)
        elif row.name == experiment.baseline:
            cells.append("")
        else:
            gains = [a.best - b.best for a, b in zip(mine, baseline, strict=True)]
            cells.append(_spread(gains, "+"))
    return cells


def _column(name: str, angle: int, runs: Sequence[Run], records: Mapping[str, RunRecord]) -> list[RunRecord] | None:
    """The records of one cell in the order of the seeds, or None if one is missing."""
    wanted = [run for run in runs if (run.row.name, run.angle) == (name, angle)]
    if not wanted or any(run.key not in records for run in wanted):
        return None
    return [records[run.key] for run in wanted]


def _agreement(row: Row, runs: Sequence[Run], records: Mapping[str, RunRecord]) -> str:
    """Whether a run of the row went through two engines; a difference never gets as far as the table."""
    for run in runs:
        if run.row.name == row.name and len(run.devices) > 1 and run.key in records:
            trained = records[run.key].trained
            return f"equal, {trained} epochs" if trained else "equal, untrained"
    return NOT_RUN


def _spread(values: Sequence[float], sign: str = "") -> str:
    mean = f"{statistics.mean(values):{sign}.1f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.1f}"


def _seeds(seeds: Sequence[int]) -> str:
    if len(seeds) == 1:
        return f"seed {seeds[0]}"
    is_range = list(seeds) == list(range(seeds[0], seeds[-1] + 1))
    return f"seeds {seeds[0]} to {seeds[-1]}" if is_range else f"seeds {', '.join(map(str, seeds))}"
