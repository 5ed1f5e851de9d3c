"""One sample through a chain of layers, forward and back, with given shifts or with dynamic ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from . import layers as kernels
from .arithmetic import requantize, requantize_shift
from .checks import Int8Array, Int32Array
from .network import Conv2d, Flatten, Layer, Linear, MaxPool2d, Relu, Weighted
from .run import Shifts


@dataclass(frozen=True, eq=False)
class Forward:
    """What a forward pass leaves behind.

    Attributes:
        inputs: int8, the input of each layer.
        outputs: int8, the output of each layer.
        accumulators: int32, by layer with weights, before the shift.
        shifts: The forward shift used, by layer with weights.
    """

    inputs: list[Int8Array]
    outputs: list[Int8Array]
    accumulators: dict[int, Int32Array]
    shifts: dict[int, int]


@dataclass(frozen=True, eq=False)
class Backward:
    """What a backward pass leaves behind.

    Attributes:
        errors: int8, at the output of each layer that the error reaches.
        input_errors: int8, to the input of each layer that passes the error on.
        gradients: int32, G by layer with weights.
        accumulators: int32, of the errors to the inputs of layers with weights, before the shift.
        shifts: The backward shift used, by layer with weights; 0 where no error is passed on.
    """

    errors: dict[int, Int8Array]
    input_errors: dict[int, Int8Array]
    gradients: dict[int, Int32Array]
    accumulators: dict[int, Int32Array]
    shifts: dict[int, int]


def forward(
    layers: Sequence[Layer],
    weights: Mapping[int, Int8Array],
    image: Int8Array,
    scales: Mapping[int, Shifts] | None,
) -> Forward:
    """Run all layers.

    Args:
        layers: A legal chain.
        weights: int8, the effective weights by layer index.
        image: int8, the input of the first layer.
        scales: Static shifts, or None for dynamic ones.

    Returns:
        Every tensor on the way.
    """
    trace = Forward([], [], {}, {})
    x = image
    for i, layer in enumerate(layers):
        trace.inputs.append(x)
        match layer:
            case Conv2d() | Linear():
                accumulator = _accumulate(layer, weights[i], x)
                shift = scales[i].forward if scales is not None else requantize_shift(accumulator)
                trace.accumulators[i], trace.shifts[i] = accumulator, shift
                x = requantize(accumulator, shift)
            case Relu():
                x = kernels.relu_forward(x)
            case MaxPool2d():
                x = kernels.maxpool2d_forward(layer, x)
            case Flatten():
                x = x.reshape(-1)
        trace.outputs.append(x)
    return trace


def backward(
    layers: Sequence[Layer],
    weights: Mapping[int, Int8Array],
    passed: Forward,
    error: Int8Array,
    scales: Mapping[int, Shifts] | None,
    last: int,
) -> Backward:
    """Run the error back from the last layer, with the weights of the forward pass.

    Args:
        layers: The chain of the forward pass.
        weights: int8, its effective weights.
        passed: What it left behind.
        error: int8, at the output of the last layer.
        scales: Static shifts, or None for dynamic ones.
        last: Index of the layer with weights where the error ends: it gets a gradient but passes nothing on.
            -1 lets the error through to the input of the first layer.

    Returns:
        Every tensor on the way.
    """
    trace = Backward({}, {}, {}, {}, {})
    for i in range(len(layers) - 1, max(last, 0) - 1, -1):
        layer, x = layers[i], passed.inputs[i]
        trace.errors[i] = error
        match layer:
            case Conv2d() | Linear():
                trace.gradients[i] = _gradient(layer, x, error)
                if i == last:
                    trace.shifts[i] = 0
                    break
                accumulator = _accumulate_error(layer, weights[i], error, x.shape)
                shift = scales[i].backward if scales is not None else requantize_shift(accumulator)
                trace.accumulators[i], trace.shifts[i] = accumulator, shift
                error = requantize(accumulator, shift)
            case Relu():
                error = kernels.relu_input_error(x, error)
            case MaxPool2d():
                error = kernels.maxpool2d_input_error(layer, x, error)
            case Flatten():
                error = error.reshape(x.shape)
        trace.input_errors[i] = error
    return trace


def _accumulate(layer: Weighted, weights: Int8Array, x: Int8Array) -> Int32Array:
    if isinstance(layer, Conv2d):
        return kernels.conv2d_forward(layer, weights, x)
    return kernels.linear_forward(weights, x)


def _accumulate_error(layer: Weighted, weights: Int8Array, error: Int8Array, shape: tuple[int, ...]) -> Int32Array:
    if isinstance(layer, Conv2d):
        return kernels.conv2d_input_error(layer, weights, error, shape)
    return kernels.linear_input_error(weights, error)


def _gradient(layer: Weighted, x: Int8Array, error: Int8Array) -> Int32Array:
    if isinstance(layer, Conv2d):
        return kernels.conv2d_gradient(layer, x, error)
    return kernels.linear_gradient(x, error)
