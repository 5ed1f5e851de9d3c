"""Every value of a small range: the roundings over all 16-bit values and shifts, the loss over few classes."""

from itertools import product

import numpy as np
import pytest

from oracle import exact
from priot_hil.reference.arithmetic import bit_width, psto_shift, requantize, round_shift
from priot_hil.reference.loss import loss_error, next_random, sto_shift
from priot_hil.reference.run import LossRounding

VALUES = np.arange(-(2**15), 2**15, dtype=np.int64)
SHIFTS = range(32)
EXPONENTS = range(-13, 26)
COARSE = (-127, -3, 0, 64, 127)


@pytest.mark.parametrize("shift", SHIFTS)
def test_every_16_bit_value_is_rounded_exactly(shift: int) -> None:
    """round_shift, requantize and psto_shift, from their definitions."""
    assert exact.is_nearest(VALUES, shift, round_shift(VALUES, shift)).all()
    assert exact.is_requantized(VALUES, shift, requantize(VALUES, shift).astype(np.int64)).all()
    assert (psto_shift(VALUES, shift) == exact.pseudo_rounded(VALUES, shift)).all()


def test_a_definition_can_be_missed() -> None:
    """The checks above tell the neighbours of the right number, and a tie rounded the other way."""
    for shift in (1, 5, 15):
        right = round_shift(VALUES, shift)
        for wrong in (right + 1, right - 1):
            assert not exact.is_nearest(VALUES, shift, wrong).any()
        toward_zero = np.sign(VALUES) * ((np.abs(VALUES) + 2 ** (shift - 1) - 1) >> shift)
        ties = np.abs(VALUES) % 2**shift == 2 ** (shift - 1)
        assert (exact.is_nearest(VALUES, shift, toward_zero) == ~ties).all()


def test_every_16_bit_width() -> None:
    """The smallest power of two that a magnitude does not exceed."""
    for width in range(16):
        members = [v for v in (2 ** max(width - 1, 0), 2**width - 1, 2**width) if v and 2**width >= v > 2**width // 2]
        assert members
        for value in members:
            assert bit_width(np.array([0, -value])) == width


@pytest.mark.parametrize("shift", [1, 2, 3, 4, 5])
def test_stochastic_rounding_is_unbiased(shift: int) -> None:
    """Over all draws of the bits that matter, the mean of the results is the quotient itself."""
    states = {}
    rng = 1
    while len(states) < 2**shift:
        states.setdefault(next_random(rng) % 2**shift, rng)
        rng = next_random(rng)
    values = [*range(-(2**shift), 2**shift + 1), -2048, 2047]
    for value in values:
        total = sum(int(sto_shift(np.array([value]), shift, state)[0][0]) for state in states.values())
        assert total == value, "2**shift times the mean"


@pytest.mark.parametrize("exponent", [-13, -12, -8, -7, -6, -5, -1, 0, 1, 2, 4, 25])
def test_loss_of_two_classes(exponent: int) -> None:
    """Coarse logits on both sides of every branch and clamp, every label, both roundings, against exact fractions."""
    for logits in product(COARSE, repeat=2):
        expect_exact_loss(logits, exponent)


@pytest.mark.slow
@pytest.mark.parametrize("exponent", [-12, -7, -6, 0, 1])
def test_loss_of_two_classes_over_all_logits(exponent: int) -> None:
    """All 255 x 255 pairs; the labels in turn, since an exchange of the classes is another pair."""
    for logits in product(range(-127, 128), repeat=2):
        expect_exact_loss(logits, exponent, labels=(logits[0] % 2,))


@pytest.mark.slow
@pytest.mark.parametrize("exponent", EXPONENTS)
def test_loss_of_three_classes(exponent: int) -> None:
    """Coarse logits, and those near them."""
    for logits in product((*COARSE, -126, -64, -1, 1, 45, 126), repeat=3):
        expect_exact_loss(logits, exponent, labels=(logits[2] % 3,))


def expect_exact_loss(logits: tuple[int, ...], exponent: int, labels: tuple[int, ...] = ()) -> None:
    """Both roundings; `labels` are all of them where none is given."""
    array, rng = np.array(logits, np.int8), 77 + 1000 * (exponent + 13) + logits[0] + 127
    draws, state = [], rng
    for _ in logits:
        state = next_random(state)
        draws.append(state)
    for label in labels or range(len(logits)):
        got, after = loss_error(array, exponent, label, LossRounding.NEAREST, rng)
        assert (got.tolist(), after) == (exact.loss_error(logits, exponent, label), rng)
        got, after = loss_error(array, exponent, label, LossRounding.STOCHASTIC, rng)
        assert (got.tolist(), after) == (exact.loss_error(logits, exponent, label, draws), state)
