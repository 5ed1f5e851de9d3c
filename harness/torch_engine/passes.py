"""Samples through a chain of layers, and an error back; `reference/passes.py` defines both."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch

from priot_hil.reference.network import Conv2d, Flatten, Layer, Linear, MaxPool2d, Relu, output_shape
from priot_hil.reference.run import Shifts

from . import layers as kernels
from .arithmetic import requantize, requantize_shift
from .products import Products


class Requantized(NamedTuple):
    """An accumulator as int8 values, one sample or several.

    Attributes:
        values: In the dtype of the products.
        shifts: Used for each sample.
        largest: max |accumulator| of each sample; empty where the shift was given.
    """

    values: torch.Tensor
    shifts: list[int]
    largest: list[int]


@dataclass(frozen=True, eq=False)
class Forward:
    """What a forward pass of n samples leaves behind.

    Attributes:
        inputs: (n, *shape), the input of each layer, and behind them the output of the last one.
        windows: By layer with weights: what its gradient needs.
        places: By pool: where its maxima stand.
        requantized: By layer with weights: its output.
    """

    inputs: list[torch.Tensor]
    windows: dict[int, torch.Tensor] = field(default_factory=dict)
    places: dict[int, torch.Tensor] = field(default_factory=dict)
    requantized: dict[int, Requantized] = field(default_factory=dict)


class Arrived(NamedTuple):
    """An error at a layer of the chain, on its way back.

    Attributes:
        layer: Its index.
        error: (*shape), at its output.
        passed: The error to its input, where it has weights and passes one on.
    """

    layer: int
    error: torch.Tensor
    passed: Requantized | None


def forward(
    products: Products,
    layers: Sequence[Layer],
    weights: Mapping[int, torch.Tensor],
    images: torch.Tensor,
    scales: Mapping[int, Shifts] | None,
) -> Forward:
    """Run all layers.

    Args:
        products: How to multiply.
        layers: A legal chain.
        weights: (out, fan-in) by layer with weights, the effective ones.
        images: (n, *input shape).
        scales: Static shifts, or None for dynamic ones, which are each sample's own.

    Returns:
        Every tensor on the way.
    """
    trace = Forward([images])
    x = images
    for i, layer in enumerate(layers):
        match layer:
            case Conv2d() | Linear():
                trace.windows[i] = kernels.windows_of(layer, x)
                shape = output_shape(layer, tuple(x.shape[1:]), f"{layer}")
                accumulator = kernels.forward(products, weights[i], trace.windows[i], shape)
                shift = None if scales is None else scales[i].forward
                trace.requantized[i] = _requantized(products, accumulator, shift)
                x = trace.requantized[i].values
            case Relu():
                x = x.clamp(min=0)
            case MaxPool2d():
                x, trace.places[i] = kernels.maxpool2d_forward(layer, x)
            case Flatten():
                x = x.flatten(1)
        trace.inputs.append(x)
    return trace


def backward(
    products: Products,
    layers: Sequence[Layer],
    weights: Mapping[int, torch.Tensor],
    passed: Forward,
    error: torch.Tensor,
    scales: Mapping[int, Shifts] | None,
    last: int,
) -> Iterator[Arrived]:
    """Run the error of a single sample back from the last layer.

    Args:
        products: How to multiply.
        layers: The chain of the forward pass.
        weights: Its effective weights. Those of a layer are not looked at any more once it was yielded, so that they
            may change.
        passed: What it left behind.
        error: (classes,), at the output of the last layer.
        scales: Static shifts, or None for dynamic ones.
        last: Index of the layer with weights where the error ends; -1 lets it through to the input of the first layer.

    Yields:
        Each layer that the error reaches, from the last one.
    """
    for i in range(len(layers) - 1, max(last, 0) - 1, -1):
        layer, shape = layers[i], tuple(passed.inputs[i].shape[1:])
        arrived, onward = error, None
        match layer:
            case Conv2d() | Linear() if i != last:
                rows = error.reshape(error.shape[0], -1)
                accumulator = kernels.input_error(products, layer, weights[i], rows, shape)
                onward = _requantized(products, accumulator[None], None if scales is None else scales[i].backward)
                error = onward.values[0]
            case Relu():
                error = error * (passed.inputs[i][0] > 0)
            case MaxPool2d():
                error = kernels.maxpool2d_input_error(error, passed.places[i][0], shape)
            case Flatten():
                error = error.view(shape)
        yield Arrived(i, arrived, onward)


def _requantized(products: Products, accumulator: torch.Tensor, shift: int | None) -> Requantized:
    """Take accumulators to int8 values, by a given shift or by each sample's own."""
    count = accumulator.shape[0]
    if shift is not None:
        return Requantized(requantize(accumulator, shift).to(products.dtype), [shift] * count, [])
    largest = [int(value) for value in accumulator.abs().flatten(1).amax(1).tolist()]
    shifts = [requantize_shift(value) for value in largest]
    if count == 1:
        return Requantized(requantize(accumulator, shifts[0]).to(products.dtype), shifts, largest)
    each = torch.tensor(shifts, dtype=torch.float64, device=accumulator.device)
    by_sample = each.view(count, *[1] * (accumulator.ndim - 1))
    return Requantized(requantize(accumulator, by_sample).to(products.dtype), shifts, largest)
