"""What a study has to say: the recommended setting, its heat maps, the best of each method, single changes."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import report
from ..page.runs import key_of, runs_section
from ..page.sections import NOT_RUN, CellText, Grid, Heat, HeatMap, Linked, Part, Prose, Section
from ..setting import told
from ..study import Study, row_name
from ..table import Table
from .figures import BEST, CHANGED, DEAD, LAST, MOVED, SATURATED, Figure, best_point, gain, usual_point
from .recommend import recommended_row, study_of

IN_RANGE = "in range"
GAIN_COLOURS = (-40.0, 0.0, 40.0)

# A cell of a heat map, by a row and a point of the grid.
CellAt = Callable[[str, Mapping[str, Any]], Heat | None]


def sensitivity_sections(table: Table, name: str) -> list[Section]:
    """The sections of a study.

    Args:
        table: What was run.
        name: Its file, as a command names it.

    Raises:
        InputError: The table is no study.
    """
    study = study_of(table)
    return [
        Section("recommendation", "The recommended setting", recommendation(table, study)),
        Section("grid", "Accuracy over the grid", (*map(Prose, legend(table)), *accuracy_maps(table, study))),
        Section("gain", f"When {study.gain.row} gains over {study.gain.over}", gain_maps(table, study)),
        Section("collapse", f"What becomes of {study.gain.over}", collapse_maps(table, study)),
        Section("best", "The best of each method", (best(table, study),)),
        *([Section("changes", "Single changes", (changes(table, study),))] if study.axes else []),
        runs_section(table, name),
    ]


def legend(table: Table) -> list[str]:
    """What one must know to read the study, a sentence or two each."""
    experiment = table.experiment
    task = f"{experiment.train_samples} images to learn, {experiment.test_samples} to judge, {experiment.epochs} epochs"
    left = len(table.cells) - len(table.records)
    return [
        *([f"{left} of {len(table.cells)} runs have not been made; what needs them says “{NOT_RUN}”."] if left else []),
        f"{experiment.network}; {task}; {report.seeds(experiment.seeds)}; engine: {table.device}.",
        experiment.note,
    ]


def recommendation(table: Table, study: Study) -> tuple[Part, ...]:
    """The rule, and the setting that it gives."""
    rule = study.recommendation
    row = recommended_row(table)
    if row is None:
        return (Prose(f"{rule.text} {NOT_RUN.capitalize()} yet."),)
    point = best_point(table, study, rule.row) or {}
    setting = ", ".join(told(change, value) for change, value in point.items())
    mean = LAST.mean(table, row_name(rule.row, point))
    usual = LAST.mean(table, row_name(rule.row, usual_point(study)))
    accuracies = f"{mean:.1f} % of the validation images after the last epoch, {usual:.1f} % at the usual setting"
    result = f"For {rule.row}: {setting}; {accuracies}."
    return (Prose(f"The rule, written on {rule.written}: {rule.text}"), Prose(result))


def accuracy_maps(table: Table, study: Study) -> tuple[Part, ...]:
    """Validation accuracy of every method over the grid, a map an angle."""
    highest = end_of_scale(table, study)
    return tuple(
        over_grid(
            study,
            study.grid.rows,
            key=f"accuracy-{angle}",
            title=f"Validation accuracy after the last epoch in percent, {angle}°",
            # What has collapsed is dark alike: the colours are for telling 85 from 95.
            colours=(highest / 2, None, highest),
            cell=figure_cell(table, LAST, angle),
        )
        for angle in table.experiment.angles
    )


def end_of_scale(table: Table, study: Study) -> float:
    """The highest accuracy of the grid, the last epoch's at any angle, rounded up to tens; 100 where none was run."""
    names = [row_name(row, point) for row in study.grid.rows for point in study.grid.points()]
    found = [LAST.mean(table, name, [angle]) for name in names for angle in table.experiment.angles]
    highest = max((value for value in found if value is not None), default=100.0)
    return 10.0 * max(1, math.ceil(highest / 10))


def gain_maps(table: Table, study: Study) -> tuple[Part, ...]:
    """How far one method lies above the other, at the best and after the last epoch, a map each and an angle."""
    looked_for = study.gain

    def cell(figure: Figure, angle: int) -> CellAt:
        def found(row: str, point: Mapping[str, Any]) -> Heat | None:
            name = row_name(row, point)
            points = gain(table, name, row_name(looked_for.over, point), figure, angle)
            is_in_range = points is not None and looked_for.low <= points <= looked_for.high
            return _heat(table, name, angle, points, "+", IN_RANGE if is_in_range else "")

        return found

    maps = tuple(
        over_grid(
            study,
            [looked_for.row],
            key=f"gain-{figure.name}-{angle}",
            title=f"{looked_for.row} minus {looked_for.over} in points, {figure.name} epoch, {angle}°",
            colours=GAIN_COLOURS,
            cell=cell(figure, angle),
        )
        for angle in table.experiment.angles
        for figure in (BEST, LAST)
    )
    published = f"{looked_for.low} to {looked_for.high} points"
    return (Prose(f"“{IN_RANGE}” marks what lies in the range that the letter's abstract gives, {published}."), *maps)


def collapse_maps(table: Table, study: Study) -> tuple[Part, ...]:
    """Dead units, saturated errors and changed values of the method that collapses."""
    over = study.gain.over
    shown = (
        (DEAD, "after the last epoch", 100.0),
        (SATURATED, "mean over the epochs", 5.0),
        (CHANGED, "mean of an epoch", 60.0),
    )
    return tuple(
        over_grid(
            study,
            [over],
            key=f"{figure.name.replace(' ', '-')}-{angle}",
            title=f"{over}: {figure.name} in percent, {when}, {angle}°",
            colours=(0.0, None, highest),
            cell=figure_cell(table, figure, angle),
        )
        for figure, when, highest in shown
        for angle in table.experiment.angles
    )


def best(table: Table, study: Study) -> Grid:
    """For each method the point of the grid at which it is best, beside the usual one."""
    angles = table.experiment.angles
    rows: list[tuple[CellText, ...]] = []
    for name in study.grid.rows:
        for what, point in (("best", best_point(table, study, name)), ("usual", usual_point(study))):
            if point is None:
                rows.append((name, what, *[NOT_RUN] * (2 * len(angles) + 1)))
                continue
            setting = ", ".join(told(change, value) for change, value in point.items())
            cells = [
                _linked(table, row_name(name, point), angle, figure.mean(table, row_name(name, point), [angle]))
                for angle in angles
                for figure in (BEST, LAST)
            ]
            rows.append((name, what, setting, *cells))
    return Grid(
        key="best-table",
        title="The setting of the grid at which each method ends highest, and the usual one",
        columns=("", "", "setting", *("best", "last") * len(angles)),
        rows=tuple(rows),
        align="lll" + "rr" * len(angles),
        groups=(("", 3), *((f"{angle}°", 2) for angle in angles)),
        notes=("Percent of the validation images; chosen by the mean of *last* over angles and seeds.",),
    )


def changes(table: Table, study: Study) -> Grid:
    """One thing changed at a time, beside the row as it is."""
    angles = table.experiment.angles
    shown = ((LAST, "last", "{:.1f}"), (MOVED, "update size", "{:.2f}"))
    rows: list[tuple[CellText, ...]] = []

    def add(row: str, what: str, name: str) -> None:
        cells = [
            _linked(table, name, angle, figure.mean(table, name, [angle]), form)
            for angle in angles
            for figure, _, form in shown
        ]
        rows.append((row, what, *cells))

    for row in dict.fromkeys(name for axis in study.axes for name in axis.rows):
        if row in study.grid.rows:
            add(row, "as it is", row_name(row, usual_point(study)))
        for axis in study.axes:
            for value in axis.values if row in axis.rows else ():
                add(row, told(axis.change, value), row_name(row, {axis.change: value}))
    return Grid(
        key="changes-table",
        title="One thing changed at a time, from the table of accuracies' setting",
        columns=("", "", *[what for _, what, _ in shown] * len(angles)),
        rows=tuple(rows),
        align="ll" + "rr" * len(angles),
        groups=(("", 2), *((f"{angle}°", 2) for angle in angles)),
        strong=tuple(index for index, (_, what, *_) in enumerate(rows) if what == "as it is"),
        notes=(
            "Validation accuracy after the last epoch in percent; update size: the mean distance that a learned value "
            "moves in an epoch.",
        ),
    )


def figure_cell(table: Table, figure: Figure, angle: int) -> CellAt:
    """Gives a figure's mean at an angle."""

    def found(row: str, point: Mapping[str, Any]) -> Heat | None:
        name = row_name(row, point)
        return _heat(table, name, angle, figure.mean(table, name, [angle]))

    return found


def over_grid(
    study: Study,
    names: Sequence[str],
    *,
    key: str,
    title: str,
    colours: tuple[float, float | None, float],
    cell: CellAt,
) -> HeatMap:
    """A heat map: a line for each row, pre-training and rounding, a column for each mu.

    Args:
        study: Whose grid.
        names: The rows.
        key: The map's key.
        title: Its title.
        colours: Values of one end, of the middle if there is one, and of the other end.
        cell: Gives a cell.
    """
    grid = study.grid
    lines: dict[str, list[Heat | None]] = {}
    for name in names:
        for point in grid.points():
            line = f"{name}, {point['pretraining']}, {point['loss_rounding']}"
            lines.setdefault(line, []).append(cell(name, point))
    low, middle, high = colours
    return HeatMap(
        key=key,
        title=title,
        down="method, pre-training, loss rounding",
        across="mu",
        rows=tuple(lines),
        columns=tuple(map(str, grid.mu)),
        cells=tuple(map(tuple, lines.values())),
        low=low,
        high=high,
        middle=middle,
        unit="points" if middle is not None else "%",
    )


def _heat(table: Table, row: str, angle: int, value: float | None, sign: str = "", below: str = "") -> Heat | None:
    if value is None:
        return None
    return Heat(value, f"{value:{sign}z.1f}" + (f"\n{below}" if below else ""), key_of(table, row, angle))


def _linked(table: Table, row: str, angle: int, value: float | None, form: str = "{:.1f}") -> CellText:
    return NOT_RUN if value is None else Linked(form.format(value), key_of(table, row, angle))
