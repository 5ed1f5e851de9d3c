"""What can be left out of axes, tensors and layers."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from priot_hil.reference.checks import Int8Array
from priot_hil.reference.network import Conv2d, Flatten, Layer, Linear, output_shape

Scalar = TypeVar("Scalar", bound=np.generic)
Indices = npt.NDArray[np.intp]

CORNERS = tuple((False, at_bottom, at_right) for at_bottom in (False, True) for at_right in (False, True))
"""Which of channels, rows and columns are kept from their end, where a kernel is cut."""


def subsets(count: int, least: int = 1) -> Iterator[Indices]:
    """What is left of an axis without one block of it: first without a half, in the end without a single index."""
    size = count // 2
    while size:
        for begin in range(0, count, size):
            kept = np.delete(np.arange(count), slice(begin, begin + size))
            if least <= kept.size < count:
                yield kept
        size //= 2


def windows(count: int) -> Iterator[slice]:
    """Shorter stretches of an axis of positions, from either end."""
    for size in dict.fromkeys((1, count // 2, count - 1)):
        if 0 < size < count:
            yield slice(0, size)
            yield slice(count - size, count)


def fitted(array: npt.NDArray[Scalar], shape: Sequence[int], at_end: Sequence[bool] = ()) -> npt.NDArray[Scalar]:
    """An array of another shape of as many axes, with what there is room for; the rest is zeros.

    Args:
        array: Any.
        shape: The one wanted.
        at_end: For each axis, whether its last elements are kept instead of the first.
    """
    result = np.zeros(shape, array.dtype)
    ours, theirs = [], []
    for old, new, is_end in zip(array.shape, shape, at_end or [False] * len(shape), strict=True):
        size = min(old, new)
        theirs.append(slice(old - size, old) if is_end else slice(size))
        ours.append(slice(new - size, new) if is_end else slice(size))
    result[tuple(ours)] = array[tuple(theirs)]
    return result


def simpler_values(values: Int8Array) -> Iterator[Int8Array]:
    """The same tensor with fewer numbers other than 0; then with smaller ones."""
    places = np.flatnonzero(values)
    for kept in subsets(places.size, least=0):
        yield _with(values, np.delete(places, kept), 0)
    if places.size == 1:
        yield np.zeros_like(values)
    for place in places:
        value = int(values.flat[place])
        sign = 1 if value > 0 else -1
        for smaller in dict.fromkeys((1, abs(value) // 2, abs(value) - 1)):
            if 0 < smaller < abs(value):
                yield _with(values, place, sign * smaller)


def smaller_layers(layer: Layer) -> Iterator[Layer]:
    """The same layer with a simpler geometry but the same channels."""
    if isinstance(layer, Conv2d):
        inputs, outputs, kernel, stride, padding = vars(layer).values()
        for size in range(1, kernel):
            yield Conv2d(inputs, outputs, size, stride, min(padding, size - 1))
        for step in range(1, stride):
            yield Conv2d(inputs, outputs, kernel, step, padding)
        for border in range(padding):
            yield Conv2d(inputs, outputs, kernel, stride, border)


def planes(layers: Sequence[Layer], shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape behind some layers as if none of them flattened."""
    for layer in layers:
        if isinstance(layer, Linear):
            shape = (layer.out_features,)  # of a flattened input, whatever its planes
        elif not isinstance(layer, Flatten):
            shape = output_shape(layer, shape, f"{layer}")
    return shape


def with_channels(layer: Conv2d | Linear, inputs: int, outputs: int) -> Conv2d | Linear:
    """The same layer with other numbers of channels or features."""
    if isinstance(layer, Linear):
        return Linear(inputs, outputs)
    return Conv2d(inputs, outputs, layer.kernel, layer.stride, layer.padding)


def _with(values: Int8Array, places: npt.NDArray[np.intp] | np.intp, value: int) -> Int8Array:
    changed = values.copy()
    changed.flat[places] = value
    return changed
