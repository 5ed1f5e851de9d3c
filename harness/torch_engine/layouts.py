"""Where things lie on the engine's device: channels last, so that what a tap of a kernel meets is one piece.

Activations and errors are (n, height, width, channels), or (n, features); a layer's edges are (out, columns), a column
being (ky * kernel + kx) * channels + channel.
"""

from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch

from priot_hil.reference.checks import Int8Array
from priot_hil.reference.network import Conv2d, Weighted

Number = TypeVar("Number", bound=np.generic)


def channels_last(tensor: torch.Tensor) -> torch.Tensor:
    """(n, channels, height, width) with the channels last; a vector stays as it is."""
    return tensor.permute(0, 2, 3, 1) if tensor.ndim == 4 else tensor


def channels_first(tensor: torch.Tensor) -> torch.Tensor:
    """The way back."""
    return tensor.permute(0, 3, 1, 2) if tensor.ndim == 4 else tensor


def edges_of(array: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """A tensor of weights as (out, columns): OIHW, or (out, in), which has its columns already."""
    lying = array.transpose(0, 2, 3, 1) if array.ndim == 4 else array
    return np.ascontiguousarray(lying).reshape(len(array), -1)


def weights_of(edges: npt.NDArray[Number], shape: tuple[int, ...]) -> npt.NDArray[Number]:
    """The way back, to the given shape."""
    if len(shape) == 2:
        return edges
    out, channels, kernel, _ = shape
    return np.ascontiguousarray(edges.reshape(out, kernel, kernel, channels).transpose(0, 3, 1, 2))


def whole(values: torch.Tensor) -> Int8Array:
    """A copy of int8 values on the host, in C order."""
    array: Int8Array = values.contiguous().to("cpu", copy=True).numpy()
    return array


def pixels_of(layer: Weighted, shape: tuple[int, ...], device: torch.device) -> torch.Tensor:
    """Which pixel of its input each tap of a layer meets.

    Args:
        layer: A layer with weights; a linear one sees a single pixel with a single tap.
        shape: Of its input, without a batch: (channels, height, width) or (features,).
        device: Where the table goes.

    Returns:
        int32, (positions, taps), 0..height * width - 1 in row-major order; height * width where a tap meets padding.
    """
    if not isinstance(layer, Conv2d):
        return torch.zeros(1, 1, dtype=torch.int32, device=device)
    _, height, width = shape
    padded = np.full((height + 2 * layer.padding, width + 2 * layer.padding), height * width, np.int32)
    inside = slice(layer.padding, layer.padding + height), slice(layer.padding, layer.padding + width)
    padded[inside] = np.arange(height * width, dtype=np.int32).reshape(height, width)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (layer.kernel, layer.kernel))
    table = windows[:: layer.stride, :: layer.stride].reshape(-1, layer.kernel**2)
    return torch.tensor(table, device=device)
