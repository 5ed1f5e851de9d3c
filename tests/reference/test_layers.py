"""Layers by hand, by definition, and by the identities that tie backward to forward."""

from itertools import product

import numpy as np
import pytest

from priot_hil.reference.layers import (
    conv2d_forward,
    conv2d_gradient,
    conv2d_input_error,
    linear_forward,
    linear_gradient,
    linear_input_error,
    maxpool2d_forward,
    maxpool2d_input_error,
    relu_forward,
    relu_input_error,
)
from priot_hil.reference.network import Conv2d, MaxPool2d, output_shape, weight_shape

GEOMETRIES = [
    (Conv2d(1, 1, 1), (1, 1, 1)),
    (Conv2d(2, 3, 3, 1, 1), (2, 4, 5)),
    (Conv2d(3, 2, 2, 2, 1), (3, 5, 4)),
    (Conv2d(1, 2, 3, 3, 2), (1, 7, 6)),
    (Conv2d(2, 2, 5, 2, 4), (2, 3, 1)),
    (Conv2d(1, 1, 2, 3), (1, 8, 4)),
]


def int8(*values):
    """The values as an int8 array."""
    return np.array(values, dtype=np.int8)


def draws(shape, seed):
    """Any legal values, the same for the same seed."""
    return np.random.default_rng(seed).integers(-127, 128, shape, dtype=np.int8)


def dot(a, b):
    """The exact sum of products."""
    return int((a.astype(np.int64) * b).sum())


def naive_conv2d(layer, weights, x):
    """The sum over the kernel at every output position, as the definition has it."""
    outputs, height, width = output_shape(layer, x.shape, "layer")
    y = np.zeros((outputs, height, width), dtype=np.int64)
    for o, oy, ox, c, ky, kx in product(
        range(outputs), range(height), range(width), range(layer.in_channels), *[range(layer.kernel)] * 2
    ):
        iy, ix = oy * layer.stride + ky - layer.padding, ox * layer.stride + kx - layer.padding
        if 0 <= iy < x.shape[1] and 0 <= ix < x.shape[2]:
            y[o, oy, ox] += int(weights[o, c, ky, kx]) * int(x[c, iy, ix])
    return y


@pytest.mark.parametrize(("layer", "shape"), GEOMETRIES, ids=str)
def test_conv2d_forward_is_its_definition(layer, shape):
    """Any stride and padding, borders included."""
    weights, x = draws(weight_shape(layer), 1), draws(shape, 2)
    accumulator = conv2d_forward(layer, weights, x)
    assert accumulator.dtype == np.int32
    assert accumulator.tolist() == naive_conv2d(layer, weights, x).tolist()


@pytest.mark.parametrize(("layer", "shape"), GEOMETRIES, ids=str)
def test_conv2d_backward_is_the_exact_transpose(layer, shape):
    """Error . conv(w, x) is linear in both: for unit x it gives the error to x, for unit w the gradient of w."""
    weights, x = draws(weight_shape(layer), 3), draws(shape, 4)
    error = draws(output_shape(layer, shape, "layer"), 5)
    input_error, gradient = conv2d_input_error(layer, weights, error, shape), conv2d_gradient(layer, x, error)
    assert input_error.dtype == gradient.dtype == np.int32
    for array, result, forward in (
        (x, input_error, lambda unit: conv2d_forward(layer, weights, unit)),
        (weights, gradient, lambda unit: conv2d_forward(layer, unit, x)),
    ):
        assert result.shape == array.shape
        for index in np.ndindex(array.shape):
            unit = np.zeros_like(array)
            unit[index] = 1
            assert result[index] == dot(error, forward(unit)), index


def test_conv2d_by_hand():
    """A 2x2 kernel over one row of padding: worked out on paper."""
    layer = Conv2d(1, 1, 2, 2, 1)
    weights, x = int8([[[1, 2], [3, 4]]])[None, 0], int8([[5, 6], [7, 8]])
    assert conv2d_forward(layer, weights, x).tolist() == [[[20, 18], [14, 8]]]
    error = int8([[1, 10], [0, -1]])
    assert conv2d_input_error(layer, weights, error, (1, 2, 2)).tolist() == [[[4, 30], [0, -1]]]
    assert conv2d_gradient(layer, x, error).tolist() == [[[[-8, 0], [60, 5]]]]


def test_linear_by_hand():
    """W @ x, W.T @ error and the outer product, at the ends of the range."""
    weights = np.array([[1, -2, 3], [127, 127, -127]], dtype=np.int8)
    x, error = np.array([127, 127, -127], dtype=np.int8), np.array([2, -127], dtype=np.int8)
    assert linear_forward(weights, x).tolist() == [-508, 3 * 127 * 127]
    assert linear_input_error(weights, error).tolist() == [2 - 16129, -4 - 16129, 6 + 16129]
    assert linear_gradient(x, error).tolist() == [[254, 254, -254], [-16129, -16129, 16129]]


def test_relu_passes_the_error_above_zero_only():
    """At 0 exactly nothing passes."""
    x, error = np.array([-5, 0, 1, 127], dtype=np.int8), np.array([9, 8, -7, 6], dtype=np.int8)
    assert relu_forward(x).tolist() == [0, 0, 1, 127]
    assert relu_input_error(x, error).tolist() == [0, 0, -7, 6]


def test_maxpool2d_gives_the_error_to_the_first_maximum():
    """Ties go to the first in row-major order; the row and the column that fill no window get nothing."""
    x = int8([[1, 3, 0, 0, 9], [3, 2, 0, 0, 9], [-5, -5, 4, 7, 9], [-4, -6, 7, 7, 9], [9, 9, 9, 9, 9]])
    layer = MaxPool2d(2)
    assert maxpool2d_forward(layer, x).tolist() == [[[3, 0], [-4, 7]]]
    assert maxpool2d_input_error(layer, x, int8([[10, 20], [30, -40]])).tolist() == [
        [[0, 10, 20, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, -40, 0], [30, 0, 0, 0, 0], [0, 0, 0, 0, 0]]
    ]
