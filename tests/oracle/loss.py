"""The integer cross-entropy gradient and the prediction."""

from oracle.arithmetic import Generator, clip, round_shift, sign, sto_shift


def truncated(numerator: int, denominator: int) -> int:
    """The quotient, rounded toward zero. The denominator is positive."""
    return sign(numerator) * (abs(numerator) // denominator)


def exponentials(logits: list[int], exponent: int) -> list[int]:
    """Integers in proportion to about `exp(logit * 2**exponent)`: g of the specification, all >= 0."""
    e = min(max(exponent, -12), 24)
    if e > -7:
        s = [truncated(o * 47274, 2**15) for o in logits]
        s = [v * 2**e if e >= 0 else truncated(v, 2**-e) for v in s]
        top = max(s)
        s = [max(v - (top - 10), 0) for v in s]
        return [2**v - 1 for v in s]
    return [2 ** (1 - 2 * e) + o * 2 ** (1 - e) + o**2 for o in logits]


def loss_error(logits: list[int], exponent: int, label: int, generator: Generator | None) -> list[int]:
    """The int8 error at the logits; rounded to nearest where there is no generator."""
    g = exponentials(logits, exponent)
    p = [(value * 2**11) // sum(g) for value in g]
    p[label] -= sum(p)
    if generator is None:
        return [clip(round_shift(value, 4)) for value in p]
    return [clip(sto_shift(value, 4, generator)) for value in p]


def prediction(logits: list[int]) -> int:
    """The lowest index of the largest logit."""
    return logits.index(max(logits))
