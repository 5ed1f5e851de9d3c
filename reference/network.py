"""Layers, networks, their shapes, and the bounds that rule out overflow before it can happen."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from .checks import check_range
from .errors import IllegalNetwork
from .kinds import MethodKind
from .ranges import CLASSES, INT32_MAX, SIZE


@dataclass(frozen=True)
class Conv2d:
    """A 2-d convolution with a square kernel, zero padding and no bias; weights are OIHW."""

    in_channels: int
    out_channels: int
    kernel: int
    stride: int = 1
    padding: int = 0

    def __str__(self) -> str:
        stride = f" s{self.stride}" if self.stride != 1 else ""
        padding = f" p{self.padding}" if self.padding else ""
        return f"conv2d {self.in_channels}->{self.out_channels} k{self.kernel}{stride}{padding}"


@dataclass(frozen=True)
class Linear:
    """A fully connected layer without bias; weights are (out, in)."""

    in_features: int
    out_features: int

    def __str__(self) -> str:
        return f"linear {self.in_features}->{self.out_features}"


@dataclass(frozen=True)
class Relu:
    """max(x, 0)."""

    def __str__(self) -> str:
        return "relu"


@dataclass(frozen=True)
class MaxPool2d:
    """The maximum of size x size windows at stride size; what remains at the border is dropped."""

    size: int

    def __str__(self) -> str:
        return f"maxpool2d {self.size}"


@dataclass(frozen=True)
class Flatten:
    """CHW to a vector, row-major."""

    def __str__(self) -> str:
        return "flatten"


Weighted = Conv2d | Linear
Layer = Conv2d | Linear | Relu | MaxPool2d | Flatten


@dataclass(frozen=True)
class Stage:
    """A layer with weights and the layers without weights behind it, as indices into the layer list."""

    layer: int
    behind: tuple[int, ...]


@dataclass(frozen=True)
class Network:
    """A legal chain of layers; constructing one that does not fit together is refused.

    Args:
        input_shape: (c, h, w), or (features,) where the first layers take a vector.
        layers: At least one layer; the last is linear, its outputs are the classes.

    Raises:
        IllegalNetwork: The geometry of a layer is not legal; the message names the layer.
    """

    input_shape: tuple[int, ...]
    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        if len(self.input_shape) not in (1, 3):
            do = "give (channels, height, width) or (features,)"
            raise IllegalNetwork.about("input shape", expected="1 or 3 sizes", got=self.input_shape, do=do)
        for size in self.input_shape:
            SIZE.check("size of the input", size, IllegalNetwork)
        last = self.layers[-1] if self.layers else None
        if not isinstance(last, Linear):
            got = "no layers" if last is None else f"{last}"
            raise IllegalNetwork.about("last layer", expected="linear", got=got, do="end with a linear layer")
        _ = self.shapes
        CLASSES.check(f"number of classes of {last}", last.out_features, IllegalNetwork)

    @cached_property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shape of each layer's output."""
        shapes = []
        shape = self.input_shape
        for index, layer in enumerate(self.layers):
            shape = output_shape(layer, shape, f"layer {index} {layer}")
            shapes.append(shape)
        return tuple(shapes)

    @cached_property
    def weighted(self) -> tuple[int, ...]:
        """The indices of the layers with weights, in network order."""
        return tuple(i for i, layer in enumerate(self.layers) if isinstance(layer, Weighted))

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """Each layer with weights with the layers behind it; layers before the first weights belong to no stage."""
        ends = (*self.weighted[1:], len(self.layers))
        return tuple(Stage(i, tuple(range(i + 1, end))) for i, end in zip(self.weighted, ends, strict=True))

    @property
    def classes(self) -> int:
        """K, the number of logits."""
        return self.shapes[-1][0]

    def layer_input(self, index: int) -> tuple[int, ...]:
        """The shape of what layer `index` takes."""
        return self.shapes[index - 1] if index else self.input_shape

    def weighted_layer(self, index: int) -> Weighted:
        """Layer `index`, which must have weights.

        Raises:
            IllegalNetwork: It has none.
        """
        layer = self.layers[index] if 0 <= index < len(self.layers) else None
        if not isinstance(layer, Weighted):
            expected = f"one of {list(self.weighted)}"
            raise IllegalNetwork.about("layer with weights", expected=expected, got=index, do="name one of them")
        return layer

    def weight_shape(self, index: int) -> tuple[int, ...]:
        """The shape of the weights of layer `index`: OIHW or (out, in)."""
        return weight_shape(self.weighted_layer(index))

    def positions(self, index: int) -> int:
        """The number of places where each weight of layer `index` is used: output height x width, 1 if linear."""
        self.weighted_layer(index)
        return math.prod(self.shapes[index][1:])

    def check_overflow(self, kind: MethodKind) -> None:
        """Refuse the network if any sum of a step could leave int32.

        Args:
            kind: The method; the learners of scores have one sum more.

        Raises:
            IllegalNetwork: A bound is above 2**31 - 1; the message names the layer and the bound.
        """
        for index in self.weighted:
            passes_error = index != self.weighted[0]
            layer = self.weighted_layer(index)
            check_overflow(f"layer {index} {layer}", layer, self.positions(index), kind, passes_error)


def weight_shape(layer: Weighted) -> tuple[int, ...]:
    """The shape of a layer's weights: OIHW or (out, in)."""
    if isinstance(layer, Linear):
        return layer.out_features, layer.in_features
    return layer.out_channels, layer.in_channels, layer.kernel, layer.kernel


def output_shape(layer: Layer, shape: tuple[int, ...], name: str) -> tuple[int, ...]:
    """Infer the shape of a layer's output.

    Args:
        layer: The layer.
        shape: Of its input.
        name: What to call the layer in a refusal.

    Returns:
        The shape of its output, without a batch.

    Raises:
        IllegalNetwork: The layer is not legal, or does not take such an input.
    """
    match layer:
        case Linear(inputs, outputs):
            for what, value in (("inputs", inputs), ("outputs", outputs)):
                SIZE.check(f"{name}: {what}", value, IllegalNetwork)
            _expect(name, f"an input of shape ({inputs},)", shape, shape == (inputs,))
            return (outputs,)
        case Conv2d(inputs, outputs, kernel, stride, padding):
            sizes = {"input channels": inputs, "output channels": outputs, "kernel": kernel, "stride": stride}
            for what, value in sizes.items():
                SIZE.check(f"{name}: {what}", value, IllegalNetwork)
            check_range(f"{name}: padding", padding, 0, kernel - 1, IllegalNetwork)
            _expect(name, f"an input of shape ({inputs}, height, width)", shape, len(shape) == 3 and shape[0] == inputs)
            fits = min(shape[1:]) + 2 * padding >= kernel
            _expect(name, f"a padded height and width of at least {kernel}", shape, fits)
            height, width = ((size + 2 * padding - kernel) // stride + 1 for size in shape[1:])
            return outputs, height, width
        case MaxPool2d(size):
            SIZE.check(f"{name}: window", size, IllegalNetwork)
            fits = len(shape) == 3 and min(shape[1:]) >= size
            _expect(name, f"an input (channels, height, width) of at least {size} x {size}", shape, fits)
            return shape[0], shape[1] // size, shape[2] // size
        case Flatten():
            return (math.prod(shape),)
        case Relu():
            return shape
    raise IllegalNetwork.about(name, expected="a layer", got=type(layer).__name__, do="use one of the five layer types")


def check_overflow(name: str, layer: Weighted, positions: int, kind: MethodKind, passes_error: bool) -> None:
    """Refuse a layer with weights if one of its sums could leave int32.

    Args:
        name: What to call the layer in a refusal.
        layer: The layer.
        positions: Its output height x width; 1 if linear.
        kind: The method that trains it.
        passes_error: Whether it computes an error for its input; the first layer with weights does not.

    Raises:
        IllegalNetwork: A bound is above 2**31 - 1; the message names it.
    """
    for what, bound in _bounds(layer, positions, kind, passes_error):
        if bound > INT32_MAX:
            do = "make the layer smaller"
            raise IllegalNetwork.about(f"{name}: {what}", expected=f"at most {INT32_MAX}", got=f"{bound}", do=do)


def _bounds(layer: Weighted, positions: int, kind: MethodKind, passes_error: bool) -> Iterator[tuple[str, int]]:
    """The largest magnitude of each sum of a layer, by name."""
    outputs, *fan_in = weight_shape(layer)
    kernel_area = layer.kernel**2 if isinstance(layer, Conv2d) else 1
    yield "forward sum 127**2 * fan_in", 127**2 * math.prod(fan_in)
    if passes_error:
        yield "error sum 127**2 * out_channels * k * k", 127**2 * outputs * kernel_area
    yield "gradient 127**2 * positions", 127**2 * positions
    if kind.learns_scores:
        yield "score gradient 127**3 * positions", 127**3 * positions


def _expect(name: str, expected: str, shape: tuple[int, ...], fits: bool) -> None:
    if not fits:
        raise IllegalNetwork.about(name, expected=expected, got=f"shape {shape}", do="correct this layer or the shape")
