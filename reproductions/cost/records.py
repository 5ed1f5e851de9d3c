"""The record of the table of costs as JSON: what was measured, of what, and by which versions."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from priot_hil.reference.errors import InputError

from .memory import Program, Tensor
from .phases import Part, Pass
from .rows import EpochCost, RowCost
from .scales import ScalesCost
from .setting import FORMAT

DO = "delete it and give the same command again"


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

    title: str
    description: dict[str, Any]
    layers: dict[int, str]
    methods: dict[str, str]
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
        InputError: It is missing or not a record.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"format is not {FORMAT}")
        return CostRecord(
            title=content["title"],
            description=content["description"],
            layers={int(layer): name for layer, name in content["layers"].items()},
            methods=content["methods"],
            rows=rows_from_json(content["rows"]),
            scales=scales_from_json(content["scales"]),
            programs=tuple(Program(**image) for image in content["programs"]),
            device=content["device"],
            counted=rows_from_json(content["counted"]),
            made=content["made"],
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        got = f"{type(error).__name__} {error}"
        raise InputError.about(f"{path}", expected=f"a record of {FORMAT}", got=got, do=DO) from error


def rows_from_json(content: Sequence[dict[str, Any]]) -> tuple[RowCost, ...]:
    """Rows, as `dataclasses.asdict` and JSON have left them."""
    return tuple(_row(row) for row in content)


def _row(content: dict[str, Any]) -> RowCost:
    scales = content["scales"]
    return RowCost(
        row=content["row"],
        scales=None if scales is None else {int(layer): tuple(shifts) for layer, shifts in scales.items()},
        epochs=tuple(
            EpochCost(e["epoch"], _pass(e["training"]), _pass(e["inference"]), e["state_crc"])
            for e in content["epochs"]
        ),
        tensors=tuple(Tensor(**tensor) for tensor in content["tensors"]),
        stack=content["stack"],
    )


def scales_from_json(content: Sequence[dict[str, Any]]) -> tuple[ScalesCost, ...]:
    """The price of dynamic scales, left likewise."""
    return tuple(ScalesCost(cost["epoch"], _pass(cost["found"]), _pass(cost["given"])) for cost in content)


def _pass(content: dict[str, Any]) -> Pass:
    return Pass(**{**content, "parts": tuple(Part(**part) for part in content["parts"])})
