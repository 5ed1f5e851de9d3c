"""Smaller versions of a run."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from itertools import product
from typing import Any

import numpy as np

from priot_hil.harness.capsule import Capsule
from priot_hil.harness.cases import Case
from priot_hil.reference.errors import IllegalNetwork
from priot_hil.reference.network import Layer, Linear, Network, Weighted, weight_shape
from priot_hil.reference.run import LossRounding, Shifts

from .parts import CORNERS, Indices, fitted, planes, simpler_values, smaller_layers, subsets, windows, with_channels

Edges = Mapping[int, Any]  # by layer, tensors with the shape of its weights
Change = Callable[[Edges], Edges]
Kept = tuple[int, Layer]  # where a layer was before, and what it is now
FIRST = (False, False, False)


def smaller_runs() -> tuple[Callable[[Case], Iterator[Case]], ...]:
    """The ways to make a run smaller, the most that is left out first."""
    return tuple(map(_of_runs, (_steps, _layers, _channels, _positions, _geometry, _rest, _values)))


def _of_runs(way: Callable[[Capsule], Iterator[Capsule]]) -> Callable[[Case], Iterator[Case]]:
    @wraps(way)
    def cut(case: Case) -> Iterator[Case]:
        assert isinstance(case, Capsule)
        return way(case)

    return cut


def _steps(capsule: Capsule) -> Iterator[Capsule]:
    if capsule.order is not None:
        for kept in subsets(len(capsule.order)):
            yield replace(capsule, order=capsule.order[kept])
        used = np.unique(capsule.order)
        if len(used) < len(capsule.images):
            images, labels = capsule.images[used], capsule.labels[used]
            yield replace(capsule, images=images, labels=labels, order=np.searchsorted(used, capsule.order))
        return
    for kept in subsets(len(capsule.images)):
        yield replace(capsule, images=capsule.images[kept], labels=capsule.labels[kept])


def _layers(capsule: Capsule) -> Iterator[Capsule]:
    network = capsule.model.network
    kept = list(enumerate(network.layers))
    for index in range(len(kept) - 1):
        yield from _shaped(capsule, kept[:index] + kept[index + 1 :], network.input_shape)


def _channels(capsule: Capsule) -> Iterator[Capsule]:
    """Channels of the input, then of each layer with weights, with the edges behind that take them."""
    network = capsule.model.network
    first, last = network.weighted[0], network.weighted[-1]
    for kept in subsets(network.input_shape[0]):
        taken = _taken(capsule, None, first, kept)
        if taken is not None:
            yield replace(taken, images=capsule.images.take(kept, 1))
    for index, behind in zip(network.weighted, (*network.weighted[1:], None), strict=True):
        for kept in subsets(network.weight_shape(index)[0], 2 if index == last else 1):
            taken = _taken(capsule, index, behind, kept)
            if taken is None:
                continue
            if behind is None:
                taken = replace(taken, labels=np.searchsorted(kept, capsule.labels).clip(0, kept.size - 1))
            yield taken


def _positions(capsule: Capsule) -> Iterator[Capsule]:
    network = capsule.model.network
    kept = list(enumerate(network.layers))
    for axis in range(1, len(network.input_shape)):
        for window in windows(network.input_shape[axis]):
            index = tuple(window if k == axis + 1 else slice(None) for k in range(capsule.images.ndim))
            images = np.ascontiguousarray(capsule.images[index])
            at_end = tuple(k == axis and window.start > 0 for k in range(len(network.input_shape)))
            for smaller in _shaped(capsule, kept, images.shape[1:], at_end):
                yield replace(smaller, images=images)


def _geometry(capsule: Capsule) -> Iterator[Capsule]:
    network = capsule.model.network
    for index, layer in enumerate(network.layers):
        for smaller, corner in product(smaller_layers(layer), CORNERS):
            kept = [(i, smaller if i == index else each) for i, each in enumerate(network.layers)]
            yield from _shaped(capsule, kept, network.input_shape, corner)


def _rest(capsule: Capsule) -> Iterator[Capsule]:
    """The simplest generator, rounding and exponents."""
    if capsule.method.loss_rounding is not LossRounding.NEAREST:
        yield replace(capsule, method=replace(capsule.method, loss_rounding=LossRounding.NEAREST))
    if capsule.state.rng != 1:
        yield replace(capsule, state=replace(capsule.state, rng=1))
    exponents = dict.fromkeys(capsule.model.weight_exponents, 0)
    if exponents != dict(capsule.model.weight_exponents) or capsule.model.input_exponent:
        yield replace(capsule, model=replace(capsule.model, weight_exponents=exponents, input_exponent=0))


def _values(capsule: Capsule) -> Iterator[Capsule]:
    for images in simpler_values(capsule.images):
        yield replace(capsule, images=images)
    for index, values in capsule.state.values.items():
        for simpler in simpler_values(values):
            yield _with_values(capsule, index, simpler)
    if capsule.method.kind.learns_scores:
        for index, weights in capsule.model.weights.items():
            for simpler in simpler_values(weights):
                model = replace(capsule.model, weights={**capsule.model.weights, index: simpler})
                yield replace(capsule, model=model)


def _with_values(capsule: Capsule, index: int, values: Any) -> Capsule:
    """Other learned values of a layer, which for NITI are its weights."""
    model = capsule.model
    if not capsule.method.kind.learns_scores:
        model = replace(model, weights={**model.weights, index: values.copy()})
    return replace(capsule, model=model, state=replace(capsule.state, values={**capsule.state.values, index: values}))


def _shaped(
    capsule: Capsule, kept: Sequence[Kept], shape: tuple[int, ...], at_end: Sequence[bool] = FIRST
) -> Iterator[Capsule]:
    """The run with some of its layers, perhaps simpler ones, on an input of another size; their edges are cut to fit.

    Yields nothing where the layers do not fit together.

    Args:
        capsule: The run.
        kept: The layers.
        shape: Of the input.
        at_end: For channels, rows and columns, whether the last edges are kept instead of the first.
    """
    old = capsule.model.network
    layers: list[Layer] = []
    places: dict[int, int] = {}
    sources: dict[int, tuple[tuple[int, ...], tuple[int, ...]]] = {}
    try:
        for index, layer in kept:
            before = planes(layers, shape)
            if isinstance(layer, Weighted):
                # A vector's layer takes as many features as reach it now.
                inputs = math.prod(before) if isinstance(layer, Linear) else before[0]
                layer = with_channels(layer, inputs, weight_shape(layer)[0])
                places[index] = len(layers)
                sources[index] = planes(old.layers[:index], old.input_shape), before
            layers.append(layer)
        network = Network(shape, tuple(layers))
    except (IllegalNetwork, ValueError):
        return

    def change(edges: Edges) -> Edges:
        return {places[i]: _fitted(edges[i], network.weight_shape(places[i]), *sources[i], at_end) for i in places}

    yield _changed(capsule, network, places, change)


def _fitted(
    edges: Any, shape: tuple[int, ...], came: tuple[int, ...], comes: tuple[int, ...], at_end: Sequence[bool]
) -> Any:
    """A layer's edges for an input that came with one shape and comes with another."""
    if len(shape) > 2:
        return fitted(edges, shape, (False, *at_end))
    if len(came) != len(comes):
        came, comes, at_end = (math.prod(came),), (math.prod(comes),), FIRST
    return fitted(edges.reshape(-1, *came), (shape[0], *comes), (False, *at_end[-len(comes) :])).reshape(shape)


def _taken(capsule: Capsule, producer: int | None, consumer: int | None, kept: Indices) -> Capsule | None:
    """The run with some channels between two layers with weights; None where they do not fit together so.

    Args:
        capsule: The run.
        producer: The layer that gives the channels; None for the input.
        consumer: The next layer with weights, which takes them; None behind the last.
        kept: Which.
    """
    old = capsule.model.network
    layers = list(old.layers)
    shape = old.input_shape if producer is not None else (kept.size, *old.input_shape[1:])
    if producer is not None:
        layer = old.weighted_layer(producer)
        layers[producer] = with_channels(layer, weight_shape(layer)[1], kept.size)
    if consumer is not None:
        count = old.weight_shape(producer)[0] if producer is not None else old.input_shape[0]
        layer = old.weighted_layer(consumer)
        inputs = weight_shape(layer)[1] // count * kept.size
        layers[consumer] = with_channels(layer, inputs, weight_shape(layer)[0])
    try:
        network = Network(shape, tuple(layers))
    except IllegalNetwork:
        return None

    def change(edges: Edges) -> Edges:
        changed = dict(edges)
        if producer is not None:
            changed[producer] = changed[producer].take(kept, 0)
        if consumer is not None:
            array = changed[consumer].reshape(len(changed[consumer]), count, -1).take(kept, 1)
            changed[consumer] = array.reshape(network.weight_shape(consumer))
        return changed

    return _changed(capsule, network, {i: i for i in old.weighted}, change)


def _changed(capsule: Capsule, network: Network, places: Mapping[int, int], change: Change) -> Capsule:
    """The run on another network, with its edges changed and its layers' constants where their layers are now."""
    model, state = capsule.model, capsule.state
    scales = None
    if state.scales is not None:
        scales = {new: Shifts(*state.scales[old]) for old, new in places.items()}
        scales[network.weighted[0]] = scales[network.weighted[0]]._replace(backward=0)
    return replace(
        capsule,
        model=replace(
            model,
            network=network,
            weights=change(model.weights),
            weight_exponents={new: model.weight_exponents[old] for old, new in places.items()},
        ),
        state=replace(
            state,
            values=change(state.values),
            scales=scales,
            scored=None if state.scored is None else change(state.scored),
        ),
        labels=capsule.labels.clip(0, network.classes - 1),
    )
