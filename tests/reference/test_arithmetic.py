"""Widths and roundings against exact rational arithmetic."""

import math
from fractions import Fraction

import numpy as np
import pytest

from priot_hil.reference.arithmetic import (
    bit_width,
    clip,
    psto_shift,
    requantize,
    requantize_shift,
    round_shift,
    update_shift,
)
from priot_hil.reference.errors import ShiftError

SMALL = range(-600, 601)
LARGEST = 2**31 - 1
LARGE = sorted(
    {sign * (edge + d) for sign in (1, -1) for edge in (2**15, 2**24, 2**30) for d in (-1, 0, 1)} | {LARGEST, -LARGEST}
)


def sign(value: int) -> int:
    """-1, 0 or 1."""
    return (value > 0) - (value < 0)


def exact_round(value: int, shift: int) -> int:
    """Half away from zero: the floor of the exact magnitude and a half."""
    return sign(value) * math.floor(Fraction(abs(value), 2**shift) + Fraction(1, 2))


def exact_psto(value: int, shift: int) -> int:
    """Round up where the first bits behind the point exceed the rest, scaled as if it were as long."""
    exact = Fraction(abs(value), 2**shift)
    whole = math.floor(exact)
    bits = shift - shift // 2
    fraction = (exact - whole) * 2**bits
    upper = math.floor(fraction)
    lower = (fraction - upper) * 2**bits
    return sign(value) * (whole + (upper > lower))


@pytest.mark.parametrize(("shifts", "values"), [(range(12), SMALL), (range(32), LARGE)], ids=["small", "large"])
@pytest.mark.parametrize(("rounding", "exact"), [(round_shift, exact_round), (psto_shift, exact_psto)])
def test_roundings_are_exact(rounding, exact, shifts, values):
    """Every value of a small range at every shift that matters, and the largest values at all shifts."""
    for shift in shifts:
        got = rounding(np.array(values, dtype=np.int32), shift).tolist()
        assert got == [exact(value, shift) for value in values], f"shift {shift}"


def test_psto_by_hand():
    """7 at shift 3 is 0b111: upper half 0b11, lower half 0b1, doubled 2; 3 > 2 rounds up."""
    values = np.array([7, 5, -7, 8 + 5, -8 - 7], dtype=np.int32)
    assert psto_shift(values, 3).tolist() == [1, 0, -1, 1, -2]


def test_roundings_have_no_bias_of_sign():
    """What a division of negative numbers would break."""
    values = np.arange(1, 2000)
    for shift in (1, 2, 5, 8):
        for rounding in (round_shift, psto_shift):
            assert (rounding(-values, shift) == -rounding(values, shift)).all()


@pytest.mark.parametrize(
    ("values", "width"),
    [
        *[([], 0), ([0, 0], 0), ([1], 0), ([-1, 0], 0), ([2], 1), ([-3], 2), ([4], 2), ([5], 3), ([3, -9], 4)],
        *[([127], 7), ([128], 7), ([-129], 8), ([2**30], 30), ([-(2**31 - 1)], 31)],
    ],
)
def test_bit_width(values, width):
    """ceil(log2(max |T|)), and 0 where there is nothing to take a logarithm of."""
    assert bit_width(np.array(values, dtype=np.int32)) == width


@pytest.mark.parametrize("value", range(1, 1025))
def test_bit_width_bounds_the_value(value):
    """The smallest b with value <= 2**b."""
    b = bit_width(np.array([-value]))
    assert value <= 2**b
    assert b == 0 or value > 2 ** (b - 1)


def test_dynamic_shifts():
    """An accumulator keeps 7 bits, a gradient mu bits; neither shift is negative."""
    assert [requantize_shift(np.array([v])) for v in (0, 128, 129, 2**20)] == [0, 0, 1, 13]
    assert [update_shift(np.array([v]), 5) for v in (0, 32, 33, 2**20)] == [0, 0, 1, 15]


def test_clip_and_requantize_never_give_minus_128():
    """+-127 are the ends, also where a rounding leads one beyond."""
    assert clip(np.array([-128, -127, 127, 128, 10**6])).tolist() == [-127, -127, 127, 127, 127]
    assert requantize(np.array([255, -255, 254, 3, -3], dtype=np.int32), 1).tolist() == [127, -127, 127, 2, -2]
    assert requantize(np.array([1]), 0).dtype == np.int8


@pytest.mark.parametrize("shift", [-1, 32, 1.0, True])
@pytest.mark.parametrize("rounding", [round_shift, psto_shift, requantize])
def test_illegal_shifts_are_refused(rounding, shift):
    """A shift is a whole number in 0..31."""
    with pytest.raises(ShiftError, match=r"shift: expected a whole number in 0\.\.31, got"):
        rounding(np.array([1]), shift)
