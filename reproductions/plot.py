"""Training curves as a picture: SVG by matplotlib, the same bytes each time by the same version of it."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from priot_hil.harness.files import write_aside
from priot_hil.harness.output_kinds import PICTURE
from priot_hil.harness.outputs import check_file
from priot_hil.harness.paths import ROOT

from .chain import linked
from .curves import CURVES, Curve
from .table import Table, read_table

# Okabe and Ito's eight colours, which colour-blind readers tell apart, and three dashes.
COLOURS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#56B4E9", "#E69F00", "#CC79A7", "#999933")
DASHES = ("-", "--", ":")
PANEL = (5.2, 2.0)  # inches


def write_curves(records: Path, out: Path | None = None) -> Path:
    """Draw the training curves of a table.

    Args:
        records: The table's file, JSON Lines.
        out: The picture; None for the same name with ``-curves.svg``, or for that in `results` where the table is a
            published one, whose picture `publish` makes.

    Returns:
        The picture's path.

    Raises:
        InputError: The file is no table, or the picture cannot be written.
    """
    if out is None:
        folder = Path("results") if records.resolve().is_relative_to(ROOT / "docs") else records.parent
        out = folder / f"{records.stem}-curves.svg"
    check_file(out, PICTURE)
    table = read_table(records)
    write_aside(out, svg(table))
    return out


def svg(table: Table, curves: Sequence[Curve] = CURVES) -> bytes:
    """The picture: a row for each quantity, a column for each angle, a line with its band for each row of the table."""
    return drawn(table, lambda figure_type: draw(figure_type, table, curves))


def drawn(table: Table, draw: Callable[[Any], Any]) -> bytes:
    """A figure as SVG; its description names the chain of records that it was drawn from.

    Args:
        table: What it was drawn from.
        draw: Makes the figure, given matplotlib's type of it.
    """
    import matplotlib  # takes half a second, which tables without pictures need not spend
    from matplotlib.figure import Figure

    style: dict[Any, Any] = {
        "svg.hashsalt": "priot",
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.size": 9,
    }
    with matplotlib.rc_context(style):
        figure = draw(Figure)
        written = io.BytesIO()
        metadata = {"Date": None, "Title": table.experiment.title, "Source": source(table)}
        figure.savefig(written, format="svg", metadata=metadata)
    return written.getvalue()


def draw(figure_type: Any, table: Table, curves: Sequence[Curve]) -> Any:
    """The figure of `svg`."""
    rows = [row.name for row in table.experiment.rows if row.trains]
    angles = table.experiment.angles
    figure = figure_type(figsize=(PANEL[0] * len(angles), PANEL[1] * len(curves)), layout="constrained")
    axes = figure.subplots(len(curves), len(angles), squeeze=False, sharex=True, sharey="row")
    for line, curve in enumerate(curves):
        for column, angle in enumerate(angles):
            _draw(axes[line][column], table, curve, rows, angle)
        axes[line][0].set_ylabel(f"{curve.name}\n({curve.unit})")
        _show_what_can_be(axes[line][0], curve)
    for column, angle in enumerate(angles):
        axes[0][column].set_title(f"{angle} degrees")
        axes[-1][column].set_xlabel("epochs trained")
    handles, labels = axes[0][0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False)
    return figure


def source(table: Table) -> str:
    """Which records a picture was drawn from."""
    return f"chain of records {linked(table.entries())[-1].sha256}"


def _draw(axes: Any, table: Table, curve: Curve, rows: Sequence[str], angle: int) -> None:
    for index, row in enumerate(rows):
        points = curve.points(table, row, angle)
        if not points:
            continue
        epochs = [epoch for epoch, _ in points]
        look = {"color": COLOURS[index % len(COLOURS)], "linestyle": DASHES[index // 3 % len(DASHES)], "linewidth": 1.2}
        axes.plot(epochs, [point.mean for _, point in points], label=row, **look)
        lows, highs = [point.low for _, point in points], [point.high for _, point in points]
        axes.fill_between(epochs, lows, highs, color=look["color"], alpha=0.15, linewidth=0)
    axes.grid(alpha=0.3)
    axes.xaxis.get_major_locator().set_params(integer=True)


def _show_what_can_be(axes: Any, curve: Curve) -> None:
    """Cut the axes, which share one scale, to values that there are: an interval of few seeds may reach beyond them."""
    low, high = axes.get_ylim()
    edge = 0.04 * (min(high, curve.most) - max(low, 0))  # so that no line lies on the frame
    axes.set_ylim(max(low, -edge), min(high, curve.most + edge))
