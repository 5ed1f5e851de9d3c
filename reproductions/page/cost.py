"""What the table of costs has to say."""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from ..cost import report
from ..cost.phases import PHASES
from ..cost.records import CostRecord
from ..cost.rows import EpochCost
from .pictures import bars
from .runs import flat
from .sections import Facts, Fold, Grid, Part, Picture, Pictures, Prose, Section

SERIES = {phase: number for number, phase in enumerate(PHASES.values(), start=1)}
BETWEEN = len(SERIES) + 1
WHATS = ("training", "inference")
WORDS = ("", "layer", "phase", "dynamic NITI", "bytes")  # headings of columns that name their rows


def cost_sections(record: CostRecord) -> list[Section]:
    """The sections of a table of costs."""
    layers = [f"layers-{epoch.epoch}" for epoch in record.rows[0].epochs]
    keys = ["steps", "phases", "scales", "memory", *layers, "inference", "program"]
    first, *others = [grid(key, *told) for key, told in zip(keys, report.tables(record), strict=True)]
    splits: list[Part] = [split(record, 0)]
    for index, epoch in enumerate(record.rows[0].epochs[1:], start=1):
        splits.append(Fold(f"split-{epoch.epoch}", f"The same in epoch {epoch.epoch}", (split(record, index),)))
    legend = Fold("legend", "How to read the tables of costs", tuple(map(Prose, report.legend(record))))
    return [
        Section("step", "A step", (grouped(first), legend)),
        Section("split", "Split by layer and phase", tuple(splits)),
        Section("tables", "More tables", tuple(Fold(f"of-{each.key}", each.title, (each,)) for each in others)),
        Section("made", "Where the costs come from", (Facts(facts(record)),)),
    ]


def split(record: CostRecord, index: int) -> Pictures:
    """What a training step takes, by phase: all layers together, then each layer.

    Args:
        record: What was measured.
        index: Which of the epochs measured.
    """
    epochs = [row.epochs[index] for row in record.rows]
    labels = [row.row for row in record.rows]
    shown = [_picture("all layers", labels, epochs, None, [None])]
    for layer, name in record.layers.items():
        shown.append(_picture(f"layer {layer}, {name}", labels, epochs, layer, list(record.layers)))
    key = tuple((name, number) for name, number in (*SERIES.items(), ("between phases", BETWEEN)))
    title = f"Thousand cycles of a training step, epoch {epochs[0].epoch}"
    note = "The layers share one scale, which is not that of all layers together. The tables below have every figure."
    return Pictures(title, key, tuple(shown), (note,))


def grid(key: str, title: str, cells: report.Cells) -> Grid:
    """A table of the Markdown page, whose sums are in bold type there."""
    head, *rows = cells
    strong = tuple(index for index, row in enumerate(rows) if any(cell.startswith("**") for cell in row))
    words = sum(name in WORDS for name in head[:2])
    plain = tuple(tuple(cell.strip("*") for cell in row) for row in rows)
    return Grid(key, title, tuple(head), plain, "l" * words + "r" * (len(head) - words), strong=strong)


def grouped(steps: Grid) -> Grid:
    """The table of steps with its columns under training and inference."""
    begins = [next(i for i, name in enumerate(steps.columns) if name.startswith(f"{what}: ")) for what in WHATS]
    begins.append(steps.columns.index("ratio"))
    spans = [end - begin for begin, end in pairwise(begins)]
    groups = (("", begins[0]), *zip(WHATS, spans, strict=True), ("", len(steps.columns) - begins[-1]))
    columns = tuple(re.sub(r"^(training|inference): ", "", name) for name in steps.columns)
    return replace(steps, title="Training step and inference", columns=columns, groups=groups)


def facts(record: CostRecord) -> tuple[tuple[str, str], ...]:
    """What the costs were measured of, by what and where."""
    return tuple((flat(record.description) | flat(record.made)).items())


def _picture(
    caption: str, labels: list[str], epochs: list[EpochCost], layer: int | None, scale: Sequence[int | None]
) -> Picture:
    """Bars of one layer, or of all; `scale` names those whose largest gives the scale."""
    passes = [epoch.training for epoch in epochs]
    phases = [phase for phase in SERIES if any(taken.mean(layer, phase) for taken in passes)]
    parts = {SERIES[phase]: [taken.mean(layer, phase) / 1000 for taken in passes] for phase in phases}
    if layer is None:
        parts[BETWEEN] = [(taken.between + taken.clock) / taken.steps / 1000 for taken in passes]
    limit = max(taken.mean(each) for taken in passes for each in scale) / 1000
    told = []
    for label, taken in zip(labels, passes, strict=True):
        each = ", ".join(f"{phase} {taken.mean(layer, phase) / 1000:,.1f}" for phase in phases)
        told.append(f"{label}: {taken.mean(layer) / 1000:,.1f}, of it {each}")
    svg = bars(labels, parts, unit="thousand cycles", limit=limit)
    return Picture(svg, caption.capitalize(), f"Thousand cycles of a training step, {caption}. {'; '.join(told)}.")
