"""What each method learns: NITI moves the weights, PRIOT and PRIOT-S move scores that decide which weights are kept."""

import numpy as np

from .arithmetic import clip, psto_shift
from .checks import BoolArray, Int8Array, Int32Array


def effective_weights(weights: Int8Array, scores: Int8Array, scored: BoolArray | None, theta: int) -> Int8Array:
    """The weights of a step of PRIOT: 0 where an edge is scored and its score is below theta.

    Args:
        weights: int8, any shape.
        scores: int8, same shape.
        scored: bool, same shape; None where every edge is scored.
        theta: -127..127; an edge whose score equals it is kept.

    Returns:
        int8, same shape.
    """
    pruned = scores < theta if scored is None else scored & (scores < theta)
    return np.where(pruned, np.int8(0), weights)


def score_gradient(weights: Int8Array, gradient: Int32Array, scored: BoolArray | None) -> Int32Array:
    """P = W * G on the scored edges, 0 elsewhere; W is unmasked, so that pruned edges can come back.

    Args:
        weights: int8, any shape.
        gradient: int32, same shape.
        scored: bool, same shape; None where every edge is scored.

    Returns:
        int32, same shape.

    Source: edge-popup, Ramanujan et al., CVPR 2020; PRIOT, DOI 10.1109/LES.2024.3485003.
    """
    product = weights * gradient
    return product if scored is None else np.where(scored, product, np.int32(0))


def update_of(gradient: Int32Array, shift: int) -> Int8Array:
    """The step that learning takes against a gradient: clip(psto_shift(gradient, shift)).

    Args:
        gradient: int32, G for NITI, P for PRIOT.
        shift: 0..31.

    Returns:
        int8, same shape.
    """
    return clip(psto_shift(gradient, shift))


def apply_update(values: Int8Array, update: Int8Array) -> Int8Array:
    """clip(values - update), for weights and scores alike; int8, same shape."""
    return clip(values.astype(np.int16) - update)
