"""int8 arrays and masks, each drawn as one string of bytes.

One draw an array is what makes a thousand cases a second possible. The first byte selects a palette, every other byte
an entry of that palette's table of 256 values; tables begin with their simplest value, and bytes shrink to 0.
"""

from collections.abc import Iterable
from enum import StrEnum
from functools import cache, partial

import numpy as np
from hypothesis import strategies as st

from priot_hil.reference.checks import BoolArray, Int8Array

DRAWN = 61
"""Values drawn for each array; a smaller one leaves some unused, a larger one repeats them.

A prime, so that rows and planes differ. One number for all, since hypothesis also makes cases by moving a draw to where
another was, and one that does not fit there turns to zeros: with sizes of their own half of all arrays did.
"""

PATTERN = st.binary(min_size=1 + DRAWN, max_size=1 + DRAWN)
HALF = 128

EVERY = (0, *(sign * v for v in range(1, 128) for sign in (1, -1)))
EDGES = (0, 1, -1, 127, -127, 126, -126, *(sign * 2**k for k in range(1, 7) for sign in (1, -1)))


class Palette(StrEnum):
    """What the values of an array are drawn from."""

    EDGES = "edges"
    EVERY = "every"
    SPARSE = "sparse"
    POSITIVE = "positive"
    SMALL = "small"
    SATURATING = "saturating"
    CONSTANT = "constant"
    ZERO = "zero"
    BOUND = "bound"


SHARES = {
    Palette.EDGES: 8,
    Palette.EVERY: 8,
    Palette.SPARSE: 6,
    Palette.POSITIVE: 3,
    Palette.SMALL: 2,
    Palette.SATURATING: 2,
    Palette.CONSTANT: 2,
    Palette.ZERO: 1,
}
"""How many of 32 arrays come from each palette, in the order in which the choice shrinks."""

ALL = tuple(palette for palette, share in SHARES.items() for _ in range(share))

EXTREME = (Palette.BOUND, Palette.BOUND, Palette.BOUND, Palette.SATURATING)
"""Palettes that drive sums to their bounds: all 127, all -127, or some of each."""


@cache
def int8_values() -> st.SearchStrategy[int]:
    """One value in -127..127; edges are half of all. Shrinks to 0, then to small magnitudes."""
    return st.sampled_from(EVERY + EDGES * (len(EVERY) // len(EDGES)))


@cache
def int8_arrays(
    shape: tuple[int, ...], near: int | None = None, palettes: tuple[Palette, ...] = ()
) -> st.SearchStrategy[Int8Array]:
    """An int8 array in -127..127, with weight on edges, sparse, saturating, constant and all-zero ones.

    Shrinks towards zeros, except where the palette has none (saturating).

    Args:
        shape: Of the array; beyond 61 elements the values repeat.
        near: A threshold in -127..127 whose neighbourhood is drawn often; None for no such value.
        palettes: Those to draw from, equally often; all of them, by their shares, where empty.
    """
    return PATTERN.map(partial(_array, shape, near, palettes or ALL))


@cache
def masks(shape: tuple[int, ...]) -> st.SearchStrategy[BoolArray]:
    """A mask of scored edges: none, few, half, most or all of them. Shrinks to none."""
    return PATTERN.map(partial(_mask, shape))


def _array(shape: tuple[int, ...], near: int | None, palettes: tuple[Palette, ...], drawn: bytes) -> Int8Array:
    palette = palettes[drawn[0] * len(palettes) // 256]
    values = _table(palette, near)[np.frombuffer(drawn, np.uint8, offset=1)]
    if palette in (Palette.CONSTANT, Palette.BOUND):
        values = values[:1]
    return np.resize(values, shape)


def _mask(shape: tuple[int, ...], drawn: bytes) -> BoolArray:
    # 256 leaves none, 0 all; the smallest selector is the plain half, whose bytes shrink to none.
    least = (128, 128, 128, 230, 230, 32, 0, 256)[drawn[0] // 32]
    return np.resize(np.frombuffer(drawn, np.uint8, offset=1) >= least, shape)


@cache
def _table(palette: Palette, near: int | None) -> Int8Array:
    """The 256 values of a palette, the simplest first."""
    match palette:
        case Palette.EDGES:
            values = _repeated(EDGES, 256)
        case Palette.SPARSE:
            values = (0,) * 200 + _repeated((*EVERY[1::5], 127, -127), 56)
        case Palette.POSITIVE:
            values = (0,) * HALF + tuple(range(HALF))
        case Palette.SMALL:
            values = _repeated(EVERY[:7], 256)
        case Palette.SATURATING | Palette.BOUND:
            values = (127,) * HALF + (-127,) * HALF
        case Palette.ZERO:
            values = (0,) * 256
        case Palette.EVERY | Palette.CONSTANT:
            values = _repeated(EVERY, 256)
    if near is not None and palette in (Palette.EDGES, Palette.EVERY, Palette.SPARSE):
        neighbours = [min(max(near + step, -127), 127) for step in (0, -1, 1)]
        # Every second pair, so that both signs and the whole range remain.
        values = tuple(v for k, v in enumerate(values) if k // 2 % 2 == 0) + _repeated(neighbours, HALF)
    return np.array(values, np.int8)


def _repeated(values: Iterable[int], count: int) -> tuple[int, ...]:
    return tuple(int(v) for v in np.resize(tuple(values), count))
