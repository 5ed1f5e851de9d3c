"""Integer cross-entropy: the prediction, the error of the logits, and the random numbers that round it."""

import numpy as np

from .arithmetic import IntArray, check_shift, clip, round_shift
from .checks import Int8Array
from .kinds import LossRounding
from .ranges import LOGIT_EXPONENT

LOG2_E = 47274  # log2(e) in units of 2**-15
PROBABILITY_BITS = 11
ERROR_SHIFT = 4
WINDOW = 10  # logits more than this many powers of two below the largest count as 0


def predict(logits: Int8Array) -> int:
    """The lowest index that holds the largest logit."""
    return int(logits.argmax())


def next_random(rng: int) -> int:
    """The next state of xorshift32, which is also the number drawn.

    Args:
        rng: The state, 1..2**32-1.

    Returns:
        1..2**32-1.

    Source: Marsaglia, Xorshift RNGs, Journal of Statistical Software 8(14), 2003; shifts 13, 17, 5.
    """
    rng ^= rng << 13 & 0xFFFFFFFF
    rng ^= rng >> 17
    return rng ^ (rng << 5 & 0xFFFFFFFF)


def sto_shift(values: IntArray, shift: int, rng: int) -> tuple[IntArray, int]:
    """Divide by 2**shift with NITI's stochastic rounding, one draw an element in row-major order.

    Args:
        values: int8 to int64, any shape.
        shift: 0..31; at 0 nothing is drawn.
        rng: The generator's state.

    Returns:
        The quotients (int64, same shape) and the generator's state after the draws.

    Raises:
        ShiftError: shift outside 0..31.

    Source: NITI, arXiv 2009.13108, section III; sign-magnitude form with a pinned generator.
    """
    check_shift(shift)
    wide = values.astype(np.int64)
    if shift == 0:
        return wide, rng
    draws = np.empty(wide.size, dtype=np.int64)
    for i in range(wide.size):
        rng = next_random(rng)
        draws[i] = rng
    low_bits = (1 << shift) - 1
    magnitude = np.abs(wide)
    rounds_up = (magnitude & low_bits) > (draws.reshape(wide.shape) & low_bits)
    return np.sign(wide) * ((magnitude >> shift) + rounds_up), rng


def softmax_numerators(logits: Int8Array, exponent: int) -> IntArray:
    """Integer stand-ins g for exp(logits * 2**exponent), equal up to a common factor.

    Powers of two where the logits are coarse; the first terms of the exponential series where they are fine.

    Args:
        logits: int8, (K,).
        exponent: Of the logits; clamped to -12..24.

    Returns:
        int64, (K,), each >= 0, at least one > 0.
    """
    exponent = min(max(exponent, LOGIT_EXPONENT.low), LOGIT_EXPONENT.high)
    o = logits.astype(np.int64)
    if exponent <= -7:
        g: IntArray = (1 << (1 - 2 * exponent)) + o * (1 << (1 - exponent)) + o * o
        return g
    s = _divide_toward_zero(o * LOG2_E, 15)
    s = s * (1 << exponent) if exponent >= 0 else _divide_toward_zero(s, -exponent)
    s = np.maximum(s - (s.max() - WINDOW), 0)
    g = (np.int64(1) << s) - 1
    return g


def probability_error(logits: Int8Array, exponent: int, label: int) -> IntArray:
    """Softmax minus the one-hot label, in units of 2**-11.

    Args:
        logits: int8, (K,), 2 <= K <= 1024.
        exponent: Of the logits, any whole number.
        label: 0..K-1.

    Returns:
        int64, (K,), -2048..2048, of sum 0.
    """
    g = softmax_numerators(logits, exponent)
    p: IntArray = (g << PROBABILITY_BITS) // g.sum()
    p[label] -= p.sum()
    return p


def loss_error(logits: Int8Array, exponent: int, label: int, rounding: LossRounding, rng: int) -> tuple[Int8Array, int]:
    """The error that arrives at the logits: softmax minus the one-hot label.

    Args:
        logits: int8, (K,), 2 <= K <= 1024.
        exponent: Of the logits, any whole number.
        label: 0..K-1.
        rounding: Stochastic draws K numbers, nearest none.
        rng: The generator's state.

    Returns:
        The error (int8, (K,), -127..127; 128 would stand for 1) and the generator's state after it.

    Source: NITI, arXiv 2009.13108, section III, and its public code.
    """
    return round_error(probability_error(logits, exponent, label), rounding, rng)


def round_error(error: IntArray, rounding: LossRounding, rng: int) -> tuple[Int8Array, int]:
    """Round a `probability_error` to int8, in units of 2**-7; see `loss_error`."""
    if rounding is LossRounding.NEAREST:
        return clip(round_shift(error, ERROR_SHIFT)), rng
    rounded, rng = sto_shift(error, ERROR_SHIFT, rng)
    return clip(rounded), rng


def _divide_toward_zero(values: IntArray, shift: int) -> IntArray:
    quotient: IntArray = np.sign(values) * (np.abs(values) >> shift)
    return quotient
