"""Forward and backward of each layer on one sample.

Sums are int32 and exact: `Network.check_overflow` rules out whatever could leave that range, so their order is free.
"""

from typing import cast

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from .checks import Int8Array, Int32Array
from .network import Conv2d, MaxPool2d


def conv2d_forward(layer: Conv2d, weights: Int8Array, x: Int8Array) -> Int32Array:
    """The accumulator of a convolution with zero padding.

    Args:
        layer: Kernel, stride and padding.
        weights: int8, OIHW.
        x: int8, (in_channels, height, width).

    Returns:
        int32, (out_channels, out_height, out_width).
    """
    windows = _windows(layer, x)
    kernels = weights.reshape(layer.out_channels, -1).astype(np.int32)
    accumulator = kernels @ windows.reshape(kernels.shape[1], -1)
    return cast(Int32Array, accumulator.reshape(layer.out_channels, *windows.shape[3:]))


def conv2d_input_error(layer: Conv2d, weights: Int8Array, error: Int8Array, shape: tuple[int, ...]) -> Int32Array:
    """The accumulator of the error to a convolution's input: the exact transpose of its forward sum.

    Args:
        layer: Kernel, stride and padding.
        weights: int8, OIHW.
        error: int8, at the layer's output.
        shape: Of the layer's input.

    Returns:
        int32, the given shape; the padding's share is dropped.
    """
    channels, height, width = shape
    _, out_height, out_width = error.shape
    kernel, stride, padding = layer.kernel, layer.stride, layer.padding
    kernels = weights.reshape(layer.out_channels, -1).astype(np.int32)
    windows = kernels.T @ error.reshape(layer.out_channels, -1).astype(np.int32)
    windows = windows.reshape(channels, kernel, kernel, out_height, out_width)
    padded = np.zeros((channels, height + 2 * padding, width + 2 * padding), dtype=np.int32)
    for dy in range(kernel):
        for dx in range(kernel):
            padded[:, dy : dy + stride * out_height : stride, dx : dx + stride * out_width : stride] += windows[
                :, dy, dx
            ]
    return padded[:, padding : padding + height, padding : padding + width]


def conv2d_gradient(layer: Conv2d, x: Int8Array, error: Int8Array) -> Int32Array:
    """The gradient of a convolution's weights: the sum over output positions of error x input.

    Args:
        layer: Kernel, stride and padding.
        x: int8, the layer's input.
        error: int8, at the layer's output.

    Returns:
        int32, OIHW.
    """
    windows = _windows(layer, x)
    errors = error.reshape(layer.out_channels, -1).astype(np.int32)
    gradient = errors @ windows.reshape(-1, errors.shape[1]).T
    return cast(Int32Array, gradient.reshape(layer.out_channels, *windows.shape[:3]))


def linear_forward(weights: Int8Array, x: Int8Array) -> Int32Array:
    """The accumulator of a linear layer: W @ x.

    Args:
        weights: int8, (out, in).
        x: int8, (in,).

    Returns:
        int32, (out,).
    """
    return weights.astype(np.int32) @ x.astype(np.int32)


def linear_input_error(weights: Int8Array, error: Int8Array) -> Int32Array:
    """The accumulator of the error to a linear layer's input: W.T @ error.

    Args:
        weights: int8, (out, in).
        error: int8, (out,).

    Returns:
        int32, (in,).
    """
    return error.astype(np.int32) @ weights.astype(np.int32)


def linear_gradient(x: Int8Array, error: Int8Array) -> Int32Array:
    """The gradient of a linear layer's weights: the outer product of error and input.

    Args:
        x: int8, (in,).
        error: int8, (out,).

    Returns:
        int32, (out, in).
    """
    return np.outer(error.astype(np.int32), x.astype(np.int32))


def relu_forward(x: Int8Array) -> Int8Array:
    """max(x, 0), any shape."""
    return np.maximum(x, np.int8(0))


def relu_input_error(x: Int8Array, error: Int8Array) -> Int8Array:
    """The error where the layer's input is above 0, else 0."""
    return np.where(x > 0, error, np.int8(0))


def maxpool2d_forward(layer: MaxPool2d, x: Int8Array) -> Int8Array:
    """The maximum of each window; rows and columns that fill no window are dropped.

    Args:
        layer: The window.
        x: int8, (channels, height, width).

    Returns:
        int8, (channels, height // size, width // size).
    """
    return cast(Int8Array, _pool_windows(layer, x).max(axis=-1))


def maxpool2d_input_error(layer: MaxPool2d, x: Int8Array, error: Int8Array) -> Int8Array:
    """The error goes to the first maximum of each window in row-major order; everything else gets 0.

    Args:
        layer: The window.
        x: int8, the layer's input.
        error: int8, at the layer's output.

    Returns:
        int8, shape of x.
    """
    first = _pool_windows(layer, x).argmax(axis=-1)
    channel, row, column = np.ogrid[tuple(slice(size) for size in error.shape)]
    input_error = np.zeros_like(x)
    input_error[channel, row * layer.size + first // layer.size, column * layer.size + first % layer.size] = error
    return input_error


def _windows(layer: Conv2d, x: Int8Array) -> Int32Array:
    """Each kernel position's inputs: int32, (in_channels, k, k, out_height, out_width)."""
    border = (layer.padding, layer.padding)
    padded = np.pad(x.astype(np.int32), ((0, 0), border, border))
    windows = sliding_window_view(padded, (layer.kernel, layer.kernel), axis=(1, 2))
    return windows[:, :: layer.stride, :: layer.stride].transpose(0, 3, 4, 1, 2)


def _pool_windows(layer: MaxPool2d, x: Int8Array) -> npt.NDArray[np.int8]:
    """The elements of each window in row-major order: (channels, rows, columns, size * size)."""
    size = layer.size
    channels, rows, columns = x.shape[0], x.shape[1] // size, x.shape[2] // size
    whole = x[:, : rows * size, : columns * size].reshape(channels, rows, size, columns, size)
    return whole.transpose(0, 1, 3, 2, 4).reshape(channels, rows, columns, size * size)
