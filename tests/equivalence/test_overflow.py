"""Sums at their bounds: every product at its largest and of one sign, in the largest layer that is legal and fits.

Each number has a closed form, so that nothing but whole numbers of any size stands against the engine. That the bounds
are reached shows that they are tight: a layer larger by one product would leave int32.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import floor, prod

import numpy as np
import pytest
from equivalence.histories import expect_tensor

from priot_hil.reference.engine import KernelCase, KernelEngine, KernelResult
from priot_hil.reference.errors import InputError
from priot_hil.reference.kinds import MethodKind
from priot_hil.reference.network import Conv2d, Linear, Weighted, output_shape, weight_shape

MU = 5
INT32_MAX = 2**31 - 1


@dataclass(frozen=True)
class Extreme:
    """A family of layers in which one sum grows, by its sizes from the largest legal one downwards."""

    kind: MethodKind
    layer: Callable[[int], tuple[Weighted, tuple[int, ...]]]
    sizes: tuple[int, ...]


EXTREMES = {
    # 133,144 = 136 * 979 is the largest n with 127**2 * n <= 2**31 - 1, and 1,048 = 8 * 131 that with 127**3 * n.
    "forward": Extreme(MethodKind.NITI_DYNAMIC, lambda n: (Linear(n, 1), (n,)), (133_144, 9000)),
    # A kernel on a single pixel with all the padding there may be: every tap of every channel meets the pixel.
    "error": Extreme(MethodKind.NITI_DYNAMIC, lambda n: (Conv2d(1, n, 11, 1, 10), (1, 1, 1)), (1100, 30)),
    "gradient": Extreme(MethodKind.NITI_DYNAMIC, lambda n: (Conv2d(1, 1, 1), (1, 136, n)), (979, 60)),
    "score gradient": Extreme(MethodKind.PRIOT, lambda n: (Conv2d(1, 1, 1), (1, 8, n)), (131,)),
}


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("name", EXTREMES)
def test_sums_at_their_bounds(engine: KernelEngine, name: str, sign: int) -> None:
    """Forward, error, gradient and score gradient, positive and negative: shifts, outputs and updates are exact."""
    extreme = EXTREMES[name]
    for size in extreme.sizes:
        layer, shape = extreme.layer(size)
        case = largest_products(layer, shape, extreme.kind, sign)
        try:
            result = engine.run_kernel(case)
        except InputError:  # larger than this device's memory
            continue
        expect_closed_form(result, case, sign)
        return
    pytest.fail(f"none of the sizes {extreme.sizes} fits {engine.name}")


def test_the_largest_sizes_are_legal_and_no_more() -> None:
    """The numbers above are the last ones below 2**31."""
    assert 127**2 * 133_144 <= INT32_MAX < 127**2 * 133_145
    assert 127**2 * 1100 * 11**2 <= INT32_MAX < 127**2 * 1101 * 11**2
    assert 136 * 979 == 133_144
    assert 127**3 * 1048 <= INT32_MAX < 127**3 * 1049


def largest_products(layer: Weighted, shape: tuple[int, ...], kind: MethodKind, sign: int) -> KernelCase:
    """All weights 127, or all -127; image and error 127; dynamic shifts."""
    weights = np.full(weight_shape(layer), sign * 127, np.int8)
    return KernelCase(
        layer=layer,
        behind=(),
        input_shape=shape,
        kind=kind,
        theta=0 if kind.learns_scores else None,
        weights=weights,
        scores=np.zeros_like(weights) if kind.learns_scores else None,
        scored=None,
        image=np.full(shape, 127, np.int8),
        error=np.full(output_shape(layer, shape, "layer"), 127, np.int8),
        shifts=None,
        mu=MU,
    )


def expect_closed_form(result: KernelResult, case: KernelCase, sign: int) -> None:
    """All elements of a tensor are alike, since in none of the layers a window hangs over a border that matters."""
    outputs, *inputs = case.weights.shape
    positions = prod(case.error.shape[1:])
    is_spread = case.input_shape == (1, 1, 1)  # one pixel, which meets one tap at each position
    forward = 127**2 * (1 if is_spread else prod(inputs))
    backward = 127**2 * outputs * (prod(inputs[1:]) if is_spread else 1)
    gradient = 127**2 * (1 if is_spread else positions)
    learned = 127 * gradient if case.kind.learns_scores else gradient

    assert result.shifts == (needed(forward, 7), needed(backward, 7), needed(learned, MU))
    expect_all(result.output, sign * rounded(forward, result.shifts.forward), "output")
    expect_all(result.input_error, sign * rounded(backward, result.shifts.backward), "input error")
    expect_all(result.gradient, gradient, "gradient")
    if case.kind.learns_scores:
        expect_all(result.updated, -sign * pseudo_rounded(learned, result.shifts.gradient), "scores")
    else:
        weight = sign * 127 - pseudo_rounded(learned, result.shifts.gradient)
        expect_all(result.updated, max(-127, min(127, weight)), "weights")


def expect_all(tensor: np.ndarray, value: int, what: str) -> None:
    """Every element is the value."""
    expect_tensor(tensor, np.full_like(tensor, value), what)


def needed(value: int, bits: int) -> int:
    """The smallest shift that leaves a magnitude of at most 2**bits."""
    return next(shift for shift in range(32) if Fraction(value, 2**shift) <= 2**bits)


def rounded(value: int, shift: int) -> int:
    """Half upwards, then clipped."""
    return min(127, floor(Fraction(value, 2**shift) + Fraction(1, 2)))


def pseudo_rounded(value: int, shift: int) -> int:
    """Up where the first half of the bits behind the point, read as a fraction, exceeds the second."""
    exact = Fraction(value, 2**shift)
    scaled = (exact - floor(exact)) * 2 ** (shift - shift // 2)
    first = Fraction(floor(scaled), 2 ** (shift - shift // 2))
    second = scaled - floor(scaled)
    return min(127, floor(exact) + (first > second))
