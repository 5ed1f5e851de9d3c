"""NITI's formulas as tables and closed forms, worked out by hand, and held against what they stand for.

Source: NITI's public code (github.com/wangmaolin/niti, `ti_torch.py` and `ti_loss.py`), which goes with arXiv
2009.13108; of the paper only what the code shows. Its divisions of whole numbers truncate toward zero. What this
project decides otherwise (+128 is clipped, random numbers are pinned, ...) is marked in docs/semantics.md.
"""

import math
from fractions import Fraction

import numpy as np
import pytest

from priot_hil.reference import loss
from priot_hil.reference.arithmetic import psto_shift, requantize_shift, update_shift
from priot_hil.reference.loss import softmax_numerators

EVERY = np.arange(-127, 128).astype(np.int8)

# The lost bits in two halves; up where the first exceeds the second, which counts double where it is one bit shorter.
PSEUDO = {
    1: [0, 1],  # 0 and 1 against nothing
    2: [0, 0, 1, 0],  # 0|0 0|1 1|0 1|1
    3: [0, 0, 1, 0, 1, 0, 1, 1],  # 0|0 0|2 1|0 1|2 2|0 2|2 3|0 3|2
    4: [0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 0],  # 1|0, 2|0, 2|1, 3|0, 3|1, 3|2
}


@pytest.mark.parametrize("shift", PSEUDO)
def test_pseudo_stochastic_rounding_by_hand(shift: int) -> None:
    """PstoShift: every remainder, behind a whole part of 5, and the same below zero."""
    values = 5 * 2**shift + np.arange(2**shift)
    expected = 5 + np.array(PSEUDO[shift])
    assert psto_shift(values, shift).tolist() == expected.tolist()
    assert psto_shift(-values, shift).tolist() == (-expected).tolist()


@pytest.mark.parametrize("shift", range(1, 17))
def test_pseudo_stochastic_rounding_goes_up_half_of_the_time(shift: int) -> None:
    """Of n x n pairs of halves n(n-1)/2 go up; with a longer first half, m x m of 2m x m: what a fair draw would do."""
    n = 2 ** (shift // 2)
    assert psto_shift(np.arange(2**shift), shift).sum() == (n * n if shift % 2 else n * (n - 1) // 2)


@pytest.mark.parametrize(
    ("largest", "activation", "update"),
    [
        # ceil(log2(largest)) - 7, and - 5 for a gradient with mu = 5; nothing below 0.
        *[(0, 0, 0), (1, 0, 0), (32, 0, 0), (33, 0, 1), (127, 0, 2), (128, 0, 2), (129, 1, 3), (256, 1, 3)],
        *[(257, 2, 4), (127**2, 7, 9), (9 * 127**2, 11, 13), (784 * 127**2, 17, 19), (2**31 - 1, 24, 26)],
    ],
)
def test_dynamic_shifts_by_hand(largest: int, activation: int, update: int) -> None:
    """act_calc, err_calc and grad_calc: the range is the width of the largest magnitude, of which 7 or mu bits stay."""
    for sign in (1, -1):
        tensor = np.array([0, sign * largest])
        assert (requantize_shift(tensor), update_shift(tensor, 5)) == (activation, update)


def test_the_base_of_the_loss_is_two() -> None:
    """47274 / 2**15 is log2(e), cut off behind its 15th binary digit."""
    assert math.floor(math.log2(math.e) * 2**15) == loss.LOG2_E == 47274


@pytest.mark.parametrize("exponent", range(-12, -6))
def test_fine_logits_are_a_series(exponent: int) -> None:
    """1 + z + z**2 / 2, exactly; and e**z as nearly as Taylor's remainder says, max(1, e**z) * |z|**3 / 6."""
    numerators = softmax_numerators(EVERY, exponent)
    for logit, numerator in zip(EVERY.tolist(), numerators.tolist(), strict=True):
        z = Fraction(logit, 2**-exponent)
        series = Fraction(numerator, 2 ** (1 - 2 * exponent))
        assert series == 1 + z + z * z / 2
        assert abs(float(series) - math.exp(z)) <= max(1.0, math.exp(z)) * abs(float(z)) ** 3 / 6 + 1e-12


@pytest.mark.parametrize("exponent", range(-6, 4))
def test_coarse_logits_are_powers_of_two(exponent: int) -> None:
    """2**(10 - d) - 1, where d stands for how many powers of two a logit is below the largest.

    Both logits lose less than 1 by each of the two divisions, the first of them before it is multiplied by 2**exponent.
    """
    unit = 2.0**exponent
    for logit in EVERY.tolist():
        largest, numerator = softmax_numerators(np.array([127, logit], np.int8), exponent).tolist()
        assert largest == 2**10 - 1
        assert (numerator + 1).bit_count() == 1
        below = 10 - int(math.log2(numerator + 1))
        exact = (127 - logit) * unit * math.log2(math.e)
        slack = 2 * (1 + 1.01 * unit)
        assert exact > 10 - slack if below == 10 else abs(below - exact) < slack  # farther below, all count as 0
