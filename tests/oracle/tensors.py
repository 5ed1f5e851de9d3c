"""Tensors as nested lists of integers."""

from collections.abc import Callable, Iterator
from typing import Any

Tensor = Any
"""An integer, or a list of tensors of one shape."""
Shape = tuple[int, ...]


def filled(shape: Shape, value: int = 0) -> Tensor:
    """A tensor of this shape that holds one value."""
    return [filled(shape[1:], value) for _ in range(shape[0])] if shape else value


def flat(tensor: Tensor) -> Iterator[int]:
    """The elements in row-major order."""
    if isinstance(tensor, list):
        for part in tensor:
            yield from flat(part)
    else:
        yield tensor


def shaped(elements: Iterator[int], shape: Shape) -> Tensor:
    """A tensor of this shape from its elements in row-major order."""
    return [shaped(elements, shape[1:]) for _ in range(shape[0])] if shape else next(elements)


def each(function: Callable[..., int], *tensors: Tensor) -> Tensor:
    """The function of the elements at the same place, in row-major order."""
    if isinstance(tensors[0], list):
        return [each(function, *parts) for parts in zip(*tensors, strict=True)]
    return function(*tensors)


def shape_of(tensor: Tensor) -> Shape:
    """The lengths of the nested lists."""
    return (len(tensor), *shape_of(tensor[0])) if isinstance(tensor, list) else ()
