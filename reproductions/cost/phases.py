"""Cycles by layer and phase, from how the firmware's own note of what it is at changes while it works."""

import struct
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from priot_hil.harness.emulator import Change
from priot_hil.harness.protocol import OperationCode

NOTE = "priot_progress"  # of the engine, in SRAM: stage and operation, two words
IDLE = (0, 0)
# In this order in tables. "scale" finds the update's dynamic scale; the gradient itself is summed where it is used.
PHASES = {
    OperationCode.FORWARD: "forward",
    OperationCode.LOSS: "loss",
    OperationCode.ERROR: "error",
    OperationCode.GRADIENT: "scale",
    OperationCode.UPDATE: "update",
}


@dataclass(frozen=True)
class Part:
    """What one phase of one layer took, all steps together.

    Attributes:
        layer: Index of the layer with weights; the layers without weights behind it belong to it.
        phase: One of PHASES.
        cycles: Core cycles.
        instructions: Instructions.
    """

    layer: int
    phase: str
    cycles: int
    instructions: int


@dataclass(frozen=True)
class Pass:
    """A number of steps, training or inference, and what they took.

    Attributes:
        steps: How many.
        cycles: Of all of them together, as the device itself has counted.
        least: Cycles of the quickest one, and
        most: of the slowest, by their phases; None where only the device's own total is known.
        parts: By layer and phase; empty where only the device's own total is known.
        between: Cycles between the phases of one step and the next: finding sample and label, comparing.
        clock: Cycles before the first phase and behind the last one, within what the device counts: reading its clock,
            and after an inference finding the largest logit. Parts, `between` and `clock` together are `cycles`.
        instructions: From the first phase to the end of the last one.
    """

    steps: int
    cycles: int
    least: int | None = None
    most: int | None = None
    parts: tuple[Part, ...] = ()
    between: int = 0
    clock: int = 0
    instructions: int | None = None

    def __add__(self, other: "Pass") -> "Pass":
        """Both, one after the other."""
        cycles, instructions = Counter[tuple[int, str]](), Counter[tuple[int, str]]()
        for part in (*self.parts, *other.parts):
            cycles[part.layer, part.phase] += part.cycles
            instructions[part.layer, part.phase] += part.instructions
        return Pass(
            steps=self.steps + other.steps,
            cycles=self.cycles + other.cycles,
            least=min((value for value in (self.least, other.least) if value is not None), default=None),
            most=max((value for value in (self.most, other.most) if value is not None), default=None),
            parts=tuple(Part(*key, cycles[key], instructions[key]) for key in cycles),
            between=self.between + other.between,
            clock=self.clock + other.clock,
            instructions=(self.instructions or 0) + (other.instructions or 0) or None,
        )

    def mean(self, layer: int | None = None, phase: str | None = None) -> float:
        """Cycles a step, of a layer, a phase, or both; all that the device counts where neither is named."""
        if layer is None and phase is None:
            return self.cycles / self.steps
        wanted = (part for part in self.parts if layer in (None, part.layer) and phase in (None, part.phase))
        return sum(part.cycles for part in wanted) / self.steps


def split(changes: Sequence[Change], steps: int, cycles: int, layers: Sequence[int]) -> Pass:
    """Split what some steps took.

    Args:
        changes: Of the note, from the begin of the first phase to the end of the last one, which leaves it idle.
        steps: How many steps there were.
        cycles: What the device counted for them.
        layers: The layer of each stage.

    Returns:
        The steps.

    Raises:
        ValueError: The changes are not those of so many steps.
    """
    notes = [struct.unpack("<II", change.value) for change in changes]
    ends = [index for index, note in enumerate(notes) if note == IDLE]
    if len(ends) != steps or not ends or ends[-1] != len(notes) - 1 or ends[0] == 0:
        raise ValueError(f"{steps} steps leave the note idle as often, and last of all; got {len(ends)} times")
    spent: Counter[tuple[int, int]] = Counter()
    executed: Counter[tuple[int, int]] = Counter()
    for note, begin, end in zip(notes, changes, changes[1:], strict=False):
        spent[note] += end.cycles - begin.cycles
        executed[note] += end.instructions - begin.instructions
    begins = [0, *(end + 1 for end in ends[:-1])]
    single = [changes[end].cycles - changes[begin].cycles for begin, end in zip(begins, ends, strict=True)]
    return Pass(
        steps=steps,
        cycles=cycles,
        least=min(single),
        most=max(single),
        parts=tuple(
            Part(layers[stage], PHASES[OperationCode(operation)], spent[stage, operation], executed[stage, operation])
            for stage, operation in spent
            if (stage, operation) != IDLE
        ),
        between=spent[IDLE],
        clock=cycles - (changes[-1].cycles - changes[0].cycles),
        instructions=changes[-1].instructions - changes[0].instructions,
    )
