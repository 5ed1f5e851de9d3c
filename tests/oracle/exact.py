"""Roundings and loss from exact quotients: by what is nearest and by fractions, with no shift and no bit mask.

Arrays where all values of a range are tried at once; `Fraction` where a single number is worked out.
"""

from fractions import Fraction
from math import floor, trunc

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]

LOG2_E = Fraction(47274, 2**15)


def is_nearest(values: Int64, shift: int, rounded: Int64) -> npt.NDArray[np.bool_]:
    """Whether each result is the whole number nearest to value / 2**shift; of two equally near, the one farther from 0.

    There is exactly one such number, so this defines round_shift.
    """
    whole = 2**shift
    distance = 2 * np.abs(values - rounded * whole)
    return (distance < whole) | ((distance == whole) & (np.abs(rounded * whole) > np.abs(values)))


def is_requantized(values: Int64, shift: int, stored: Int64) -> npt.NDArray[np.bool_]:
    """Whether each result is the nearest whole number in -127..127."""
    beyond = (np.abs(stored) == 127) & (np.sign(stored) == np.sign(values)) & (np.abs(values) > 127 * 2**shift)
    return is_nearest(values, shift, stored) | beyond


def pseudo_rounded(values: Int64, shift: int) -> Int64:
    """psto_shift: up where the first half of the lost digits, as a fraction, exceeds the second half as one.

    An odd number of binary digits has its first half longer by one.
    """
    second_digits = shift // 2
    first_digits = shift - second_digits
    quotients, lost = np.divmod(np.abs(values), 2**shift)
    first, second = np.divmod(lost, 2**second_digits)
    exceeds = first * 2**second_digits > second * 2**first_digits  # first / 2**first_digits > second / 2**second_digits
    return np.sign(values) * (quotients + exceeds)


def probabilities(logits: tuple[int, ...], exponent: int) -> list[int]:
    """The shares of 2048 that stand for softmax: NITI's powers of two, or its series 1 + z + z**2 / 2."""
    exponent = min(max(exponent, -12), 24)
    unit = Fraction(2) ** exponent
    if exponent > -7:
        powers = [trunc(trunc(logit * LOG2_E) * unit) for logit in logits]
        parts = [Fraction(2 ** max(power - max(powers) + 10, 0) - 1) for power in powers]
    else:
        parts = [1 + logit * unit + (logit * unit) ** 2 / 2 for logit in logits]
    return [floor(2048 * part / sum(parts)) for part in parts]


def loss_error(logits: tuple[int, ...], exponent: int, label: int, draws: list[int] | None = None) -> list[int]:
    """The error at the logits, rounded to nearest, or up where the lost sixteenths exceed the last four bits drawn."""
    shares = probabilities(logits, exponent)
    shares[label] -= sum(shares)
    errors = []
    for i, share in enumerate(shares):
        exact = Fraction(abs(share), 16)
        lost = exact - floor(exact)
        up = lost >= Fraction(1, 2) if draws is None else lost > Fraction(draws[i] % 16, 16)
        errors.append(min(127, floor(exact) + up) * (1 if share > 0 else -1))
    return errors
