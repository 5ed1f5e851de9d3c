"""The table of costs, for the terminal and as Markdown."""

from collections import Counter
from collections.abc import Sequence

from rich.table import Table

from .memory import KINDS, ROOMS, Program, room
from .phases import PHASES
from .records import CostRecord
from .rows import RowCost

HZ = 125_000_000
Cells = list[list[str]]
METHOD_SOURCES = {
    "niti": "kernels/priot_update_niti.c",
    "priot": "kernels/priot_update_priot.c",
    "priot_s": "kernels/priot_update_priot_s.c",
}


def milliseconds(cycles: float) -> float:
    """Of some cycles at 125 MHz."""
    return 1000 * cycles / HZ


def summary(row: RowCost) -> str:
    """A row in one line."""
    first = row.epochs[0]
    training, inference = (milliseconds(taken.mean()) for taken in (first.training, first.inference))
    return f"{training:.2f} ms a training step, {inference:.2f} ms an inference in epoch {first.epoch}"


def steps_table(record: CostRecord) -> tuple[str, Cells]:
    """Training step and inference of each row, epoch by epoch."""
    head = ["", "epoch", "training: cycles", "min to max, M", "ms", "steps/s", "instructions"]
    head += ["inference: cycles", "ms", "ratio"]
    counted = {(row.row, epoch.epoch): epoch for row in record.counted for epoch in row.epochs}
    if record.device:
        head += [f"{what} on {record.device}: cycles" for what in ("training", "inference")]
    cells = [head]
    for row in record.rows:
        for epoch in row.epochs:
            training, inference = epoch.training, epoch.inference
            spread = f"{(training.least or 0) / 1e6:.2f} to {(training.most or 0) / 1e6:.2f}"
            cells.append([row.row, f"{epoch.epoch}", f"{training.mean():,.0f}", spread])
            cells[-1] += [f"{milliseconds(training.mean()):.2f}", f"{HZ / training.mean():.1f}"]
            cells[-1] += [f"{(training.instructions or 0) / training.steps:,.0f}", f"{inference.mean():,.0f}"]
            cells[-1] += [f"{milliseconds(inference.mean()):.2f}", f"{training.mean() / inference.mean():.2f}"]
            if record.device:
                theirs = counted[row.row, epoch.epoch]
                cells[-1] += [f"{taken.mean():,.0f}" for taken in (theirs.training, theirs.inference)]
    return "A step", cells


def phases_table(record: CostRecord) -> tuple[str, Cells]:
    """Each phase's share of a training step, in the first epoch measured."""
    cells = [["", *(f"{phase}: kcycles" for phase in PHASES.values()), *(f"{phase}: %" for phase in PHASES.values())]]
    for row in record.rows:
        training = row.epochs[0].training
        means = [training.mean(phase=phase) for phase in PHASES.values()]
        cells.append([row.row, *(f"{mean / 1000:,.1f}" for mean in means)])
        cells[-1] += [f"{100 * mean / training.mean():.1f}" for mean in means]
    return f"By phase, epoch {record.rows[0].epochs[0].epoch}", cells


def layers_table(record: CostRecord, index: int) -> tuple[str, Cells]:
    """Every phase of every layer, cycles a training step, in one of the epochs measured."""
    passes = [row.epochs[index].training for row in record.rows]
    cells = [["layer", "phase", *(row.row for row in record.rows)]]
    for layer, name in record.layers.items():
        for phase in PHASES.values():
            if any(part.layer == layer and part.phase == phase for taken in passes for part in taken.parts):
                cells.append([f"{layer} {name}", phase, *(f"{taken.mean(layer, phase):,.0f}" for taken in passes)])
    cells.append(["", "between phases", *(f"{(taken.between + taken.clock) / taken.steps:,.0f}" for taken in passes)])
    cells.append(["", "**all**", *(f"**{taken.mean():,.0f}**" for taken in passes)])
    return f"By layer and phase: cycles of a training step, epoch {record.rows[0].epochs[index].epoch}", cells


def inference_table(record: CostRecord) -> tuple[str, Cells]:
    """Each layer of an inference, in the first epoch measured."""
    passes = [row.epochs[0].inference for row in record.rows]
    cells = [["layer", *(row.row for row in record.rows)]]
    for layer, name in record.layers.items():
        cells.append([f"{layer} {name}", *(f"{taken.mean(layer):,.0f}" for taken in passes)])
    cells.append(["between phases", *(f"{(taken.between + taken.clock) / taken.steps:,.0f}" for taken in passes)])
    cells.append(["**all**", *(f"**{taken.mean():,.0f}**" for taken in passes)])
    return f"By layer: cycles of an inference, behind the steps of epoch {record.rows[0].epochs[0].epoch}", cells


def scales_table(record: CostRecord) -> tuple[str, Cells]:
    """The price of dynamic scales by phase."""
    cells = [["dynamic NITI", "epoch", *PHASES.values(), "all", "ms"]]
    for cost in record.scales:
        found, given, epoch = cost.found, cost.given, f"{cost.epoch}"
        for name, taken in (("scales found", found), ("the same scales given", given)):
            cells.append([name, epoch, *(f"{taken.mean(phase=phase):,.0f}" for phase in PHASES.values())])
            cells[-1] += [f"{taken.mean():,.0f}", f"{milliseconds(taken.mean()):.2f}"]
        more = [found.mean(phase=phase) - given.mean(phase=phase) for phase in PHASES.values()]
        cells.append(["price", epoch, *(f"{value:+,.0f}" for value in more)])
        price = found.mean() - given.mean()
        cells[-1] += [f"{price:+,.0f} ({100 * price / given.mean():+.1f} %)", f"{milliseconds(price):+.2f}"]
    steps = record.scales[0].found.steps
    return f"The price of dynamic scales: cycles of a training step, {steps} steps spread over an epoch", cells


def memory_table(record: CostRecord) -> tuple[str, Cells]:
    """SRAM by what it holds, and the code of kernels and engine."""
    flash = next(image for image in record.programs if image.image == "flash")
    held = [Counter[str]() for _ in record.rows]
    for row, counter in zip(record.rows, held, strict=True):
        for tensor in row.tensors:
            counter[tensor.kind] += tensor.bytes
    used = [counter.total() for counter in held]
    stacks = [row.stack or 0 for row in record.rows]
    sram = [arena + flash.engine_bytes + stack for arena, stack in zip(used, stacks, strict=True)]
    cells = [["bytes", *(row.row for row in record.rows)]]
    cells += [[kind, *(f"{counter[kind]:,}" for counter in held)] for kind in KINDS]
    cells.append(["arena used", *(f"{value:,}" for value in used)])
    cells.append(["model's description", *[f"{flash.engine_bytes:,}"] * len(used)])
    cells.append(["stack, at most", *(f"{value:,}" for value in stacks)])
    cells.append(["**SRAM**", *(f"**{value:,}**" for value in sram)])
    cells.append(["**flash: kernels, engine**", *(f"**{_own_code(record, row, flash):,}**" for row in record.rows)])
    return "Memory", cells


def program_table(record: CostRecord) -> tuple[str, Cells]:
    """The images by room."""
    cells = [["bytes", *(f"{image.image} image: {what}" for image in record.programs for what in ("stored", "zeroed"))]]
    columns = [by_room(sources) for image in record.programs for sources in (image.stored, image.zeroed)]
    cells += [[name, *(f"{column[name]:,}" for column in columns)] for name in (*ROOMS, "rest")]
    cells.append(["**all**", *(f"**{column.total():,}**" for column in columns)])
    for what in ("stack", "arena"):
        cells.append([f"{what} set aside", *(cell for i in record.programs for cell in ("", f"{getattr(i, what):,}"))])
    return "The program, for all methods together", cells


def by_room(sources: dict[str, int]) -> Counter[str]:
    """Bytes by room."""
    counted: Counter[str] = Counter()
    for source, count in sources.items():
        counted[room(source)] += count
    return counted


def _own_code(record: CostRecord, row: RowCost, image: Program) -> int:
    """Kernels and engine without the update kernels of other methods."""
    rooms = by_room(image.stored)
    method = record.methods[row.row].removesuffix("_static").removesuffix("_dynamic")
    others = sum(image.stored[source] for name, source in METHOD_SOURCES.items() if name != method)
    return rooms["kernels"] + rooms["engine"] - others


def tables(record: CostRecord) -> list[tuple[str, Cells]]:
    """All tables with their titles, in order."""
    epochs = range(len(record.rows[0].epochs))
    return [
        steps_table(record),
        phases_table(record),
        scales_table(record),
        memory_table(record),
        *(layers_table(record, index) for index in epochs),
        inference_table(record),
        program_table(record),
    ]


def legend(record: CostRecord) -> list[str]:
    """What one must know to read the tables, a sentence or two a line."""
    d = record.description
    model = f"{d['network']} pre-trained upright ({d['pretraining']})"
    setting = f"{d['loss_rounding']} loss rounding, mu = {d['mu']}"
    first = record.rows[0].epochs[0].training
    counted = f"; on {record.device}: by that device's own clock, the same steps" if record.device else ""
    return [
        f"{model}; {setting}; rotated MNIST, {d['angle']} degrees, seed {d['seed']}. Means over the first "
        f"{first.steps:,} training steps of an epoch, and over {first.steps:,} test images behind them, batch 1. "
        "Behind the steps the state equals the host engine's, to the last bit.",
        "Cycles are an estimate: the firmware's RAM image runs instruction by instruction on an emulated "
        "Cortex-M0+, each instruction at the cost of Arm DDI 0484C, table 3-1, with the single-cycle multiplier, "
        "and SRAM, flash and bus without wait states. Flash is zero-wait: the samples are read from there, and of "
        "an image that runs from flash these are a lower bound. None has been compared with a chip. Milliseconds: "
        f"at 125 MHz{counted}.",
        "The link to the host is left out: the firmware measures from the begin to the end of its steps. Min to "
        "max: of single steps, by their phases. Ratio: training step to inference.",
        "Phases: forward, with the pools and relu behind a layer, and the maxima that dynamic scales need; loss; "
        "error, to a layer's input; scale, the pass over all gradients that finds a dynamic scale of the update; "
        "update, which sums each gradient where it is used. A phase begins where the block of code ends that says "
        "so, some instructions late; the parts' sum is the total to the cycle (here each is rounded).",
        "Price of dynamic scales: the same steps twice, equal to the last bit, once finding their scales and once "
        "with these scales given.",
        "Memory: the arena as the firmware itself has laid it out, each tensor with what alignment costs. Indices: "
        "where PRIOT-S's scores stand. Order: room for the order of an epoch's samples, which the host sends. "
        "Model's description: layers, stages and trace, with room for 48 layers, twice, since a refused model must "
        "leave the loaded one alone. Stack: painted before, looked at after all kinds of steps, with the link's "
        "frames below them; an interrupt would come on top. The buffers of link, UART and USB are not in SRAM's "
        "sum; the last table has them. Flash: code and constants without the other methods' update, but with what "
        "the engine has for tests.",
        "Energy is not measured, so none is given. The letter's own times and memory could not be read, so none of "
        "them stands here.",
    ]


def markdown(record: CostRecord) -> str:
    """Tables and legend as Markdown."""
    lines = [f"# {record.title}", ""]
    for title, (head, *body) in tables(record):
        align = [":--", *["--:"] * (len(head) - 1)]
        lines += [f"## {title}", "", *(f"| {' | '.join(cells)} |" for cells in (head, align, *body)), ""]
    lines += ["## How to read it", "", *(f"{line}\n" for line in legend(record))]
    return "\n".join(lines).rstrip() + "\n"


def terminal_tables(record: CostRecord) -> list[Table]:
    """The first tables, for a terminal."""
    return [_terminal_table(title, cells) for title, cells in tables(record)[:4]]


def _terminal_table(title: str, cells: Sequence[Sequence[str]]) -> Table:
    head, *body = cells
    table = Table(title=title)
    for index, column in enumerate(head):
        table.add_column(column, justify="right" if index else "left")
    for row in body:
        table.add_row(*(cell.replace("**", "") for cell in row))
    return table
