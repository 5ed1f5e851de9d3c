"""Methods and their numbers: shifts, update widths, thresholds."""

from collections.abc import Sequence
from functools import cache

from hypothesis import strategies as st

from priot_hil.reference.run import LossRounding, Method, MethodKind, Shifts

from .arrays import PATTERN

USUAL_THETAS = (0, -64, -127, 127, -1, 1)
NEAR = (-2, -1, 0, 1, 2)


@cache
def shifts(center: int = 8) -> st.SearchStrategy[int]:
    """A shift 0..31, three in five within 2 of `center`. Shrinks to 0."""
    return st.sampled_from(_shift_table(center))


@cache
def shift_triples(fan_in: int, positions: int, learns_scores: bool) -> st.SearchStrategy[Shifts]:
    """The three shifts of a layer, mostly those that suit sparse values of full range; any of them may be wild.

    Shrinks to three zeros.

    Args:
        fan_in: Products in each forward sum.
        positions: Products in each gradient sum.
        learns_scores: Whether the gradient is multiplied by the weight once more.
    """
    forward = _shift_table(4 + fan_in.bit_length() // 2)
    gradient = _shift_table(7 + positions.bit_length() // 2 + (6 if learns_scores else 0))
    # One draw is quicker than three, and as long as those of arrays it is not turned to zeros where it takes the place
    # of one: of three bytes two fifths were.
    return PATTERN.map(lambda b: Shifts(forward[b[0]], forward[b[1]], gradient[b[2]]))


@cache
def _shift_table(center: int) -> tuple[int, ...]:
    """256 shifts, the first 32 are 0..31 in their order."""
    wild = tuple(range(32)) * 3 + (0, 31) * 10
    near = tuple(min(max(center + NEAR[k % len(NEAR)], 0), 31) for k in range(256 - len(wild)))
    return wild + near


@cache
def mus() -> st.SearchStrategy[int]:
    """The bit width of an update, 0..7. Shrinks to 0."""
    return st.integers(0, 7)


@cache
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
