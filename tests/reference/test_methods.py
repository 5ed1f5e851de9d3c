"""Masks, score gradients and updates by hand."""

import numpy as np
import pytest

from priot_hil.reference.methods import apply_update, effective_weights, score_gradient, update_of


def int8(*values):
    """The values as an int8 array."""
    return np.array(values, dtype=np.int8)


def test_effective_weights_keep_an_edge_at_theta():
    """Only scores below theta prune; where a selection is given, only on scored edges."""
    weights, scores = int8(1, 2, 3, 4), int8(-65, -64, -63, -127)
    assert effective_weights(weights, scores, None, -64).tolist() == [0, 2, 3, 0]
    scored = np.array([False, True, True, True])
    assert effective_weights(weights, scores, scored, -64).tolist() == [1, 2, 3, 0]


def test_score_gradient_covers_the_scored_edges():
    """W * G in int32, far beyond int16."""
    weights, gradient = int8(127, -127, 3), np.array([16129000, 127, 5], dtype=np.int32)
    product = score_gradient(weights, gradient, None)
    assert (product.tolist(), product.dtype) == ([2048383000, -16129, 15], np.int32)
    assert score_gradient(weights, gradient, np.array([False, True, False])).tolist() == [0, -16129, 0]


@pytest.mark.parametrize(("shift", "update"), [(0, [127, -127, 6]), (2, [100, -127, 2]), (31, [0, 0, 0])])
def test_update_is_rounded_then_clipped(shift, update):
    """400 / 4 = 100; 6 = 0b110 at shift 2: q = 1, upper 1 > lower 0."""
    assert update_of(np.array([400, -2000, 6], dtype=np.int32), shift).tolist() == update


def test_apply_update_clips():
    """An update goes against the gradient and stops at +-127, where int8 alone would wrap."""
    assert apply_update(int8(-120, 120, 5, 0), int8(20, -20, 7, -127)).tolist() == [-127, 127, -2, 127]
