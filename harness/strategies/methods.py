"""Methods and their numbers: shifts, update widths, thresholds."""

from collections.abc import Sequence
from functools import cache

from hypothesis import strategies as st
from priot_hil.reference.run import LossRounding, Method, MethodKind, Shifts

ALL_SHIFTS = tuple(range(32))
USUAL_THETAS = (0, -64, -127, 127, -1, 1)


@cache
def shifts(center: int = 8) -> st.SearchStrategy[int]:
    """A shift 0..31, every second one within 2 of `center`. Shrinks to 0."""
    near = tuple(min(max(center + step, 0), 31) for step in (-2, -1, 0, 1, 2))
    return st.sampled_from(ALL_SHIFTS + near * 6)


def shift_triples(fan_in: int, positions: int, learns_scores: bool) -> st.SearchStrategy[Shifts]:
    """The three shifts of a layer, often those that suit values of full range; any of them may be wild.

    Args:
        fan_in: Products in each forward sum.
        positions: Products in each gradient sum.
        learns_scores: Whether the gradient is multiplied by the weight once more.
    """
    forward = 6 + fan_in.bit_length() // 2
    gradient = 7 + positions.bit_length() // 2 + (6 if learns_scores else 0)
    return st.builds(Shifts, shifts(forward), shifts(forward), shifts(gradient))


def mus() -> st.SearchStrategy[int]:
    """The bit width of an update, 0..7. Shrinks to 0."""
    return st.integers(0, 7)


def thetas() -> st.SearchStrategy[int]:
    """A threshold -127..127, every second one usual or extreme. Shrinks to 0."""
    return st.sampled_from(USUAL_THETAS * 40 + tuple(range(-127, 128)))


@st.composite
def methods(draw: st.DrawFn, kinds: Sequence[MethodKind] = tuple(MethodKind)) -> Method:
    """A method with its parameters. Shrinks to the first of `kinds` with mu 0, theta 0 and nearest rounding.

    Args:
        draw: Hypothesis's.
        kinds: The methods to draw from.
    """
    kind = draw(st.sampled_from(kinds))
    theta = draw(thetas()) if kind.learns_scores else None
    rounding = draw(st.sampled_from((LossRounding.NEAREST, LossRounding.STOCHASTIC)))
    return Method(kind, draw(mus()), theta, rounding)
