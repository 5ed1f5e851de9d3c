"""Clipping, widths, the three roundings and the random generator, on single Python integers."""

from collections.abc import Iterable


class Generator:
    """xorshift32. `state` is never 0 and is the whole state."""

    def __init__(self, state: int) -> None:
        self.state = state

    def next(self) -> int:
        """Step once and return the new state, 1..2**32 - 1."""
        self.state = xorshift32(self.state)
        return self.state


def xorshift32(x: int) -> int:
    """Marsaglia's step with the triple 13, 17, 5."""
    x ^= (x << 13) % 2**32
    x ^= x >> 17
    x ^= (x << 5) % 2**32
    return x


def run_rng(seed: int) -> int:
    """The state that a run of this seed starts with."""
    return (2654435761 * (seed + 1)) % 2**32 or 1


def sign(v: int) -> int:
    """-1, 0 or 1."""
    return (v > 0) - (v < 0)


def clip(v: int) -> int:
    """Into -127..127."""
    return min(max(v, -127), 127)


def bit_width(values: Iterable[int]) -> int:
    """The ceiling of log2 of the largest magnitude; 0 for nothing but zeros, and for nothing at all."""
    largest = max((abs(v) for v in values), default=0)
    return 0 if largest == 0 else (largest - 1).bit_length()


def round_shift(v: int, s: int) -> int:
    """The value v / 2**s, rounded half away from zero."""
    if s == 0:
        return v
    half: int = 2 ** (s - 1)
    return sign(v) * ((abs(v) + half) >> s)


def psto_shift(v: int, s: int) -> int:
    """The value v / 2**s; its magnitude is rounded up where the upper half of the lost bits exceeds the lower half."""
    if s == 0:
        return v
    quotient, remainder = divmod(abs(v), 1 << s)
    half = s // 2
    high, low = divmod(remainder, 1 << half)
    if s % 2 == 1:
        low = 2 * low
    return sign(v) * (quotient + (1 if high > low else 0))


def sto_shift(v: int, s: int, generator: Generator) -> int:
    """The value v / 2**s; the magnitude is rounded up where the lost bits exceed s random bits. s = 0 draws nothing."""
    if s == 0:
        return v
    quotient, remainder = divmod(abs(v), 1 << s)
    threshold = generator.next() % (1 << s)
    return sign(v) * (quotient + (1 if remainder > threshold else 0))


def requantize(accumulator: int, s: int) -> int:
    """int32 to int8."""
    return clip(round_shift(accumulator, s))
