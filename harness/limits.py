"""What a device's description, transfer set and link can hold, each limit said once; docs/semantics.md lists them.

The firmware keeps to the same limits by itself. They are looked at here first, because a sentence from here has the
layer, the bound and the number, and a device's answer is a code.
"""

import math
from collections.abc import Sequence

from priot_hil.reference.kinds import MethodKind
from priot_hil.reference.network import Conv2d, Layer, Weighted, output_shape, weight_shape
from priot_hil.reference.ranges import INT32_MAX, UINT32_MAX, Range

from .options import MOST_BAUD
from .protocol import MAX_LAYERS, MAX_RUN_EPOCHS, MAX_STAGES, PAYLOAD_LIMIT

LAYERS = Range(1, MAX_LAYERS, "layers", "a description fits one frame")
STAGES = Range(1, MAX_STAGES, "layers with weights", "fixed tables")
SIDE = Range(1, 2**16 - 1, "height, width, kernel, stride and window; height and width of an output", "16-bit fields")
PLANE = Range(
    1,
    2**22 - 1,
    "height x width of a convolution's input and output",
    "a sparse term packs a 22-bit position with an int8 value (`priot_terms.h`)",
)
ROW = Range(
    1,
    2**16,
    "PRIOT-S: weights in a row (fan_in)",
    "a scored edge's place in its row is kept in 16 bits (`priot_model.h`)",
)
CHANNELS = Range(1, 2**24 - 1, "channels, features, and k * k", "bounds are computed in 64 bits")
ELEMENTS = Range(
    1, INT32_MAX, "weights of a layer; elements of an image and of a flatten", "they are counted in 32 bits"
)
SAMPLES = Range(0, 2**24 - 1, "samples of a transfer set, and samples in all its orders", "sizes fit 64 bits")
PLACE = Range(0, 2**16 - 1, "the place of a training sample that an order names", "16-bit order")
RUN_EPOCHS = Range(0, MAX_RUN_EPOCHS, "epochs of a detached run", "its results fit one frame")
TAG = Range(1, UINT32_MAX, "the tag of a detached run", "0 says that there was none")
PAYLOAD = Range(0, PAYLOAD_LIMIT, "bytes of a frame's payload", "buffers of the device")
BAUD = Range(1, MOST_BAUD, "bits per second of a serial port", "what an operating system's call takes")

LIMITS = (LAYERS, STAGES, SIDE, PLANE, ROW, CHANNELS, ELEMENTS, SAMPLES, PLACE, RUN_EPOCHS, TAG, PAYLOAD, BAUD)
"""All of them, in the order of the documents."""


def check_layers(layers: Sequence[Layer], input_shape: tuple[int, ...], kind: MethodKind) -> None:
    """Refuse a legal network, or a legal stage, that no device can hold, whatever its memory.

    Limits that no legal case reaches are not looked at: without overflow no layer has that many channels, taps or
    elements to flatten.

    Args:
        layers: The layers, whose sums cannot overflow.
        input_shape: What the first of them takes.
        kind: The method.

    Raises:
        InputError: A number is beyond its limit; the message names the layer and the range.
    """
    LAYERS.check("number of layers", len(layers))
    STAGES.check("number of layers with weights", sum(isinstance(layer, Weighted) for layer in layers))
    _check_sides("side of the input", input_shape)
    ELEMENTS.check("elements of the input", math.prod(input_shape))
    shape = input_shape
    for index, layer in enumerate(layers):
        name = f"layer {index} {layer}"
        output = output_shape(layer, shape, name)
        if isinstance(layer, Conv2d):
            SIDE.check(f"{name}: stride", layer.stride)
            _check_sides(f"{name}: side of the output", output)
            PLANE.check(f"{name}: height x width of the input", math.prod(shape[1:]))
        if isinstance(layer, Weighted):
            outputs, *fan_in = weight_shape(layer)
            ELEMENTS.check(f"{name}: weights", outputs * math.prod(fan_in))
            if kind is MethodKind.PRIOT_S:
                ROW.check(f"{name}: weights in a row of PRIOT-S", math.prod(fan_in))
        shape = output


def _check_sides(what: str, shape: Sequence[int]) -> None:
    for side in shape[1:]:
        SIDE.check(what, side)
