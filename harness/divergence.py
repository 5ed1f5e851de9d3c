"""What is said where two engines differ: the first element, what stands behind it and beside it."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.signedinteger]

NEIGHBOURS = 3  # on either side of an element
AT_THE_END = "after the last step"
# What the axes of a tensor are called, by their number.
AXES = {1: "i", 2: "oi", 3: "cyx", 4: ("o", "c", "ky", "kx")}


@dataclass(frozen=True)
class Difference:
    """The first element in which two tensors differ, in row-major order.

    Attributes:
        index: Where; empty for single numbers and for tensors of unlike shape.
        expected: The value, or the shape and dtype where those differ.
        got: Likewise.
        equal_before: Number of equal elements before it.
        differing: Number of elements that differ in all.
        total: Number of elements.
        beside: The elements around it in its row, it among them; None where there is no row.
    """

    index: tuple[int, ...]
    expected: int | str
    got: int | str
    equal_before: int = 0
    differing: int = 1
    total: int = 1
    beside: "Beside | None" = field(default=None, compare=False)


@dataclass(frozen=True)
class Beside:
    """A piece of a row, the last axis of a tensor.

    Attributes:
        start: Index of its first element.
        at: Position in the piece of the element that it surrounds.
        expected: Its values.
        got: Likewise.
    """

    start: int
    at: int
    expected: tuple[int, ...]
    got: tuple[int, ...]

    def lines(self, axis: str, engine: str) -> list[str]:
        """Both rows, one below the other, the element in brackets."""
        width = max(len(str(value)) for value in (*self.expected, *self.got))
        label = f"{axis}={self.start}..{self.start + len(self.expected) - 1}"
        name_width = max(len("expected"), len(engine))
        lines = []
        for name, values in (("expected", self.expected), (engine, self.got)):
            cells = [f"[{v:>{width}}]" if i == self.at else f" {v:>{width}} " for i, v in enumerate(values)]
            lines.append(f"    {label}  {name:{name_width}}  {''.join(cells)}".rstrip())
            label = " " * len(label)
        return lines


@dataclass(frozen=True)
class Divergence:
    """Where an engine first leaves what is expected, with enough to start fixing.

    Attributes:
        engine: Name of the engine that was checked.
        step: Index of the sample, from 0; None for what belongs to none.
        where: The layer, e.g. ``"layer 2 conv2d 8->16 k3"``; empty where it belongs to none.
        tensor: What differs: ``"output"``, ``"error"``, ``"forward shift"``, ``"prediction"``, ``"scores"``, ...
        difference: The first element that differs.
        origin: Where the expected value comes from, e.g. ``"accumulator -1030, shift 8"``; empty if unknown.
        moment: What to say where there is no step.
        story: How the expected value came about, in words, and which mistake would give the other; empty if unknown.
    """

    engine: str
    step: int | None
    where: str
    tensor: str
    difference: Difference
    origin: str = ""
    moment: str = AT_THE_END
    story: str = ""

    def __str__(self) -> str:
        found = self.difference
        names = AXES.get(len(found.index), [f"axis{i}=" for i in range(len(found.index))])
        index = " ".join(f"{name}={i}" for name, i in zip(names, found.index, strict=True))
        step = self.moment if self.step is None else f"at step {self.step}"
        parts = [step, self.where, f"tensor {self.tensor}" if index else self.tensor, f"[{index}]" if index else ""]
        origin = f" ({self.origin})" if self.origin else ""
        lines = [
            "first divergence " + ", ".join(part for part in parts if part),
            f"    expected {found.expected}{origin}   {self.engine} {found.got}",
        ]
        if self.story:
            lines.append(f"    {self.story}")
        if found.beside is not None:
            lines += found.beside.lines(names[len(found.index) - 1].rstrip("="), self.engine)
        if found.total > 1:
            verb = "differs" if found.differing == 1 else "differ"
            lines.append(
                f"    {found.equal_before:,} of {found.total:,} elements equal before it; {found.differing:,} {verb}"
            )
        return "\n".join(lines)


class Mismatch(AssertionError):
    """An engine's integers are not those expected; carries the `Divergence`."""

    def __init__(self, divergence: Divergence):
        super().__init__(str(divergence))
        self.divergence = divergence


def first_difference(expected: IntArray, got: IntArray) -> Difference | None:
    """Find the first element in which two tensors differ.

    Args:
        expected: Integers, any shape.
        got: Should have the same shape and dtype.

    Returns:
        The difference, or None where both are equal in shape, dtype and every element.
    """
    if expected.shape != got.shape or expected.dtype != got.dtype:
        return Difference((), _form(expected), _form(got))
    differing = np.flatnonzero(expected != got)
    if not differing.size:
        return None
    first = int(differing[0])
    index = tuple(int(i) for i in np.unravel_index(first, expected.shape))
    beside = _beside(expected, got, index)
    return Difference(index, int(expected[index]), int(got[index]), first, differing.size, expected.size, beside)


def difference_of(expected: int, got: int) -> Difference | None:
    """The difference of two single numbers, or None where they are equal."""
    return None if expected == got else Difference((), expected, got)


def _beside(expected: IntArray, got: IntArray, index: tuple[int, ...]) -> Beside | None:
    """What stands around an element in its row; None where it stands alone."""
    *row, at = index
    rows = expected[tuple(row)], got[tuple(row)]
    start = max(0, min(at - NEIGHBOURS, len(rows[0]) - 2 * NEIGHBOURS - 1))
    piece = slice(start, start + 2 * NEIGHBOURS + 1)
    wanted, had = (tuple(int(value) for value in one[piece]) for one in rows)
    return Beside(start, at - start, wanted, had) if len(wanted) > 1 else None


def _form(tensor: IntArray) -> str:
    return f"{tensor.dtype} of shape {tensor.shape}"
