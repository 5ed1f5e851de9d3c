"""Samples through a chain of layers, and an error back; `reference/passes.py` defines both."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch.nn import functional

from priot_hil.reference.network import Conv2d, Flatten, Layer, Linear, MaxPool2d, Relu, output_shape
from priot_hil.reference.run import Shifts

from .arithmetic import requantize_shift
from .edges import Edges
from .kernels import Kernels, windows_of
from .layouts import channels_first, channels_last


class Requantized(NamedTuple):
    """Accumulators of n samples as int8 values.

    Attributes:
        values: int8, (n, *shape).
        shifts: Used for each sample.
        largest: max |accumulator| of each sample; empty where the shift was given.
    """

    values: torch.Tensor
    shifts: list[int]
    largest: list[int]


@dataclass(frozen=True, eq=False)
class Forward:
    """What a forward pass of n samples leaves behind; all tensors have their channels last.

    Attributes:
        inputs: int8, (n, *shape): the input of each layer, and behind them the output of the last one.
        windows: int8, by layer with weights: what its gradient needs.
        places: By pool: where its maxima stand, flat indices into a plane.
        requantized: By layer with weights: its output.
    """

    inputs: list[torch.Tensor]
    windows: dict[int, torch.Tensor] = field(default_factory=dict)
    places: dict[int, torch.Tensor] = field(default_factory=dict)
    requantized: dict[int, Requantized] = field(default_factory=dict)


class Arrived(NamedTuple):
    """An error at a layer of the chain, on its way back; all tensors have their channels last.

    Attributes:
        layer: Its index.
        error: int8, (1, *shape), at its output.
        passed: The error to its input, where it has weights and passes one on.
    """

    layer: int
    error: torch.Tensor
    passed: Requantized | None


def forward(
    kernels: Kernels,
    layers: Sequence[Layer],
    edges: Mapping[int, Edges],
    images: torch.Tensor,
    scales: Mapping[int, Shifts] | None,
) -> Forward:
    """Run all layers.

    Args:
        kernels: Of the layers with weights.
        layers: A legal chain.
        edges: By layer with weights.
        images: int8, (n, *input shape), channels first.
        scales: Static shifts, or None for dynamic ones, which are each sample's own.

    Returns:
        Every tensor on the way.
    """
    x = channels_last(images)
    trace = Forward([x])
    for i, layer in enumerate(layers):
        match layer:
            case Conv2d() | Linear():
                trace.windows[i] = windows_of(edges[i], x)
                accumulator = kernels.forward(edges[i], trace.windows[i])
                shape = output_shape(layer, tuple(channels_first(x).shape[1:]), f"{layer}")
                accumulator = accumulator.view(-1, *shape[1:], shape[0])
                trace.requantized[i] = _requantized(kernels, accumulator, None if scales is None else scales[i].forward)
                x = trace.requantized[i].values
            case Relu():
                x = x.clamp(min=0)
            case MaxPool2d(size):
                # Which of equal maxima is found is the first one, as the scan runs in row-major order.
                maxima, places = functional.max_pool2d(channels_first(x).float(), size, return_indices=True)
                x, trace.places[i] = channels_last(maxima.to(torch.int8)), channels_last(places)
            case Flatten():
                x = channels_first(x).flatten(1)
        trace.inputs.append(x)
    return trace


def backward(
    kernels: Kernels,
    layers: Sequence[Layer],
    edges: Mapping[int, Edges],
    passed: Forward,
    error: torch.Tensor,
    scales: Mapping[int, Shifts] | None,
    last: int,
) -> Iterator[Arrived]:
    """Run the error of a single sample back from the last layer.

    Args:
        kernels: Of the layers with weights.
        layers: The chain of the forward pass.
        edges: By layer with weights. Those of a layer are not looked at any more once it was yielded, so that they may
            change.
        passed: What the forward pass left behind.
        error: int8, (1, *shape), at the output of the last layer, channels first.
        scales: Static shifts, or None for dynamic ones.
        last: Index of the layer with weights where the error ends; -1 lets it through to the input of the first layer.

    Yields:
        Each layer that the error reaches, from the last one.
    """
    error = channels_last(error)
    for i in range(len(layers) - 1, max(last, 0) - 1, -1):
        layer, x, arrived, onward = layers[i], passed.inputs[i], error, None
        match layer:
            case Conv2d() | Linear() if i != last:
                pixels = x[0].numel() // x.shape[-1]
                accumulator = kernels.input_error(edges[i], rows_of(error), pixels).view(x.shape)
                onward = _requantized(kernels, accumulator, None if scales is None else scales[i].backward)
                error = onward.values
            case Relu():
                error = error * x.clamp(0, 1)  # x > 0, but in int8, which is several times as fast
            case MaxPool2d():
                spread = torch.zeros(x.shape, dtype=torch.int8, device=x.device)
                spread.flatten(1, 2).scatter_(1, passed.places[i].flatten(1, 2), error.flatten(1, 2))
                error = spread
            case Flatten():
                error = channels_last(error.view(channels_first(x).shape))
        yield Arrived(i, arrived, onward)


def rows_of(error: torch.Tensor) -> torch.Tensor:
    """An error as the kernels take it: (positions, out), contiguous."""
    return error.reshape(-1, error.shape[-1]).contiguous()


def _requantized(kernels: Kernels, accumulator: torch.Tensor, shift: int | None) -> Requantized:
    """Take accumulators to int8 values, by a given shift or by each sample's own."""
    if shift is not None:
        return Requantized(kernels.requantize(accumulator, shift), [shift] * len(accumulator), [])
    largest = [int(value) for value in accumulator.abs().flatten(1).amax(1).tolist()]
    shifts = [requantize_shift(value) for value in largest]
    values = [kernels.requantize(sample, own) for sample, own in zip(accumulator, shifts, strict=True)]
    return Requantized(torch.stack(values), shifts, largest)
