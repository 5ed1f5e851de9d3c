"""Every 16-bit sum at every shift, on any device: single stages whose sums are chosen, against exact quotients.

Four inputs with the weights 127, 127, 127 and 1 make any such number a sum, and as many positions as there is room for
make as many sums in one stage; or, the other way about, four positions with these errors make it a gradient.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from oracle import exact
from priot_hil.reference.engine import KernelCase, KernelEngine, KernelResult
from priot_hil.reference.errors import InputError
from priot_hil.reference.kinds import MethodKind
from priot_hil.reference.network import Conv2d
from priot_hil.reference.run import Shifts

PARTS = np.array([127, 127, 127, 1], np.int8)
VALUES = np.arange(-(2**15), 2**15, dtype=np.int64)
SHIFTS = range(32)
ROOMS = (256, 64)
"""Sides of a plane of sums, the larger where the device has room for it."""

NOTHING_LEFT = 31  # the shift of what is not looked at


@pytest.mark.parametrize("shift", SHIFTS)
def test_sums_near_ties(engine: KernelEngine, shift: int) -> None:
    """Multiples of half of the last place that is kept, and their neighbours, as sums and as gradients."""
    half = 2 ** max(shift - 1, 0)
    ties = np.array([(step * half + near) for step in range(-21, 22) for near in (-1, 0, 1)])
    values = np.resize(ties[np.abs(ties) < 2**15] if shift < 15 else VALUES[shift :: 2**9], 64)
    expect_sums(engine, values, shift)
    expect_gradients(engine, values, shift, MethodKind.NITI_STATIC)


def test_widths_near_powers_of_two(engine: KernelEngine) -> None:
    """The dynamic shift leaves the largest sum at most 2**7, and is no larger than that takes; of either sign."""
    for largest in [2**width + near for width in range(6, 15) for near in (-1, 0, 1)]:
        needed = next(shift for shift in SHIFTS if largest <= 2 ** (shift + 7))
        for sign in (1, -1):
            values = np.resize(np.array([0, sign * largest, 5]), 64)
            result = engine.run_kernel(replace(sums_case(values, 0), shifts=None))
            assert result.shifts.forward == needed, f"of {sign * largest}"


@pytest.mark.slow
@pytest.mark.parametrize("shift", SHIFTS)
def test_every_16_bit_sum(engine: KernelEngine, shift: int) -> None:
    """clip(round_shift(sum)) for all 65,536 of them."""
    for values in in_rooms(engine, VALUES):
        expect_sums(engine, values, shift)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [MethodKind.NITI_STATIC, MethodKind.PRIOT, MethodKind.PRIOT_S])
@pytest.mark.parametrize("shift", SHIFTS)
def test_every_16_bit_gradient(engine: KernelEngine, shift: int, kind: MethodKind) -> None:
    """clip(psto_shift(G)) for all 65,536 of them, taken from a weight or a score that was 0.

    Scores, which share the rounding, see every 16th.
    """
    values = VALUES if kind is MethodKind.NITI_STATIC else VALUES[shift % 16 :: 16]
    for part in in_rooms(engine, values):
        expect_gradients(engine, part, shift, kind)


def in_rooms(engine: KernelEngine, values: np.ndarray) -> Iterator[np.ndarray]:
    """The values in the largest parts that the device has memory for."""
    for side in ROOMS:
        try:
            engine.run_kernel(sums_case(np.zeros(side**2, np.int64), 0))
        except InputError:
            continue
        yield from np.split(values, range(side**2, len(values), side**2))
        return


def parts_of(values: np.ndarray) -> np.ndarray:
    """int8, (4, n): four numbers for each value, whose products with PARTS sum up to it."""
    rest = (values + 63) % 127 - 63
    whole = (values - rest) // 127
    thirds = [whole // 3, (whole + 1) // 3, (whole + 2) // 3]
    return np.stack([*thirds, rest]).astype(np.int8)


def sums_case(values: np.ndarray, shift: int) -> KernelCase:
    """A 1 x 1 convolution of four channels, whose sums are the values."""
    image = parts_of(values).reshape(4, -1, 64)
    weights = PARTS.reshape(1, 4, 1, 1)
    return stage(MethodKind.NITI_STATIC, image, weights, np.zeros((1, *image.shape[1:]), np.int8), shift)


def expect_sums(engine: KernelEngine, values: np.ndarray, shift: int) -> None:
    """The output of a stage with these sums."""
    output = engine.run_kernel(sums_case(values, shift)).output.ravel().astype(np.int64)
    expect_right(exact.is_requantized(values, shift, output), values, shift, output)


def expect_gradients(engine: KernelEngine, values: np.ndarray, shift: int, kind: MethodKind) -> None:
    """What a stage learns from these gradients; for scores the weights are 1, so that P = G."""
    image = parts_of(values).T.reshape(-1, 2, 2)
    weights = np.full((1, len(values), 1, 1), int(kind.learns_scores), np.int8)
    result: KernelResult = engine.run_kernel(stage(kind, image, weights, PARTS.reshape(1, 2, 2), NOTHING_LEFT, shift))
    assert (result.gradient.ravel() == values).all()
    learned = result.updated.ravel().astype(np.int64)
    expected = -np.clip(exact.pseudo_rounded(values, shift), -127, 127)
    expect_right(learned == expected, values, shift, learned)


def expect_right(right: np.ndarray, values: np.ndarray, shift: int, got: np.ndarray) -> None:
    """All of them; or the first that is not, for people."""
    if not right.all():
        first = int(np.argmin(right))
        pytest.fail(f"{values[first]} at shift {shift} became {got[first]}; {np.count_nonzero(~right)} are wrong")


def stage(
    kind: MethodKind,
    image: np.ndarray,
    weights: np.ndarray,
    error: np.ndarray,
    forward: int,
    gradient: int = NOTHING_LEFT,
) -> KernelCase:
    """One 1 x 1 convolution with static shifts; all scores are 0 and all edges are scored."""
    scores = np.zeros_like(weights) if kind.learns_scores else None
    return KernelCase(
        layer=Conv2d(weights.shape[1], 1, 1),
        behind=(),
        input_shape=image.shape,
        kind=kind,
        theta=-127 if kind.learns_scores else None,
        weights=weights,
        scores=scores,
        scored=np.ones(weights.shape, np.bool_) if kind is MethodKind.PRIOT_S else None,
        image=image,
        error=error,
        shifts=Shifts(forward, NOTHING_LEFT, gradient),
    )
