"""Forward and backward of each layer; `reference/layers.py` defines them.

Activations and errors are whole numbers in the dtype of the `Products`, so that the next product takes them as they
are. What a layer with weights multiplies is laid out as `windows`: a row for each position of its output.
"""

import torch
from torch.nn import functional

from priot_hil.reference.network import Conv2d, MaxPool2d, Weighted

from .products import Products


def windows_of(layer: Weighted, x: torch.Tensor) -> torch.Tensor:
    """What each position of the layer's output sees of its input.

    Args:
        layer: A layer with weights.
        x: (n, *input shape).

    Returns:
        (n * positions, fan-in), contiguous.
    """
    if not isinstance(layer, Conv2d):
        return x
    unfolded = functional.unfold(x, layer.kernel, padding=layer.padding, stride=layer.stride)
    return unfolded.transpose(1, 2).reshape(-1, unfolded.shape[1]).contiguous()


def forward(products: Products, weights: torch.Tensor, windows: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """The accumulator of a layer with weights.

    Args:
        products: How to multiply.
        weights: (out, fan-in), the effective ones.
        windows: (n * positions, fan-in).
        shape: Of the layer's output.

    Returns:
        float64, (n, *shape).
    """
    accumulator = products(windows, weights.t())
    if len(shape) == 1:
        return accumulator
    positions = shape[1] * shape[2]
    return accumulator.view(-1, positions, shape[0]).transpose(1, 2).reshape(-1, *shape)


def input_error(
    products: Products, layer: Weighted, weights: torch.Tensor, error: torch.Tensor, shape: tuple[int, ...]
) -> torch.Tensor:
    """The accumulator of the error to the layer's input.

    Args:
        products: How to multiply.
        layer: A layer with weights.
        weights: (out, fan-in), the effective ones.
        error: (out, positions), at the layer's output.
        shape: Of the layer's input.

    Returns:
        float64, the given shape.
    """
    windows = products(error.t(), weights)
    if not isinstance(layer, Conv2d):
        return windows.view(shape)
    folded: torch.Tensor = functional.fold(
        windows.t()[None], shape[1:], layer.kernel, padding=layer.padding, stride=layer.stride
    )
    return folded[0]


def maxpool2d_forward(layer: MaxPool2d, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The maximum of each window, and where in its plane it stands first.

    Args:
        layer: The window.
        x: (n, channels, height, width).

    Returns:
        (n, channels, height // size, width // size), twice; the places are flat indices into a plane.
    """
    maxima, places = functional.max_pool2d(x, layer.size, return_indices=True)
    return maxima, places


def maxpool2d_input_error(error: torch.Tensor, places: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """The error where each window's first maximum stands, 0 everywhere else.

    Args:
        error: (channels, rows, columns).
        places: The same shape, from `maxpool2d_forward`.
        shape: Of the layer's input.

    Returns:
        The given shape.
    """
    planes = torch.zeros(shape[0], shape[1] * shape[2], dtype=error.dtype, device=error.device)
    return planes.scatter_(1, places.reshape(shape[0], -1), error.reshape(shape[0], -1)).view(shape)
