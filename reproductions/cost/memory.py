"""What a method's SRAM holds and what its program takes, from the firmware's own variables and the image itself."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from priot_hil.harness.debug_info import DebugInfo
from priot_hil.harness.emulator import Rp2040
from priot_hil.harness.emulator.image import SRAM_BASE, read_image
from priot_hil.harness.firmware import Image

DEVICE, ENGINE_TYPE = "device", "priot_engine"
STACK_TOP = "__stack_top"
PAINT = 0xA5

# The engine's pointers into the arena, and what lies there.
OF_STAGE = {
    "weights": "weights",
    "scores": "scores",
    "columns": "indices",
    "row_ends": "indices",
    "unmasked": "unmasked weights",
    "output": "activations",
    "route": "pool routes",
    "error": "errors",
}
OF_MODEL = {
    "accumulator": "scratch",
    "terms": "scratch",
    "errors": "scratch",
    "image": "image",
    "input": "image",
    "input_error": "errors",
    "order": "order",
}
KINDS = tuple(dict.fromkeys((*OF_STAGE.values(), *OF_MODEL.values())))
ROOMS = ("kernels", "engine", "link", "boards")


@dataclass(frozen=True)
class Tensor:
    """A piece of the arena.

    Attributes:
        name: The firmware's own for the pointer that leads there.
        kind: One of KINDS.
        layer: Of the network; None where it serves all.
        bytes: Up to the next piece, so with what alignment costs.
    """

    name: str
    kind: str
    layer: int | None
    bytes: int


def arena(machine: Rp2040, info: DebugInfo) -> tuple[Tensor, ...]:
    """How the loaded model lies in the arena, in the order of addresses; all pieces together are what it uses."""
    engine = info.read_variable(DEVICE, machine.read)["engine"]
    model = engine["model"]
    places: list[tuple[int, str, str, int | None]] = []
    for stage in model["stages"][: model["stage_count"]]:
        places += _places(stage, OF_STAGE, stage["layer"])
    places += _places(model, OF_MODEL, None)
    places.sort(key=lambda place: place[0])
    ends = [*(place[0] for place in places[1:]), engine["arena"] + model["arena_used"]]
    if places[0][0] != engine["arena"]:
        raise ValueError(f"the first tensor lies at {places[0][0]:#x}, the arena at {engine['arena']:#x}")
    return tuple(
        Tensor(name, kind, layer, end - begin) for (begin, name, kind, layer), end in zip(places, ends, strict=True)
    )


def _places(record: dict[str, Any], kinds: dict[str, str], layer: int | None) -> list[tuple[int, str, str, int | None]]:
    return [(record[name], name, kind, layer) for name, kind in kinds.items() if record[name]]


def paint_stack(machine: Rp2040) -> None:
    """Fill what is free of the stack, which ends at the bottom of SRAM, while the core waits."""
    machine.write(SRAM_BASE, bytes([PAINT]) * (machine.registers["sp"] - SRAM_BASE))


def stack_high_water(machine: Rp2040) -> int:
    """The bytes of stack that were used since it was painted, at most."""
    top = machine.symbols[STACK_TOP]
    stack = machine.read(SRAM_BASE, top - SRAM_BASE)
    return len(stack.lstrip(bytes([PAINT])))


@dataclass(frozen=True)
class Program:
    """An image's own bytes, whatever is loaded into it.

    Attributes:
        image: "flash" or "ram".
        stored: Bytes that the image brings along, code and constants, by source file.
        zeroed: SRAM of its variables, by source file.
        engine_bytes: Of the variables, those of the engine: the model's description and how it is laid out.
        stack: SRAM set aside for the stack.
        arena: SRAM left for a model.
    """

    image: str
    stored: dict[str, int]
    zeroed: dict[str, int]
    engine_bytes: int
    stack: int
    arena: int


def program(name: str, image: Image, info: DebugInfo) -> Program:
    """The program of an image; sources without a name are alignment, vectors, boot2 and the build id."""
    return Program(
        image=name,
        stored=dict(sorted(info.bytes_by_source(stored=True).items())),
        zeroed=dict(sorted(info.bytes_by_source(stored=False).items())),
        engine_bytes=info.size_of(ENGINE_TYPE),
        stack=read_image(image.elf).symbols[STACK_TOP] - SRAM_BASE,
        arena=image.sizes.arena,
    )


def room(source: str) -> str:
    """The room of a source file; "rest" for what belongs to none."""
    first = Path(source).parts[:1]
    return first[0] if first and first[0] in ROOMS else "rest"
