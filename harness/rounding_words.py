"""A rounded number in words: what was divided, what happened to it, and which mistake would give what came instead."""

from collections.abc import Callable, Iterable

import numpy as np

from priot_hil.reference.arithmetic import psto_shift, round_shift

Rounding = Callable[[int, int], int]
LIMIT = 127
MISTAKES = 3  # that are named where more would give the same


def describe_requantized(accumulator: int, shift: int, expected: int, got: object, relu: bool = False) -> str:
    """How a sum became an int8 value, e.g. ``"-1030 / 2**8 = -4.023; -5 as if rounded down"``.

    Args:
        accumulator: The sum.
        shift: 0..31.
        expected: What must come out.
        got: What came instead.
        relu: Whether a relu follows.
    """
    rounded = nearest(accumulator, shift)
    kept = min(max(rounded, -LIMIT), LIMIT)

    def through(value: int) -> int:
        return max(value, 0) if relu else value

    mistakes = [(name, through(clip(rounding(accumulator, shift)))) for name, rounding in MISTAKEN.items()]
    mistakes += [("wrapped to int8", through(wrap(rounded))), ("clipped at -128", through(max(rounded, -LIMIT - 1)))]
    mistakes += [("without the relu", kept)] if relu else []
    mistakes += [(name, through(clip(nearest(accumulator, other)))) for name, other in other_shifts(shift)]
    mistakes += [("with the sign lost", through(clip(abs(rounded)))), ("with the other sign", through(-kept))]
    words = [quotient(accumulator, shift)]
    if shift and abs(accumulator) % 2**shift == 2 ** (shift - 1):
        words.append(f"half way, so away from zero to {rounded}")
    if kept != rounded:
        words.append(f"clipped to {kept}")
    if through(kept) != kept:
        words.append("then relu")
    return with_mistake(", ".join(words), expected, got, mistakes)


def describe_update(before: int, gradient: int, shift: int, expected: int, got: object, factor: int | None) -> str:
    """How a weight or a score was updated, e.g. ``"103 / 2**5 = 3.219, to 3 by its discarded bits; 12 - 3"``.

    Args:
        before: The value before the step.
        gradient: G, or P where scores are learned.
        shift: 0..31.
        expected: What must come out.
        got: What came instead.
        factor: G where scores are learned, else None.
    """
    rounded = pseudo_stochastic(gradient, shift)
    update = clip(rounded)

    def minus(step: int) -> int:
        return clip(before - step)

    mistakes = [("not updated", before), ("added instead of subtracted", clip(before + update))]
    mistakes += [(f"updated by {gradient} {name}", minus(clip(rounding(gradient, shift)))) for name, rounding in PLAIN]
    mistakes += [("the update not clipped", minus(rounded)), ("the result wrapped", wrap(before - update))]
    mistakes += [("clipped at -128", max(before - update, -LIMIT - 1))]
    mistakes += [(name, minus(clip(pseudo_stochastic(gradient, other)))) for name, other in other_shifts(shift)]
    if factor is not None:
        mistakes.append(("updated by G without W", minus(clip(pseudo_stochastic(factor, shift)))))
    words = [quotient(gradient, shift)]
    if shift and gradient % 2**shift:
        words.append(f"to {rounded} by its discarded bits")
    if update != rounded:
        words.append(f"clipped to {update}")
    total = f"{before} - {update}" if update >= 0 else f"{before} + {-update}"
    if minus(update) != before - update:
        total += f" clipped to {minus(update)}"
    return with_mistake(", ".join(words) + f"; {total}", expected, got, mistakes)


def quotient(value: int, shift: int) -> str:
    """A division by a power of two, with two decimals."""
    return f"{value}, not shifted" if not shift else f"{value} / 2**{shift} = {value / 2**shift:.4g}"


def with_mistake(words: str, expected: int, got: object, mistakes: Iterable[tuple[str, int]]) -> str:
    """The words, and those of the mistakes that would give what came; where there are many, the first ones."""
    fitting = [name for name, value in mistakes if value == got and value != expected]
    return f"{words}; {got} as if {', or '.join(fitting[:MISTAKES])}" if fitting else words


def nearest(value: int, shift: int) -> int:
    """`round_shift` of one number."""
    return int(round_shift(np.array([value], np.int64), shift)[0])


def pseudo_stochastic(value: int, shift: int) -> int:
    """`psto_shift` of one number."""
    return int(psto_shift(np.array([value], np.int64), shift)[0])


def toward_zero(value: int, shift: int) -> int:
    """What an integer division in C gives."""
    return (abs(value) >> shift) * (1 if value >= 0 else -1)


def clip(value: int) -> int:
    """-127..127."""
    return min(max(value, -LIMIT), LIMIT)


def wrap(value: int) -> int:
    """What a cast to int8 leaves."""
    return (value + 128) % 256 - 128


def half_up(value: int, shift: int) -> int:
    """Half towards plus infinity: the common (v + half) >> shift."""
    return (value + (1 << shift >> 1)) >> shift


def half_to_even(value: int, shift: int) -> int:
    """Half to even, as floating point rounds."""
    return round(value / (1 << shift))


MISTAKEN: dict[str, Rounding] = {
    "rounded down": lambda value, shift: value >> shift,
    "rounded toward zero": toward_zero,
    "rounded half up": half_up,
    "rounded half to even": half_to_even,
    "rounded pseudo-stochastically": pseudo_stochastic,
}
PLAIN: tuple[tuple[str, Rounding], ...] = (
    ("rounded to nearest", nearest),
    ("rounded toward zero", toward_zero),
    ("rounded down", lambda value, shift: value >> shift),
)


def other_shifts(shift: int) -> list[tuple[str, int]]:
    """Shifts that are wrong by one."""
    near = [("shifted by one too many", shift + 1), ("shifted by one too few", shift - 1)]
    return [(name, other) for name, other in near if 0 <= other <= 31]
