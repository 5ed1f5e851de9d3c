"""The record of the table of costs as JSON: what was measured, of what, and by which versions."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field

from priot_hil.harness.schema import (
    Finding,
    Hexadecimal,
    Location,
    Positive,
    Sha256,
    Text,
    checked,
    expect_as_written,
    expect_format,
    expect_none,
    read_json,
    under,
)
from priot_hil.reference.kinds import LossRounding, MethodKind
from priot_hil.reference.ranges import SHIFT

from ..networks import subject
from ..provenance import Git, Machine, Packages
from ..record_schema import NetworkName, Pretraining
from .memory import KINDS, Program
from .phases import PHASES, Pass
from .rows import RowCost
from .scales import ScalesCost
from .setting import FORMAT

DO = "delete it and give the same command again"
IMAGES = ("ram", "flash")
MOST_BYTES = 2**21  # of the flash, which is larger than SRAM
Costs = TypeVar("Costs", tuple[RowCost, ...], tuple[ScalesCost, ...])


@dataclass(frozen=True)
class ByImage:
    """A SHA-1 or a SHA-256 of each image."""

    ram: Hexadecimal
    flash: Hexadecimal


@dataclass(frozen=True)
class CostDescription:
    """The form of `CostTable.description`."""

    network: NetworkName
    pretraining: Pretraining
    checkpoint_sha256: Sha256
    mu: Annotated[int, Field(ge=0, le=7)]
    loss_rounding: LossRounding
    train_samples: Positive
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    angle: Annotated[int, Field(ge=-360, le=360)]
    epochs: Annotated[tuple[Positive, ...], Field(min_length=1)]
    steps: Positive
    scale_steps: Positive
    image: Literal["ram"]
    build_id: ByImage
    elf_sha256: ByImage
    code_sha256: Sha256
    versions: Packages


@dataclass(frozen=True)
class MadeBy:
    """The form of `CostRecord.made`."""

    git: Git | None
    machine: Machine


@dataclass(frozen=True)
class CostRecord:
    """The whole table.

    Attributes:
        title: What it shows.
        description: What decides its figures: setting, images, versions.
        layers: What each layer with weights is, by index.
        methods: The method of each row.
        rows: By the emulated board.
        scales: The price of dynamic scales, on the emulated board.
        programs: The two images.
        device: Another device that counted too, or None.
        counted: The rows by that device.
        made: The checkout's state and the machine, which decide no figure.
    """

    title: Text
    description: dict[str, Any]
    layers: dict[int, str]
    methods: dict[str, MethodKind]
    rows: tuple[RowCost, ...]
    scales: tuple[ScalesCost, ...]
    programs: tuple[Program, ...]
    device: str | None
    counted: tuple[RowCost, ...]
    made: dict[str, Any]

    def content(self) -> str:
        """The text of its file; but for `made` the same whenever the same is measured."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1) + "\n"


def read_record(path: Path) -> CostRecord:
    """Read a record.

    Raises:
        InputError: It is missing or not a record, or says what cannot be; names the field.
    """
    place = Location(f"{path}", f"a record of {FORMAT}", DO)
    content = read_json(path, place)
    expect_format(content, FORMAT, place)
    record = checked(CostRecord, {name: value for name, value in content.items() if name != "format"}, place)
    description = checked(CostDescription, record.description, place.of("description"))
    checked(MadeBy, record.made, place.of("made"))
    expect_as_written(content, json.loads(record.content()), place)
    expect_none(_record(record, description), place)
    return record


def costs_from_json(kind: type[Costs], content: Any, place: Location) -> Costs:
    """Rows, or the price of dynamic scales, as `dataclasses.asdict` and JSON have left them.

    Args:
        kind: Which of the two, as a tuple of any length.
        content: What was kept.
        place: Where.

    Raises:
        InputError: They are not such, or say what cannot be; names the field.
    """
    costs = checked(kind, content, place)
    expect_as_written(content, json.loads(json.dumps([asdict(cost) for cost in costs])), place)
    for number, cost in enumerate(costs):
        expect_none(_row(cost) if isinstance(cost, RowCost) else _scales(cost), place.of(f"[{number}]"))
    return costs


def _record(record: CostRecord, description: CostDescription) -> Iterator[Finding]:
    network = subject(description.network).network
    layers = {i: str(network.layers[i]) for i in network.weighted}
    if record.layers != layers:
        yield "layers", f"those of {description.network}, {layers}", record.layers
    if (images := tuple(program.image for program in record.programs)) != IMAGES:
        yield "programs", f"those of {IMAGES}", images
    for number, program in enumerate(record.programs):
        sizes = {name: getattr(program, name) for name in ("engine_bytes", "stack", "arena")}
        sizes |= {
            f"{kind}.{name}": size for kind in ("stored", "zeroed") for name, size in getattr(program, kind).items()
        }
        for name, size in sizes.items():
            if not 0 <= size <= MOST_BYTES:
                yield f"programs[{number}].{name}", f"0..{MOST_BYTES} bytes", size
    names = [row.row for row in record.rows]
    if sorted(names) != sorted(record.methods) or not names:
        yield "rows", f"one of each of {list(record.methods)}", names
    counted = [row.row for row in record.counted]
    if counted != ([] if record.device is None else names):
        yield "counted", "the same rows, where another device has counted", counted
    for name, rows in (("rows", record.rows), ("counted", record.counted)):
        for number, row in enumerate(rows):
            yield from under(f"{name}[{number}]", _row(row))
            yield from under(f"{name}[{number}]", _row_in(row, record, description))
    for number, cost in enumerate(record.scales):
        yield from under(f"scales[{number}]", _scales(cost))
        if unknown := {part.layer for part in (*cost.found.parts, *cost.given.parts)} - set(record.layers):
            yield f"scales[{number}]", f"layers {list(record.layers)}", sorted(unknown)
        if cost.found.steps != description.scale_steps:
            yield f"scales[{number}].found.steps", description.scale_steps, cost.found.steps
    if (epochs := tuple(cost.epoch for cost in record.scales)) != description.epochs:
        yield "scales", f"one for each of the epochs {description.epochs}", epochs


def _row_in(row: RowCost, record: CostRecord, description: CostDescription) -> Iterator[Finding]:
    """A row of this table."""
    is_dynamic = record.methods.get(row.row) is MethodKind.NITI_DYNAMIC
    if (None if row.scales is None else list(row.scales)) != (None if is_dynamic else list(record.layers)):
        yield "scales", "null" if is_dynamic else f"those of {list(record.layers)}", row.scales
    if (epochs := tuple(cost.epoch for cost in row.epochs)) != description.epochs:
        yield "epochs", f"one for each of {description.epochs}", epochs
    for number, cost in enumerate(row.epochs):
        for name, taken in (("training", cost.training), ("inference", cost.inference)):
            if taken.steps != description.steps:
                yield f"epochs[{number}].{name}.steps", description.steps, taken.steps
            if unknown := {part.layer for part in taken.parts} - set(record.layers):
                yield f"epochs[{number}].{name}.parts", f"layers {list(record.layers)}", sorted(unknown)
    if any(tensor.layer not in (None, *record.layers) for tensor in row.tensors):
        yield "tensors", f"layers {list(record.layers)}", "another"
    room = next((program for program in record.programs if program.image == description.image), None)
    if room is not None and (used := sum(tensor.bytes for tensor in row.tensors)) > room.arena:
        yield "tensors", f"at most {room.arena} bytes, the arena", used
    if room is not None and (row.stack or 0) > room.stack:
        yield "stack", f"at most {room.stack} bytes", row.stack


def _row(row: RowCost) -> Iterator[Finding]:
    """A row by itself."""
    for layer, shifts in (row.scales or {}).items():
        if len(shifts) != 3 or not all(SHIFT.low <= shift <= SHIFT.high for shift in shifts):
            yield f"scales.{layer}", f"three shifts, {SHIFT}", list(shifts)
    for number, cost in enumerate(row.epochs):
        if not 0 <= cost.state_crc < 2**32:
            yield f"epochs[{number}].state_crc", f"0..{2**32 - 1}", cost.state_crc
        yield from under(f"epochs[{number}].training", _pass(cost.training))
        yield from under(f"epochs[{number}].inference", _pass(cost.inference))
    for number, tensor in enumerate(row.tensors):
        if tensor.kind not in KINDS:
            yield f"tensors[{number}].kind", f"one of {', '.join(KINDS)}", tensor.kind
        if tensor.bytes < 0:
            yield f"tensors[{number}].bytes", "0 or more", tensor.bytes
    if (row.stack is None) == bool(row.tensors) or (row.stack or 0) < 0:
        yield "stack", "0 or more bytes beside tensors, and null without", row.stack


def _scales(cost: ScalesCost) -> Iterator[Finding]:
    yield from under("found", _pass(cost.found))
    yield from under("given", _pass(cost.given))
    if cost.found.steps != cost.given.steps:
        yield "given.steps", f"{cost.found.steps}, the same steps", cost.given.steps


def _pass(taken: Pass) -> Iterator[Finding]:
    """Parts add up to what the device has counted, and no single step is beyond all of them."""
    numbers = {name: getattr(taken, name) for name in ("steps", "cycles", "between", "clock")}
    extremes = {name: getattr(taken, name) for name in ("least", "most", "instructions")}
    for name, value in numbers.items():
        if not (name == "steps") <= value < 2**64:
            yield name, f"{int(name == 'steps')} or more", value
    for name, value in extremes.items():
        if (value is not None) != bool(taken.parts):
            yield name, "a number beside parts, and null without", value
    for number, part in enumerate(taken.parts):
        if part.phase not in PHASES.values():
            yield f"parts[{number}].phase", f"one of {', '.join(PHASES.values())}", part.phase
        if not 0 <= part.instructions <= part.cycles:
            yield f"parts[{number}].instructions", f"0..{part.cycles}, its cycles", part.instructions
    if len({(part.layer, part.phase) for part in taken.parts}) < len(taken.parts):
        yield "parts", "each layer and phase once", "one twice"
    if not taken.parts:
        if taken.between or taken.clock:
            yield "between", "0 without parts", taken.between or taken.clock
        return
    total = sum(part.cycles for part in taken.parts) + taken.between + taken.clock
    if total != taken.cycles:
        yield "cycles", f"{total}, which its parts, between and clock add up to", taken.cycles
    least, most = taken.least or 0, taken.most or 0
    if not 0 <= least <= most or not least * taken.steps <= taken.cycles - taken.clock - taken.between:
        yield "least", "at most the mean of a step's phases, and at most the slowest", least
    if most * taken.steps < taken.cycles - taken.clock - taken.between or most > taken.cycles:
        yield "most", "at least the mean of a step's phases, and at most all cycles", most
    if not sum(part.instructions for part in taken.parts) <= (taken.instructions or 0) <= taken.cycles:
        yield "instructions", "at least those of its parts, and at most its cycles", taken.instructions
