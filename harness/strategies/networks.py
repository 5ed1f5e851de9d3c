"""Layers and legal networks, built front to back so that nothing drawn is thrown away."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

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
CLASSES = tuple(range(2, 13)) * 4 + (13, 17, 31, 64, 127, 256, 1000, 1024)

# One letter a layer: r relu, p maxpool2d, f flatten. The simplest first; repeated ones are drawn more often.
NOTHING = ("",)
IMAGE_BEHIND = ("", "r", "r", "p", "rp", "rp", "pr", "pp", "rpr", "prp", "ppr", "rr")
FLAT_BEHIND = ("f", "rf", "rf", "pf", "rpf", "rpf", "fr", "prf", "pfr", "ppf", "prpf", "rff")
VECTOR_BEHIND = ("", "r", "r", "r", "r", "rr", "f")
IMAGE_FRONT = ("", "", "", "", "r", "p", "rp", "pr", "pp")
VECTOR_FRONT = ("", "", "", "r")


def conv2ds(shape: Shape, sizes: Sizes = USUAL) -> st.SearchStrategy[Conv2d]:
    """A convolution that takes this shape and outgrows `sizes.side` by one at most.

    Shrinks to one 1 x 1 kernel, stride 1, no padding.

    Args:
        shape: (channels, height, width) of its input.
        sizes: Bounds.
    """
    return _conv2ds(shape, sizes)


@st.composite
def _conv2ds(draw: st.DrawFn, shape: Shape, sizes: Sizes) -> Conv2d:
    channels, height, width = shape
    kernel = draw(st.sampled_from([k for k in KERNELS if k <= sizes.kernel]))
    stride = draw(st.integers(1, sizes.stride))
    least = max(0, math.ceil((kernel - min(height, width)) / 2))
    most = (stride * (sizes.side - 1) + kernel + stride - 1 - max(height, width)) // 2
    padding = draw(st.integers(least, max(least, min(kernel - 1, most))))
    return Conv2d(channels, draw(st.integers(1, sizes.channels)), kernel, stride, padding)


@st.composite
def layers_behind(draw: st.DrawFn, shape: Shape, orders: Sequence[str]) -> tuple[Layer, ...]:
    """Layers without weights. Pools that no longer fit are left out.

    Shrinks to the first order, with windows of 2.

    Args:
        draw: Hypothesis's.
        shape: Of the input of the first of them.
        orders: To choose from: strings of r (relu), p (maxpool2d) and f (flatten).
    """
    layers: list[Layer] = []
    for letter in draw(st.sampled_from(orders)):
        if letter == "r":
            layers.append(Relu())
        elif letter == "f":
            layers.append(Flatten())
        else:
            side = min(shape[1:])
            windows = [n for n in (2, 3, 1) if n <= side]
            layers.append(MaxPool2d(draw(st.sampled_from(windows)) if side > 1 else 1))
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
    if draw(st.sampled_from(("vector", "image", "image"))) == "vector":
        shape = (draw(st.integers(1, sizes.features)),)
        input_shape = shape
        add(*draw(layers_behind(shape, VECTOR_FRONT)))
    else:
        side = st.integers(1, sizes.side)
        shape = (draw(st.integers(1, sizes.channels)), draw(side), draw(side))
        input_shape = shape
        convolutions = draw(st.integers(0, min(3, sizes.weighted - 1)))
        add(*draw(layers_behind(shape, IMAGE_FRONT if convolutions else FLAT_BEHIND)))
    for left in reversed(range(convolutions)):
        add(draw(conv2ds(shape, sizes)))
        add(*draw(layers_behind(shape, IMAGE_BEHIND if left else FLAT_BEHIND)))
    for _ in range(draw(st.integers(0, min(3, sizes.weighted - 1 - convolutions)))):
        outputs = draw(st.integers(1, max(1, min(sizes.features, sizes.linear_weights // shape[0]))))
        add(Linear(shape[0], outputs))
        add(*draw(layers_behind(shape, VECTOR_BEHIND)))
    classes = [k for k in CLASSES if k * shape[0] <= sizes.linear_weights] or [2]
    add(Linear(shape[0], draw(st.sampled_from(classes))))
    return Network(input_shape, tuple(layers))
