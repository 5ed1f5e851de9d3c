"""The arithmetic that every kernel shares: bit width, the two deterministic roundings, requantization.

All of it is sign-magnitude: a value is divided by shifting its magnitude, so that both signs round alike.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from .checks import Int8Array
from .errors import ShiftError
from .ranges import SHIFT, VALUE

IntArray = npt.NDArray[np.signedinteger[Any]]

INT8_BITS = 7


def check_shift(shift: int) -> None:
    """Refuse a shift outside 0..31.

    Raises:
        ShiftError: It is outside.
    """
    SHIFT.check("shift", shift, ShiftError)


def clip(values: IntArray) -> Int8Array:
    """Clip to -127..127; -128 is no legal value anywhere."""
    return np.clip(values, VALUE.low, VALUE.high).astype(np.int8)


def bit_width(values: IntArray) -> int:
    """ceil(log2(max |values|)): 0 for a tensor that is empty, all zero, or at most 1 in magnitude.

    Args:
        values: Any integer dtype and shape.

    Returns:
        The smallest b with max |values| <= 2**b; 127 and 128 give 7, 129 gives 8.

    Source: NITI, arXiv 2009.13108.
    """
    if values.size == 0:
        return 0
    largest = max(int(values.max()), -int(values.min()))
    return (largest - 1).bit_length() if largest else 0


def round_shift(values: IntArray, shift: int) -> IntArray:
    """Divide by 2**shift, rounding half away from zero.

    Args:
        values: int8 to int64, magnitudes below 2**62.
        shift: 0..31.

    Returns:
        int64, same shape.

    Raises:
        ShiftError: shift outside 0..31.
    """
    check_shift(shift)
    wide = values.astype(np.int64)
    if shift == 0:
        return wide
    rounded: IntArray = np.sign(wide) * ((np.abs(wide) + (1 << (shift - 1))) >> shift)
    return rounded


def psto_shift(values: IntArray, shift: int) -> IntArray:
    """Divide by 2**shift with NITI's pseudo-stochastic rounding.

    The discarded bits are split in half; the quotient is rounded up when the upper half exceeds the lower, which stands
    in for a random number. Deterministic, so every engine can reproduce it.

    Args:
        values: int8 to int64, magnitudes below 2**62.
        shift: 0..31.

    Returns:
        int64, same shape, |result| <= (|values| >> shift) + 1.

    Raises:
        ShiftError: shift outside 0..31.

    Source: NITI, arXiv 2009.13108, section III; sign-magnitude form.
    """
    check_shift(shift)
    wide = values.astype(np.int64)
    if shift == 0:
        return wide
    magnitude = np.abs(wide)
    half = shift // 2
    discarded = magnitude & ((1 << shift) - 1)
    upper = discarded >> half
    # An odd shift leaves the lower half one bit short; doubling makes the two comparable.
    lower = (discarded & ((1 << half) - 1)) << (shift % 2)
    rounded: IntArray = np.sign(wide) * ((magnitude >> shift) + (upper > lower))
    return rounded


def requantize(accumulator: IntArray, shift: int) -> Int8Array:
    """clip(round_shift(accumulator, shift)): an int32 sum becomes an int8 value.

    Args:
        accumulator: int32, any shape.
        shift: 0..31.

    Returns:
        int8, same shape, -127..127.

    Raises:
        ShiftError: shift outside 0..31.
    """
    return clip(round_shift(accumulator, shift))


def requantize_shift(accumulator: IntArray) -> int:
    """The dynamic shift that just fits an accumulator into int8: max(0, bit_width - 7)."""
    return max(0, bit_width(accumulator) - INT8_BITS)


def update_shift(gradient: IntArray, mu: int) -> int:
    """The dynamic shift that leaves an update of mu bits: max(0, bit_width - mu)."""
    return max(0, bit_width(gradient) - mu)
