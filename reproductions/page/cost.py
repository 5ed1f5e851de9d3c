"""What the table of costs has to say."""

from collections.abc import Callable

from ..cost import report
from ..cost.phases import PHASES, Pass
from ..cost.records import CostRecord
from ..cost.rows import EpochCost
from .pictures import bars
from .runs import flat
from .sections import Facts, Fold, Grid, Part, Picture, Pictures, Prose, Section

SERIES = {phase: number for number, phase in enumerate(PHASES.values(), start=1)}
BETWEEN = "between phases"


def cost_sections(record: CostRecord) -> list[Section]:
    """The sections of a table of costs.

    Raises:
        InputError: matplotlib is missing.
    """
    grids = [_grid(f"table-{number}", title, cells) for number, (title, cells) in enumerate(report.tables(record), 1)]
    first, *others = grids
    last = len(record.rows[0].epochs) - 1
    splits: list[Part] = [split(record, 0)]
    if last:
        epoch = record.rows[0].epochs[last].epoch
        splits.append(Fold("split-last", f"The same in epoch {epoch}", (split(record, last),)))
    return [
        Section("steps", "A step", (first, *map(Prose, report.legend(record)))),
        Section("split", "Split by layer and phase", tuple(splits)),
        Section("details", "All tables of costs", tuple(Fold(f"of-{each.key}", each.title, (each,)) for each in others)),
        Section("made", "Where the costs come from", (Facts(tuple(_facts(record).items())),)),
    ]


def split(record: CostRecord, index: int) -> Pictures:
    """What a training step takes, by phase: all layers together, then each layer.

    Args:
        record: What was measured.
        index: Which of the epochs measured.
    """
    epochs = [row.epochs[index] for row in record.rows]
    labels = [row.row for row in record.rows]
    longest = max(epoch.training.mean() for epoch in epochs) / 1000
    shown = [_picture("all layers", labels, epochs, longest, None)]
    largest = max(epoch.training.mean(layer) for epoch in epochs for layer in record.layers) / 1000
    for layer, name in record.layers.items():
        shown.append(_picture(f"layer {layer}, {name}", labels, epochs, largest, layer))
    key = tuple((name, number) for name, number in (*SERIES.items(), (BETWEEN, len(SERIES) + 1)))
    title = f"Thousand cycles of a training step, epoch {epochs[0].epoch}"
    note = "The layers share one scale, which is not that of all layers together. The tables below have every figure."
    return Pictures(title, key, tuple(shown), (note,))


def _picture(
    caption: str, labels: list[str], epochs: list[EpochCost], longest: float, layer: int | None
) -> Picture:
    passes = [epoch.training for epoch in epochs]
    phases = [phase for phase in SERIES if any(taken.mean(layer, phase) for taken in passes)]
    parts = {SERIES[phase]: [taken.mean(layer, phase) / 1000 for taken in passes] for phase in phases}
    total: Callable[[Pass], float] = lambda taken: taken.mean(layer)
    if layer is None:
        parts[len(SERIES) + 1] = [(taken.between + taken.clock) / taken.steps / 1000 for taken in passes]
    told = [
        f"{label}: {total(taken) / 1000:,.1f}, of it "
        + ", ".join(f"{phase} {taken.mean(layer, phase) / 1000:,.1f}" for phase in phases)
        for label, taken in zip(labels, passes, strict=True)
    ]
    svg = bars(labels, parts, unit="thousand cycles", limit=longest)
    return Picture(svg, caption.capitalize(), f"Thousand cycles of a training step, {caption}. {'; '.join(told)}.")


def _grid(key: str, title: str, cells: report.Cells) -> Grid:
    """A table of the Markdown page, whose sums are in bold type there."""
    head, *rows = cells
    strong = tuple(index for index, row in enumerate(rows) if any(cell.startswith("**") for cell in row))
    words = sum(1 for name in head[:2] if name in ("", "layer", "phase", "dynamic NITI", "bytes"))
    plain = tuple(tuple(cell.strip("*") for cell in row) for row in rows)
    align = "l" * words + "r" * (len(head) - words)
    return Grid(key, title, tuple(head), plain, align, strong=strong)


def _facts(record: CostRecord) -> dict[str, str]:
    return flat(record.description) | flat(record.made)
