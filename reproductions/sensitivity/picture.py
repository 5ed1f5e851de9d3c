"""A study's heat maps as a picture: SVG by matplotlib, the same bytes each time by the same version of it."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from ..page.sections import HeatMap
from ..plot import drawn
from ..table import Table
from .recommend import study_of
from .sections import accuracy_maps, collapse_maps, gain_maps

CELL = 0.42, 0.26  # inches
BESIDE = 3.2  # for the names of the lines
ABOVE = 0.75


def svg(table: Table) -> bytes:
    """The heat maps: a column for each angle, one map below the other.

    Raises:
        InputError: The table is no study.
    """
    study, angles = study_of(table), len(table.experiment.angles)
    parts = [*accuracy_maps(table, study), *gain_maps(table, study), *collapse_maps(table, study)]
    maps = [part for part in parts if isinstance(part, HeatMap)]
    # Each function gives a map an angle for one thing after the other.
    by_angle = [[each for each in maps if each.key.endswith(f"-{angle}")] for angle in table.experiment.angles]
    lines = list(zip_longest(*by_angle))
    heights = [CELL[1] * len(line[0].rows) + ABOVE for line in lines]
    size = angles * (CELL[0] * len(study.grid.mu) + BESIDE), sum(heights)

    def draw(figure_type: Any) -> Any:
        figure = figure_type(figsize=size, layout="constrained")
        axes = figure.subplots(len(lines), angles, squeeze=False, height_ratios=heights)
        for row, line in zip(axes, lines, strict=True):
            for column, (cell, heat) in enumerate(zip(row, line, strict=True)):
                _draw(cell, heat, is_named=column == 0)
        return figure

    return drawn(table, draw)


def _draw(axes: Any, heat: HeatMap, is_named: bool) -> None:
    nothing = float("nan")
    values = [[nothing if cell is None else cell.value for cell in line] for line in heat.cells]
    colours = "viridis" if heat.middle is None else "RdBu"
    axes.imshow(values, cmap=colours, vmin=heat.low, vmax=heat.high, aspect="auto")
    for y, line in enumerate(heat.cells):
        for x, cell in enumerate(line):
            if cell is not None:
                value, *marks = cell.text.split("\n")
                look = {"ha": "center", "va": "center", "fontsize": 7, "color": ink(heat, cell.value)}
                axes.text(x, y, value, fontweight="bold" if marks else "normal", **look)
    axes.set_title(heat.title, fontsize=8)
    axes.set_xticks(range(len(heat.columns)), heat.columns, fontsize=7)
    names: Sequence[str] = heat.rows if is_named else [""] * len(heat.rows)
    axes.set_yticks(range(len(heat.rows)), names, fontsize=7)
    axes.set_xlabel(heat.across, fontsize=7)
    axes.tick_params(length=0)


def ink(heat: HeatMap, value: float) -> str:
    """Black or white, whichever reads better on a cell's colour."""
    share = min(max((value - heat.low) / (heat.high - heat.low), 0.0), 1.0)
    is_dark = share < 0.55 if heat.middle is None else not 0.2 < share < 0.8
    return "white" if is_dark else "black"
