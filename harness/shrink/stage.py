"""Smaller versions of a single stage."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import wraps
from typing import Any

import numpy as np

from priot_hil.harness.capsule_kernel import KernelCapsule
from priot_hil.harness.cases import Case
from priot_hil.reference.engine import KernelCase
from priot_hil.reference.errors import IllegalNetwork
from priot_hil.reference.network import Layer, Weighted, output_shape, weight_shape

from .parts import CORNERS, Indices, fitted, planes, simpler_values, smaller_layers, subsets, windows, with_channels

EDGES = ("weights", "scores", "scored")  # tensors with the shape of the weights


def smaller_stages() -> tuple[Callable[[Case], Iterator[Case]], ...]:
    """The ways to make a stage smaller, the most that is left out first."""
    return tuple(map(_of_stages, (_layers_behind, _channels, _positions, _geometry, _values)))


def _of_stages(way: Callable[[KernelCase], Iterator[KernelCase]]) -> Callable[[Case], Iterator[Case]]:
    @wraps(way)
    def cut(case: Case) -> Iterator[Case]:
        assert isinstance(case, KernelCapsule)
        return map(KernelCapsule, way(case.case))

    return cut


def _layers_behind(case: KernelCase) -> Iterator[KernelCase]:
    for index in range(len(case.behind)):
        yield from _shaped(case, case.layer, case.behind[:index] + case.behind[index + 1 :], case.input_shape)


def _channels(case: KernelCase) -> Iterator[KernelCase]:
    outputs, inputs = case.weights.shape[:2]
    for kept in subsets(outputs):
        layer = with_channels(case.layer, inputs, kept.size)
        error = _planar_error(case).take(kept, 0)
        yield replace(_taken(case, layer, kept, 0), error=error.reshape(_final(layer, case.behind, case.input_shape)))
    for kept in subsets(inputs):
        layer = with_channels(case.layer, kept.size, outputs)
        taken = _taken(case, layer, kept, 1)
        yield replace(taken, input_shape=(kept.size, *case.input_shape[1:]), image=case.image.take(kept, 0))


def _positions(case: KernelCase) -> Iterator[KernelCase]:
    for axis in range(1, len(case.input_shape)):
        for window in windows(case.input_shape[axis]):
            index = tuple(window if k == axis else slice(None) for k in range(len(case.input_shape)))
            image = np.ascontiguousarray(case.image[index])
            at_end = [k == axis and window.start > 0 for k in range(len(case.input_shape))]
            cropped = replace(case, image=image)
            yield from _shaped(cropped, case.layer, case.behind, image.shape, at_end)


def _geometry(case: KernelCase) -> Iterator[KernelCase]:
    for layer in smaller_layers(case.layer):
        assert isinstance(layer, Weighted)
        for corner in CORNERS:
            kept = {name: _edges(case, name, layer, corner) for name in EDGES}
            yield from _shaped(replace(case, **kept), layer, case.behind, case.input_shape)


def _values(case: KernelCase) -> Iterator[KernelCase]:
    for name in ("error", "image", "scores", "weights"):
        if getattr(case, name) is not None:
            changes: Any = ({name: values} for values in simpler_values(getattr(case, name)))
            yield from (replace(case, **change) for change in changes)


def _shaped(
    case: KernelCase,
    layer: Weighted,
    behind: tuple[Layer, ...],
    shape: tuple[int, ...],
    at_end: Sequence[bool] = (),
) -> Iterator[KernelCase]:
    """The case in another geometry of as many channels, its error cut or filled up; none where that is not legal."""
    try:
        error = fitted(_planar_error(case), planes((layer, *behind), shape), at_end)
        error = error.reshape(_final(layer, behind, shape))
    except IllegalNetwork:
        return
    yield replace(case, layer=layer, behind=behind, input_shape=shape, error=error)


def _planar_error(case: KernelCase) -> Any:
    """The error by channel, row and column, also where the stage ends flattened."""
    return case.error.reshape(planes((case.layer, *case.behind), case.input_shape))


def _final(layer: Weighted, behind: tuple[Layer, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    for each in (layer, *behind):
        shape = output_shape(each, shape, f"{each}")
    return shape


def _taken(case: KernelCase, layer: Weighted, kept: Indices, axis: int) -> KernelCase:
    """The case with some channels' edges only."""
    edges: Any = {name: None if getattr(case, name) is None else getattr(case, name).take(kept, axis) for name in EDGES}
    return replace(case, layer=layer, **edges)


def _edges(case: KernelCase, name: str, layer: Weighted, corner: Sequence[bool]) -> Any:
    """A tensor of the edges, cut to a smaller kernel."""
    array = getattr(case, name)
    return None if array is None else fitted(array, weight_shape(layer), (False, *corner))
