"""One layer of any type: its output, the error to its input, the gradient of its weights."""

from oracle import layers
from oracle.arithmetic import bit_width
from oracle.tensors import Tensor, each, flat, shape_of
from priot_hil.reference.network import Conv2d, Layer, Linear, MaxPool2d, Relu


def accumulate(layer: Conv2d | Linear, weights: Tensor, value: Tensor) -> Tensor:
    """The int32 sums of a layer with weights, before their shift."""
    if isinstance(layer, Linear):
        return layers.linear_forward(weights, value)
    return layers.conv2d_forward(weights, value, layer.stride, layer.padding)


def accumulate_error(layer: Conv2d | Linear, weights: Tensor, value: Tensor, error: Tensor) -> Tensor:
    """The int32 sums of the error to the layer's input, before their shift. `value` is that input."""
    if isinstance(layer, Linear):
        return layers.linear_input_error(weights, error)
    return layers.conv2d_input_error(weights, error, shape_of(value), layer.stride, layer.padding)


def gradient(layer: Conv2d | Linear, weights: Tensor, value: Tensor, error: Tensor) -> Tensor:
    """The int32 gradient of the weights, which lend their shape only."""
    if isinstance(layer, Linear):
        return layers.linear_gradient(error, value)
    return layers.conv2d_gradient(shape_of(weights), error, value, layer.stride, layer.padding)


def forward(layer: Layer, value: Tensor) -> Tensor:
    """The output of a layer without weights."""
    if isinstance(layer, Relu):
        return each(layers.relu_forward, value)
    if isinstance(layer, MaxPool2d):
        return layers.maxpool2d_forward(value, layer.size)
    return layers.flatten_forward(value)


def input_error(layer: Layer, value: Tensor, error: Tensor) -> Tensor:
    """The error to the input of a layer without weights. `value` is that input."""
    if isinstance(layer, Relu):
        return each(layers.relu_error, value, error)
    if isinstance(layer, MaxPool2d):
        return layers.maxpool2d_error(value, error, layer.size)
    return layers.flatten_error(shape_of(value), error)


def dynamic_shift(accumulator: Tensor) -> int:
    """The shift that brings an accumulator to seven bits."""
    return max(0, bit_width(flat(accumulator)) - 7)


def dynamic_update_shift(elements: list[int], mu: int) -> int:
    """The shift that brings an update to mu bits."""
    return max(0, bit_width(elements) - mu)
