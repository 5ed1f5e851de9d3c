"""Training curves as small pictures: one for each row of the table, with all its angles."""

from ..curves import CURVES, Curve
from ..intervals import Spread
from ..table import Table
from .pictures import SERIES, lines
from .sections import NOT_RUN, Fold, Part, Picture, Pictures, Prose

Points = list[tuple[int, Spread]]


def curve_pictures(table: Table) -> tuple[Part, ...]:
    """The first quantity, which is the accuracy, and on demand all others."""
    first, *others = [pictures_of(table, curve) for curve in CURVES]
    titles = [f"{curve.name} ({curve.unit})".capitalize() for curve in CURVES[1:]]
    each = enumerate(zip(titles, others, strict=True), start=2)
    folds = [Fold(f"curve-{number}", title, (part,)) for number, (title, part) in each]
    how = "Means over the seeds, after 0 epochs the model before transfer; the band is the mean's 95 % interval."
    return (Prose(how), first, *folds)


def pictures_of(table: Table, curve: Curve) -> Part:
    """One quantity: a picture for each row that has it, all to the same scale."""
    angles = table.experiment.angles[:SERIES]
    rows = [row.name for row in table.experiment.rows if row.trains]
    found = {row: [curve.points(table, row, angle) for angle in angles] for row in rows}
    shown = {row: curves for row, curves in found.items() if any(curves)}
    if not shown:
        return Prose(f"{curve.name.capitalize()}: {NOT_RUN}, or not defined for these rows.")
    limits = _limits(list(shown.values()), curve.unit)
    pictures = []
    for row, curves in shown.items():
        told = [_told(points, f"{angle}°", curve.unit) for points, angle in zip(curves, angles, strict=True)]
        svg = lines(curves, limits=limits)
        pictures.append(Picture(svg, row, f"{row}, {curve.name}. {' '.join(told)}"))
    left = [row for row in rows if row not in shown]
    notes = (f"{NOT_RUN.capitalize()}, or not defined: {', '.join(left)}.",) if left else ()
    title = f"{curve.name} ({curve.unit})".capitalize()
    key = tuple((f"{angle}°", number) for number, angle in enumerate(angles, start=1))
    return Pictures(title, key, tuple(pictures), notes, has_lines=True)


def _limits(rows: list[list[Points]], unit: str) -> tuple[float, float]:
    """The scale that all pictures of a quantity share; of percentages it does not leave 0 to 100."""
    values = [value for curves in rows for points in curves for _, value in points]
    low, high = min(value.low for value in values), max(value.high for value in values)
    if unit == "%":
        low, high = max(low, 0), min(high, 100)
    margin = (high - low or 1) * 0.04
    return low - margin, high + margin


def _told(points: Points, angle: str, unit: str) -> str:
    """A curve in a sentence, for who does not see it."""
    if not points:
        return f"{angle}: {NOT_RUN}."
    (begin, first), (end, last) = points[0], points[-1]
    at, most = max(points, key=lambda point: point[1].mean)
    sign = " %" if unit == "%" else ""
    return (
        f"{angle}: from {first.mean:.1f}{sign} at epoch {begin} to {last.mean:.1f}{sign} at epoch {end}, "
        f"highest {most.mean:.1f}{sign} at epoch {at}."
    )
