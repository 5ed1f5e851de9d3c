"""The integer cross-entropy error, worked out from its formulas."""

import numpy as np
import pytest

from priot_hil.reference.loss import loss_error, next_random, predict, softmax_numerators, sto_shift
from priot_hil.reference.run import LossRounding, run_rng


def int8(*values):
    """The values as an int8 array."""
    return np.array(values, dtype=np.int8)


def test_xorshift32_is_the_published_generator():
    """The well-known sequence from state 1."""
    rng, drawn = 1, []
    for _ in range(5):
        rng = next_random(rng)
        drawn.append(rng)
    assert drawn == [270369, 67634689, 2647435461, 307599695, 2398689233]


def test_sto_shift_by_hand():
    """The draws from state 1 end in 1, 1, 5, 15, 1: a remainder rounds up only if it is larger; 0 draws too."""
    values = np.array([8, 1, -21, 31, 16])
    assert sto_shift(values, 4, 1)[0].tolist() == [1, 0, -1, 1, 1]
    assert sto_shift(np.array([-24, 2, -22]), 4, 1)[0].tolist() == [-2, 1, -2]
    assert sto_shift(values, 4, 1)[1] == 2398689233


def test_sto_shift_by_nothing_draws_nothing():
    """Shift 0 leaves values and generator alone."""
    values, rng = sto_shift(np.array([5, -5]), 0, 77)
    assert (values.tolist(), rng) == ([5, -5], 77)


@pytest.mark.parametrize(
    ("logits", "exponent", "numerators"),
    [
        # trunc(127 * 47274 / 2**15) = 183, the other 366 below it.
        ((127, -127), 0, [1023, 0]),
        # trunc(+-1.44) = +-1, halved 0: both are the largest. A floor would tell them apart.
        ((1, -1), -1, [1023, 1023]),
        # 1, 0, trunc(-11.54) = -11; doubled 2, 0, -22; lifted by 8: 10, 8, none left.
        ((1, 0, -8), 1, [1023, 255, 0]),
        # e = -6 is still the power of two: 183 >> 6 = 2, 0; lifted by 8.
        ((127, 0), -6, [1023, 255]),
        # e = -7 is the series: 2**15 + o * 2**8 + o**2.
        ((127, 0, -127), -7, [32768 + 32512 + 16129, 32768, 32768 - 32512 + 16129]),
        ((127, -1), -12, [2**25 + 127 * 2**13 + 127**2, 2**25 - 2**13 + 1]),
        ((127, -1), -40, [2**25 + 127 * 2**13 + 127**2, 2**25 - 2**13 + 1]),
        ((1, 0, 0), 24, [1023, 0, 0]),
        ((127, 126, -127), 90, [1023, 0, 0]),
    ],
)
def test_softmax_numerators(logits, exponent, numerators):
    """Both branches, their border at -7, truncation toward zero and the clamp of the exponent."""
    assert softmax_numerators(int8(*logits), exponent).tolist() == numerators


@pytest.mark.parametrize(
    ("logits", "exponent", "label", "error"),
    [
        # p = 1024 each; the label's is 1024 - 2048.
        ((0, 0), -7, 1, [64, -64]),
        # p = 2048, 0: right, so no error; wrong, so +-128, clipped.
        ((127, -127), 0, 0, [0, 0]),
        ((127, -127), 0, 1, [127, -127]),
        # p = 682, 682, 682: their sum is 2046, so the label gets -1364; 682 / 16 = 42.6, 1364 / 16 = 85.25.
        ((5, 5, 5), -3, 0, [-85, 43, 43]),
    ],
)
def test_loss_error_rounded_to_nearest(logits, exponent, label, error):
    """Nothing is drawn."""
    got, rng = loss_error(int8(*logits), exponent, label, LossRounding.NEAREST, 5)
    assert (got.tolist(), got.dtype, rng) == (error, np.int8, 5)


def test_loss_error_rounded_stochastically():
    """Of p = -1364, 682, 682 the remainders 4, 10, 10 meet the draws 1, 1, 5: all round up in magnitude."""
    error, rng = loss_error(int8(5, 5, 5), -3, 0, LossRounding.STOCHASTIC, 1)
    assert (error.tolist(), rng) == ([-86, 43, 43], 2647435461)


def test_largest_loss_stays_exact():
    """1,024 classes at both ends of the exponents: the probabilities sum to at most 1 and the error clips."""
    logits = np.full(1024, 127, dtype=np.int8)
    for exponent in (-12, 24):
        error, _ = loss_error(logits, exponent, 1023, LossRounding.NEAREST, 1)
        assert error.tolist() == [0] * 1023 + [-127]  # p = 2 each, 2 - 2048 for the label


def test_prediction_is_the_first_of_the_largest():
    """Ties go to the lower index."""
    assert predict(int8(-3, 7, 7)) == 1


def test_generator_starts_from_the_seed_and_never_at_zero():
    """Seed 2**32 - 1 would start at 0, where xorshift32 stays."""
    assert [run_rng(seed) for seed in (0, 1, 2**32 - 1)] == [2654435761, 1013904226, 1]
