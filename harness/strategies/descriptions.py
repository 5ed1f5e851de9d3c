"""Descriptions of models as a device gets them, legal or not: near each limit, and with fields changed."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from hypothesis import strategies as st

from priot_hil.harness.description import METHODS, describe_layer, image_sizes
from priot_hil.harness.protocol import (
    MAX_LAYERS,
    MAX_STAGES,
    LayerCode,
    LayerRecord,
    MethodCode,
    ModeCode,
    ModelRecord,
    RoundingCode,
)
from priot_hil.reference.network import Conv2d, Flatten, Layer, Linear, MaxPool2d, Relu
from priot_hil.reference.run import MethodKind

from .networks import TINY, networks

Parts = tuple[tuple[int, ...], tuple[Layer, ...]]  # input shape, layers

ANY, HEAD = -1, 0  # whose field: any layer's, the model's; else that of a layer of this type
BYTES_ABOVE_31 = (32, 255)
OUTSIDE_SIGNED = (-128, -65, 64, 127)
WRONG: Mapping[tuple[int, str], tuple[int, ...]] = {
    (HEAD, "mode"): (2, 255),
    (HEAD, "method"): (0, 5),
    (HEAD, "rounding"): (0, 3),
    (HEAD, "mu"): (8, 255),
    (HEAD, "dynamic"): (2, 255),
    (HEAD, "theta"): (-128,),
    (HEAD, "input_exponent"): OUTSIDE_SIGNED,
    (HEAD, "rng"): (0,),
    (HEAD, "channels"): (0, 2**24, 2**32 - 1),
    (HEAD, "height"): (0,),
    (HEAD, "width"): (0,),
    (ANY, "type"): (0, 6, 255),
    (ANY, "exponent"): OUTSIDE_SIGNED,
    (ANY, "forward"): BYTES_ABOVE_31,
    (ANY, "backward"): BYTES_ABOVE_31,
    (ANY, "gradient"): BYTES_ABOVE_31,
    (LayerCode.CONV2D, "out"): (0, 2**24, 2**32 - 1),
    (LayerCode.CONV2D, "kernel"): (0, 65_535),
    (LayerCode.CONV2D, "stride"): (0,),
    (LayerCode.CONV2D, "padding"): (7, 65_535),
    (LayerCode.CONV2D, "scored"): (2**31, 2**32 - 1),
    (LayerCode.LINEAR, "out"): (0, 1, 1025, 2**24, 2**32 - 1),
    (LayerCode.LINEAR, "scored"): (2**31, 2**32 - 1),
    (LayerCode.MAXPOOL2D, "kernel"): (0, 65_535),
}
"""Values that no legal description has."""
RIGHT: Mapping[tuple[int, str], tuple[int, ...]] = {
    (HEAD, "mode"): (0, 1),
    (HEAD, "method"): (1, 2, 3, 4),
    (HEAD, "rounding"): (1, 2),
    (HEAD, "mu"): (0, 7),
    (HEAD, "dynamic"): (0, 1),
    (HEAD, "theta"): (-127, 127),
    (HEAD, "input_exponent"): (-64, 63),
    (HEAD, "epoch"): (0, 1, 65_535),
    (HEAD, "channels"): (1, 2, 65_537, 133_145, 2**24 - 1),
    (HEAD, "height"): (1, 2, 33, 65_535),
    (HEAD, "width"): (1, 2, 33, 65_535),
    (ANY, "type"): tuple(LayerCode),
    (ANY, "exponent"): (-64, 63),
    (ANY, "forward"): (31,),
    (ANY, "scored"): (0, 1, 24, 600),
    (LayerCode.CONV2D, "out"): (1, 1024, 65_537, 133_145, 2**24 - 1),
    (LayerCode.CONV2D, "kernel"): (1, 2, 3, 7, 33),
    (LayerCode.CONV2D, "stride"): (1, 2, 3, 7, 33, 65_535),
    (LayerCode.CONV2D, "padding"): (1, 2, 3),
    (LayerCode.LINEAR, "out"): (2, 1024, 65_537, 133_145, 2**24 - 1),
    (LayerCode.MAXPOOL2D, "kernel"): (1, 2, 3, 7),
}
"""Values that some legal description has; in another they may be wrong."""
CHANGES = {
    name: st.sampled_from([(*where, value) for where, values in table.items() for value in values])
    for name, table in (("wrong", WRONG), ("right", RIGHT))
}
EXAMPLE: Parts = ((2, 6, 5), (Conv2d(2, 3, 3, 1, 1), Relu(), MaxPool2d(2), Flatten(), Linear(18, 4)))
"""Has a layer of each type."""
CHANGED = ((), ("wrong",), ("right",), ("wrong",), ("right", "right"), ("wrong", "right"))
METHOD_CODES = st.sampled_from([METHODS[kind] for kind in MethodKind])


class Description(NamedTuple):
    """The payload of LOAD, in its records."""

    head: ModelRecord
    layers: tuple[LayerRecord, ...]

    def pack(self) -> bytes:
        """As it goes over the link."""
        return self.head.pack() + b"".join(layer.pack() for layer in self.layers)


@st.composite
def descriptions(draw: st.DrawFn) -> Description:
    """A model's description, of a whole network or a single stage, as it is or with some fields changed.

    Shrinks to dynamic NITI on one linear layer of one input and two outputs, with nothing changed.

    Args:
        draw: Hypothesis's.
    """
    scene = draw(st.sampled_from(SCENES))
    shape, layers = scene(draw)
    method = draw(METHOD_CODES)
    dynamic = int(method == MethodCode.NITI_DYNAMIC)
    mode = ModeCode.KERNEL if draw(st.integers(0, 3)) == 3 else ModeCode.NETWORK
    if mode == ModeCode.KERNEL and layers:
        first = next(i for i, layer in enumerate(layers) if isinstance(layer, Conv2d | Linear))
        layers = layers[first : first + 1 + draw(st.integers(0, 3))]
    head = ModelRecord(mode, method, RoundingCode.NEAREST, 5, dynamic, 0, -7, 0, 1, 16, *image_sizes(shape))
    records = [describe_layer(layer) for layer in layers]
    for kind in draw(st.sampled_from(CHANGED)):
        whose, name, value = draw(CHANGES[kind])
        fits = [i for i, record in enumerate(records) if whose in (ANY, record.type)]
        if whose == HEAD:
            head = head._replace(**{name: value})
        elif fits:
            at = draw(st.sampled_from(fits))
            records[at] = records[at]._replace(**{name: value})
    return Description(head._replace(layers=len(records)), tuple(records))


def _example(_: st.DrawFn) -> Parts:
    """Always the same, quick to draw."""
    return EXAMPLE


def _small(draw: st.DrawFn) -> Parts:
    """A legal network."""
    network = draw(networks(TINY))
    return network.input_shape, network.layers


def _near(draw: st.DrawFn, limit: int) -> int:
    """A number at most 2 from a limit."""
    return limit + draw(st.integers(-2, 2))


def _many_terms(draw: st.DrawFn) -> Parts:
    """Rows of weights about as long as they may be."""
    inputs = _near(draw, draw(st.sampled_from((65_536, 133_144))))
    return (inputs,), (Linear(inputs, draw(st.integers(2, 3))),)


def _many_edges(draw: st.DrawFn) -> Parts:
    """About as many weights as can be counted."""
    outputs = _near(draw, 2**31 // 65_536)
    return (65_536,), (Linear(65_536, outputs), Linear(outputs, 2))


def _many_outputs(draw: st.DrawFn) -> Parts:
    """Sums of an error about as long as they may be, or more channels than can be counted."""
    outputs = _near(draw, draw(st.sampled_from((133_144, 133_144, 2**24))))
    return (1,), (Linear(1, 1), Linear(1, outputs), Linear(outputs, 2))


def _many_positions(draw: st.DrawFn) -> Parts:
    """Sums of a gradient about as long as they may be, or a plane larger than a position counts."""
    shape = draw(st.sampled_from(((1, 8, 131), (1, 7, 150), (1, 364, 365), (1, 367, 363), (1, 2048, 2048))))
    stride = draw(st.sampled_from((1, 1, 40)))
    pooled = [(size - 1) // stride + 1 for size in shape[1:]]
    window = min(pooled)
    rest = (pooled[0] // window) * (pooled[1] // window)
    return shape, (Conv2d(1, 1, 1, stride), MaxPool2d(window), Flatten(), Linear(rest, 2))


def _large_kernel(draw: st.DrawFn) -> Parts:
    """Windows about as large as a sum may be, or can be counted, filled by the plane or by padding."""
    kernel = _near(draw, draw(st.sampled_from((364, 365, 4096))))
    padding = draw(st.sampled_from((0, kernel - 1)))
    side = kernel - padding
    return (1, side, side), (Conv2d(1, 1, kernel, kernel, padding), Flatten(), Linear(1, 2))


def _wide_plane(draw: st.DrawFn) -> Parts:
    """Planes that padding or nothing makes about 2**16 wide or high, with kernels that may not fit the other side."""
    size, other = 65_533 + draw(st.integers(0, 2)), draw(st.integers(1, 3))
    shape = (1, size, other) if draw(st.booleans()) else (1, other, size)
    kernel = draw(st.integers(1, 5))
    layer = Conv2d(1, 1, kernel, draw(st.sampled_from((1, 1, 65_535))), draw(st.sampled_from((kernel - 1, 0))))
    return shape, (layer, Flatten(), Linear(1, 2))


def _many_values(draw: st.DrawFn) -> Parts:
    """An image, or what a convolution makes of it, of about as many values as can be counted."""
    if draw(st.booleans()):
        channels = _near(draw, draw(st.sampled_from((511, 512, 1024))))
        return (channels, 2048, 2048), (MaxPool2d(2048), Flatten(), Linear(channels, 2))
    outputs = _near(draw, 2**31 // 1024)
    return (1, 32, 32), (Conv2d(1, outputs, 1), Flatten(), Linear(outputs * 1024, 2))


def _many_layers(draw: st.DrawFn) -> Parts:
    """As many layers as there may be, or one more; or none."""
    if draw(st.integers(0, 4)) == 4:
        return (2,), ()
    if draw(st.booleans()):
        count = MAX_LAYERS + draw(st.integers(-1, 1)) - 1
        return (2,), (*[Relu()] * count, Linear(2, 2))
    return (2,), (Linear(2, 2),) * (MAX_STAGES + draw(st.integers(-1, 1)))


SCENES: tuple[Callable[[st.DrawFn], Parts], ...] = (
    *[_small] * 2,
    *[_example] * 6,
    _many_terms,
    _many_edges,
    _many_outputs,
    _many_positions,
    _large_kernel,
    *[_wide_plane] * 2,
    _many_values,
    _many_layers,
)
