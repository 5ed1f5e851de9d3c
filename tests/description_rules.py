"""What a device has to say to a description: the rules of docs/semantics.md, sections 3, 9 and 12, read anew."""

from dataclasses import dataclass, field

from priot_hil.harness.description import METHODS
from priot_hil.harness.protocol import (
    MAX_LAYERS,
    MAX_STAGES,
    LayerCode,
    LayerRecord,
    MethodCode,
    ModeCode,
    ModelRecord,
    StatusCode,
)
from priot_hil.harness.strategies.descriptions import Description
from priot_hil.reference.errors import IllegalNetwork
from priot_hil.reference.network import Conv2d, Flatten, Layer, Linear, MaxPool2d, Relu, check_overflow, output_shape
from priot_hil.reference.run import MethodKind

COUNTED = 2**31 - 1  # values of a tensor
CHANNELS = 2**24 - 1  # channels, features, kernel * kernel
SIDE = 2**16 - 1  # of a plane
PLANE = 2**22 - 1  # elements of a plane that a convolution reads or writes
ROW = 2**16  # weights of a row of PRIOT-S
KINDS = {code: kind for kind, code in METHODS.items()}
WEIGHTED = (LayerCode.CONV2D, LayerCode.LINEAR)


@dataclass
class Verdict:
    """What is wrong with a description, and about how much memory it takes.

    Attributes:
        wrong: A status for everything that is wrong, up to the first layer that does not fit.
        least: Bytes that its tensors take at least.
        most: Bytes that suffice.
    """

    wrong: set[StatusCode] = field(default_factory=set)
    least: int = 0
    most: int = 0


def judge(description: Description) -> Verdict:
    """Holds a description against the rules."""
    head, layers = description
    verdict = Verdict()
    wrong = verdict.wrong
    if not _head_is_legal(head) or not _layers_are_legal(head, layers):
        wrong.add(StatusCode.BAD_MODEL)
    if len(layers) > MAX_LAYERS:
        wrong.add(StatusCode.TOO_LARGE)
    if not wrong:
        _walk(head, layers, verdict)
    return verdict


def _head_is_legal(head: ModelRecord) -> bool:
    scales = {MethodCode.NITI_DYNAMIC: (1,), MethodCode.NITI_STATIC: (0,)}
    dynamic = scales.get(MethodCode(head.method), (0, 1)) if head.method in KINDS else ()
    return (
        head.mode in (ModeCode.NETWORK, ModeCode.KERNEL)
        and head.method in KINDS
        and head.rounding in (1, 2)
        and head.mu in range(8)
        and head.dynamic in ((0, 1) if head.mode == ModeCode.KERNEL else dynamic)
        and head.theta in range(-127, 128)
        and head.input_exponent in range(-64, 64)
        and head.rng > 0
        and head.channels in range(1, CHANNELS + 1)
        and (head.height > 0) is (head.width > 0)
    )


def _layers_are_legal(head: ModelRecord, layers: tuple[LayerRecord, ...]) -> bool:
    if not layers:
        return False
    weighted = [layer.type in WEIGHTED for layer in layers]
    if head.mode == ModeCode.KERNEL:
        fits = weighted[0] and not any(weighted[1:])
    else:
        fits = layers[-1].type == LayerCode.LINEAR
    return fits and all(
        layer.exponent in range(-64, 64) and max(layer.forward, layer.backward, layer.gradient) <= 31
        for layer in layers
    )


def _walk(head: ModelRecord, layers: tuple[LayerRecord, ...], verdict: Verdict) -> None:
    """The shape from layer to layer, until one does not fit."""
    wrong, kind = verdict.wrong, KINDS[MethodCode(head.method)]
    is_kernel = head.mode == ModeCode.KERNEL
    shape: tuple[int, ...] = (head.channels, head.height, head.width) if head.height else (head.channels,)
    stages = 0
    values = _count(shape)
    verdict.least, verdict.most = values, 64 + 2 * head.epoch
    if values > COUNTED:
        wrong.add(StatusCode.TOO_LARGE)
        return
    for record in layers:
        layer = _layer(record, shape)
        if layer is None:
            wrong.add(StatusCode.BAD_MODEL)
            return
        if isinstance(layer, Conv2d | Linear) and (stages == MAX_STAGES or record.out > CHANNELS):
            wrong.add(StatusCode.TOO_LARGE)
        try:
            output = output_shape(layer, shape, "layer")
        except IllegalNetwork:
            wrong.add(StatusCode.BAD_GEOMETRY)
        if wrong:
            return
        if isinstance(layer, Flatten) and _count(output) > COUNTED:
            wrong.add(StatusCode.TOO_LARGE)
        edges = 0
        if isinstance(layer, Conv2d | Linear):
            edges = _weights(layer, shape, output, kind, record.scored, stages > 0 or is_kernel, wrong)
            stages += 1
        verdict.least += edges
        # An edge: weight, score and place, a gradient, a term. A value: itself, its error, its place, a sum, a term.
        verdict.most += 256 + 16 * (edges + _count(shape) + _count(output))
        if wrong:
            return
        shape = output
    if not is_kernel and shape[0] not in range(2, 1025):
        wrong.add(StatusCode.BAD_GEOMETRY)


def _weights(
    layer: Conv2d | Linear,
    shape: tuple[int, ...],
    output: tuple[int, ...],
    kind: MethodKind,
    scored: int,
    passes_error: bool,
    wrong: set[StatusCode],
) -> int:
    """The rules of a layer with weights; returns how many it has."""
    taps = layer.kernel**2 if isinstance(layer, Conv2d) else 1
    row, edges = taps * shape[0], taps * shape[0] * output[0]
    if isinstance(layer, Conv2d) and (max(output[1:]) > SIDE or max(_count(shape[1:]), _count(output[1:])) > PLANE):
        wrong.add(StatusCode.TOO_LARGE)
    if max(shape[0], output[0], taps) > CHANNELS or edges > COUNTED or (kind is MethodKind.PRIOT_S and row > ROW):
        wrong.add(StatusCode.TOO_LARGE)
    try:
        check_overflow("layer", layer, _count(output[1:]), kind, passes_error)
    except IllegalNetwork:
        wrong.add(StatusCode.OVERFLOW)
    if scored > (edges if kind is MethodKind.PRIOT_S else 0):
        wrong.add(StatusCode.BAD_MODEL)
    return edges


def _layer(record: LayerRecord, shape: tuple[int, ...]) -> Layer | None:
    """The layer that a record means; None where its type is none."""
    match record.type:
        case LayerCode.CONV2D:
            return Conv2d(shape[0], record.out, record.kernel, record.stride, record.padding)
        case LayerCode.LINEAR:
            return Linear(shape[0], record.out)
        case LayerCode.RELU:
            return Relu()
        case LayerCode.MAXPOOL2D:
            return MaxPool2d(record.kernel)
        case LayerCode.FLATTEN:
            return Flatten()
    return None


def _count(shape: tuple[int, ...]) -> int:
    product = 1
    for size in shape:
        product *= size
    return product
