"""Layers and legal networks, built front to back so that nothing drawn is thrown away."""

import math
from dataclasses import dataclass
from functools import cache

from hypothesis import strategies as st

from priot_hil.reference.network import Conv2d, Flatten, Layer, Linear, MaxPool2d, Network, Relu, output_shape

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Sizes:
    """How large a drawn layer or network may become.

    The default network fits an arena of 200 kB with weights, scores and activations.

    Attributes:
        channels: 1 and more, of images and convolutions.
        side: 1 and more, of images; a convolution outgrows it by one at most.
        kernel: 1..7.
        stride: 1..3.
        features: 1 and more, of vectors and hidden linear layers.
        weighted: 1 and more layers with weights.
        linear_weights: 24 and more, of one linear layer.
    """

    channels: int = 4
    side: int = 10
    kernel: int = 7
    stride: int = 3
    features: int = 64
    weighted: int = 5
    linear_weights: int = 16_384


TINY = Sizes(channels=2, side=5, kernel=4, features=12, weighted=4, linear_weights=600)
"""For engines that are slow, such as plain Python."""

USUAL = Sizes()

KERNELS = (1, 2, 3, 3, 3, 4, 5, 5, 6, 7)
WINDOWS = (2, 2, 3, 1)
CLASSES = tuple(range(2, 13)) * 4 + (13, 17, 31, 64, 127, 256, 1000, 1024, 1024, 1024)

# One letter a layer: r relu, p maxpool2d, f flatten. The simplest first; repeated ones are drawn more often.
IMAGE_BEHIND = ("", "r", "r", "p", "rp", "rp", "pr", "pp", "rpr", "prp", "ppr", "rr")
FLAT_BEHIND = ("f", "rf", "rf", "pf", "rpf", "rpf", "fr", "prf", "pfr", "ppf", "prpf", "rff")
VECTOR_BEHIND = ("", "r", "r", "r", "r", "rr", "f")
IMAGE_FRONT = ("", "", "", "", "r", "p", "rp", "pr", "pp")
VECTOR_FRONT = ("", "", "", "r")


@st.composite
def conv2ds(draw: st.DrawFn, shape: Shape, sizes: Sizes = USUAL) -> Conv2d:
    """A convolution that takes this shape and outgrows `sizes.side` by one at most.

    Shrinks to one 1 x 1 kernel, stride 1, no padding.

    Args:
        draw: Hypothesis's.
        shape: (channels, height, width) of its input.
        sizes: Bounds.
    """
    return draw_conv2d(draw, shape, sizes)


def draw_conv2d(draw: st.DrawFn, shape: Shape, sizes: Sizes) -> Conv2d:
    """`conv2ds` inside another strategy, where a strategy of its own would cost more than its draws."""
    channels, height, width = shape
    kernel = draw(_one_of(KERNELS, sizes.kernel))
    stride = draw(st.integers(1, sizes.stride))
    least = max(0, math.ceil((kernel - min(height, width)) / 2))
    most = (stride * sizes.side + kernel - 1 - max(height, width)) // 2
    padding = draw(st.integers(least, max(least, min(kernel - 1, most))))
    return Conv2d(channels, draw(st.integers(1, sizes.channels)), kernel, stride, padding)


@st.composite
def layers_behind(draw: st.DrawFn, shape: Shape, orders: tuple[str, ...]) -> tuple[Layer, ...]:
    """Layers without weights. The window of a pool is 1 where no other fits.

    Shrinks to the first order, with windows of 2.

    Args:
        draw: Hypothesis's.
        shape: Of the input of the first of them.
        orders: To choose from: strings of r (relu), p (maxpool2d) and f (flatten).
    """
    return draw_behind(draw, shape, orders)


def draw_behind(draw: st.DrawFn, shape: Shape, orders: tuple[str, ...]) -> tuple[Layer, ...]:
    """`layers_behind` inside another strategy."""
    layers: list[Layer] = []
    for letter in draw(_choice(orders)):
        if letter == "r":
            layers.append(Relu())
        elif letter == "f":
            layers.append(Flatten())
        else:
            layers.append(MaxPool2d(draw(_one_of(WINDOWS, min(shape[1:])))))
        shape = output_shape(layers[-1], shape, "layer")
    return tuple(layers)


@st.composite
def networks(draw: st.DrawFn, sizes: Sizes = USUAL) -> Network:
    """A legal network: on a vector or an image, with any layers before, between and behind those with weights.

    Shrinks to one linear layer of one input and two outputs.

    Args:
        draw: Hypothesis's.
        sizes: Bounds.
    """
    layers: list[Layer] = []
    shape: Shape
    input_shape: Shape

    def add(*added: Layer) -> None:
        nonlocal shape
        for layer in added:
            layers.append(layer)
            shape = output_shape(layer, shape, f"layer {len(layers)}")

    convolutions = 0
    if draw(_choice(("vector", "image", "image"))) == "vector":
        shape = (draw(st.integers(1, sizes.features)),)
        input_shape = shape
        add(*draw_behind(draw, shape, VECTOR_FRONT))
    else:
        side = st.integers(1, sizes.side)
        shape = (draw(st.integers(1, sizes.channels)), draw(side), draw(side))
        input_shape = shape
        convolutions = draw(st.integers(0, min(3, sizes.weighted - 1)))
        add(*draw_behind(draw, shape, IMAGE_FRONT if convolutions else FLAT_BEHIND))
    for left in reversed(range(convolutions)):
        add(draw_conv2d(draw, shape, sizes))
        add(*draw_behind(draw, shape, IMAGE_BEHIND if left else FLAT_BEHIND))
    for _ in range(draw(st.integers(0, min(3, sizes.weighted - 1 - convolutions)))):
        outputs = draw(st.integers(1, max(1, min(sizes.features, sizes.linear_weights // shape[0]))))
        add(Linear(shape[0], outputs))
        add(*draw_behind(draw, shape, VECTOR_BEHIND))
    add(Linear(shape[0], draw(_one_of(CLASSES, max(2, sizes.linear_weights // shape[0])))))
    return Network(input_shape, tuple(layers))


@cache
def _one_of(choices: tuple[int, ...], largest: int) -> st.SearchStrategy[int]:
    """One of the choices that are not larger."""
    return st.sampled_from([choice for choice in choices if choice <= largest])


@cache
def _choice(choices: tuple[str, ...]) -> st.SearchStrategy[str]:
    return st.sampled_from(choices)
