"""The roundings of `reference/arithmetic.py` on tensors."""

import torch

INT8_MAX = 127
INT8_BITS = 7


def bit_width(largest: int) -> int:
    """The bit width of a tensor whose largest magnitude is known; see `reference.arithmetic.bit_width`."""
    return (largest - 1).bit_length() if largest else 0


def requantize_shift(largest: int) -> int:
    """The dynamic shift of an accumulator whose largest magnitude is known."""
    return max(0, bit_width(largest) - INT8_BITS)


def update_shift(largest: int, mu: int) -> int:
    """The dynamic shift that leaves an update of mu bits."""
    return max(0, bit_width(largest) - mu)


def requantize(accumulator: torch.Tensor, shift: int) -> torch.Tensor:
    """clip(round_shift(accumulator, shift)).

    Args:
        accumulator: float64, whole numbers below 2**31 in magnitude. So all is exact: a division by a power of two only
            moves the point, and the sum with a half then needs 33 bits at most.
        shift: 0..31.

    Returns:
        int8, same shape, -127..127.
    """
    quotient = accumulator * 2.0**-shift
    half = torch.full((), 0.5, dtype=quotient.dtype, device=quotient.device)
    # Half away from 0, as the conversion cuts off what is behind the point.
    return quotient.add_(half.copysign(quotient)).clamp_(-INT8_MAX, INT8_MAX).to(torch.int8)


def psto_clip(values: torch.Tensor, shift: int) -> torch.Tensor:
    """clip(psto_shift(values, shift)).

    Args:
        values: int32, magnitudes below 2**31.
        shift: 0..31.

    Returns:
        int32, same shape, -127..127.
    """
    half = shift // 2
    magnitude = values.abs()
    discarded = magnitude & ((1 << shift) - 1)
    upper = discarded >> half
    lower = (discarded & ((1 << half) - 1)) << (shift % 2)
    rounded = ((magnitude >> shift) + (upper > lower)).clamp_(max=INT8_MAX)
    return torch.where(values < 0, -rounded, rounded)
