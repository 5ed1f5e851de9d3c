"""Small pictures by matplotlib, as SVG that takes its colours and its type from the page around it."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..intervals import Spread

WIDTH = 3.4  # inches, 72 units of the picture each; it is stretched to the width of its place
SERIES = 6
# A colour that nothing else has stands for each of the page's variables while matplotlib draws.
STAND_IN = {f"#0a0b{number:02x}": f"var(--series-{number})" for number in range(1, SERIES + 1)}
STAND_IN |= {
    "#0a0b10": "var(--rule)",
    "#0a0b11": "var(--quiet)",
    "#0a0b12": "currentColor",
    "#0a0b13": "var(--paper)",
}
_BY_VARIABLE = {variable: colour for colour, variable in STAND_IN.items()}
RULE, QUIET, INK, PAPER = list(STAND_IN)[SERIES:]
DASHES = ("-", (0, (4, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)), (0, (2, 1)), (0, (8, 3)))

STYLE: dict[Any, Any] = {
    "svg.hashsalt": "priot",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "text.parse_math": False,
    "text.color": INK,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": RULE,
    "grid.linewidth": 0.5,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
}


def series(number: int) -> str:
    """The colour that stands for a variable of the page, 1 to 6."""
    return _BY_VARIABLE[f"var(--series-{number})"]


def lines(curves: Sequence[Sequence[tuple[int, Spread]]], *, limits: tuple[float, float] | None = None) -> str:
    """Curves over the epochs: means as lines, 95 % intervals as bands.

    Args:
        curves: Points of each; the first takes the first series' colour.
        limits: Of the upright axis, so that pictures side by side compare; None to fit.

    Returns:
        The `<svg>` element.
    """

    def draw(axes: Any) -> None:
        for number, points in enumerate(curves, start=1):
            epochs = [epoch for epoch, _ in points]
            look = {"color": series(number), "linestyle": DASHES[number - 1], "linewidth": 1.3}
            axes.plot(epochs, [value.mean for _, value in points], **look)
            low, high = [value.low for _, value in points], [value.high for _, value in points]
            axes.fill_between(epochs, low, high, color=series(number), alpha=0.18, linewidth=0)
        axes.set_xlabel("epochs trained")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.margins(x=0.02)
        if limits:
            axes.set_ylim(*limits)
        axes.grid(axis="y")
        axes.set_axisbelow(True)

    return picture(1.9, draw, left=0.38)


def bars(labels: Sequence[str], parts: Mapping[int, Sequence[float]], *, unit: str, limit: float) -> str:
    """Stacked bars, one below the other, with their sums written at their ends.

    Args:
        labels: Of the bars.
        parts: The lengths of each series' pieces, a bar each, by the series' number.
        unit: Of the lengths.
        limit: The longest that is shown, so that pictures side by side compare.

    Returns:
        The `<svg>` element.
    """

    def draw(axes: Any) -> None:
        begins = [0.0] * len(labels)
        for number, values in parts.items():
            axes.barh(labels, values, left=begins, color=series(number), height=0.7, edgecolor=PAPER, linewidth=0.5)
            begins = [begin + value for begin, value in zip(begins, values, strict=True)]
        for index, total in enumerate(begins):
            axes.annotate(f"{total:,.0f}", (total, index), (3, 0), textcoords="offset points", va="center", size=8)
        axes.set_xlim(0, limit * 1.3)
        axes.set_xlabel(unit)
        axes.invert_yaxis()
        axes.tick_params(axis="y", length=0)
        axes.xaxis.get_major_locator().set_params(nbins=4)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.grid(axis="x")
        axes.set_axisbelow(True)

    return picture(0.5 + 0.2 * len(labels), draw, left=0.12 + 0.072 * max(map(len, labels)))


def picture(height: float, draw: Callable[[Any], None], *, left: float) -> str:
    """A picture of one pair of axes.

    Args:
        height: Inches.
        draw: Draws on matplotlib's axes, with the colours of this module.
        left: Inches beside the axes, for labels; as all margins are given, axes side by side are of one size.

    Returns:
        The `<svg>` element; the same each time by the same version of matplotlib.
    """
    import matplotlib  # takes half a second
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height))
        figure.patch.set_visible(False)
        right, bottom, top = (WIDTH - 0.1) / WIDTH, 0.42 / height, (height - 0.06) / height
        axes = figure.add_axes((left / WIDTH, bottom, right - left / WIDTH, top - bottom))
        axes.patch.set_visible(False)
        draw(axes)
        written = io.BytesIO()
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return themed(written.getvalue().decode())


def themed(svg: str) -> str:
    """A picture of matplotlib's as an element of the page: colours from its variables, type inherited, and short."""
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' (xmlns(:\w+)?|version|width|height)="[^"]*"', "", svg[: svg.index(">")]) + svg[svg.index(">") :]
    svg = svg.replace("xlink:href", "href")
    used = set(re.findall(r'(?:url\(#|href="#)([^")]+)', svg))
    svg = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", svg)
    svg = re.sub(r" font-family: [^;]*;| transform=\"rotate\(-0 [^\"]*\"", "", svg)
    svg = re.sub(r"(\.\d\d)\d+", r"\1", svg)
    for colour, variable in STAND_IN.items():
        svg = svg.replace(colour, variable)
    return re.sub(r"\s*\n\s*", " ", svg).replace("> <", "><")


def with_ids(svg: str, key: str) -> str:
    """A picture whose ids all begin with a key, so that a page may have many."""
    return re.sub(r'( id="|url\(#|href="#)', rf"\1{key}-", svg)
