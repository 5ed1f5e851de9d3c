"""A run as the firmware takes it: the records of a model, and a transfer set as it lies in flash."""

import math
import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from priot_hil.reference.engine import KernelCase
from priot_hil.reference.errors import InputError
from priot_hil.reference.kinds import LossRounding, MethodKind
from priot_hil.reference.network import Conv2d, Flatten, Layer, Linear, MaxPool2d, Relu
from priot_hil.reference.ranges import Range
from priot_hil.reference.run import Method, Model, Shifts, State

from .limits import PLACE, SAMPLES, check_layers
from .protocol import (
    DATASET_MAGIC,
    DatasetRecord,
    LayerCode,
    LayerRecord,
    MethodCode,
    ModeCode,
    ModelRecord,
    RoundingCode,
)

METHODS = {
    MethodKind.NITI_DYNAMIC: MethodCode.NITI_DYNAMIC,
    MethodKind.NITI_STATIC: MethodCode.NITI_STATIC,
    MethodKind.PRIOT: MethodCode.PRIOT,
    MethodKind.PRIOT_S: MethodCode.PRIOT_S,
}
ROUNDINGS = {LossRounding.STOCHASTIC: RoundingCode.STOCHASTIC, LossRounding.NEAREST: RoundingCode.NEAREST}
NO_SHIFTS = Shifts(0, 0, 0)


def describe_run(model: Model, method: Method, state: State, epoch: int) -> bytes:
    """The payload of LOAD for a run.

    Args:
        model: A legal model.
        method: Its method.
        state: The state to start from.
        epoch: Samples of an epoch at most.

    Raises:
        InputError: The network is beyond what a device holds; see `limits`.
    """
    network = model.network
    check_layers(network.layers, network.input_shape, method.kind)
    layers = [
        describe_layer(
            layer,
            model.weight_exponents.get(i, 0),
            (state.scales or {}).get(i, NO_SHIFTS),
            int(np.count_nonzero(state.scored[i])) if state.scored is not None and i in state.scored else 0,
        )
        for i, layer in enumerate(network.layers)
    ]
    head = ModelRecord(
        ModeCode.NETWORK,
        METHODS[method.kind],
        ROUNDINGS[method.loss_rounding],
        method.mu,
        int(state.scales is None),
        method.theta or 0,
        model.input_exponent,
        len(layers),
        state.rng,
        epoch,
        *image_sizes(network.input_shape),
    )
    return head.pack() + b"".join(record.pack() for record in layers)


def describe_kernel(case: KernelCase) -> bytes:
    """The payload of LOAD for a single stage in kernel mode.

    Raises:
        InputError: The stage is beyond what a device holds; see `limits`.
    """
    check_layers((case.layer, *case.behind), case.input_shape, case.kind)
    scored = int(np.count_nonzero(case.scored)) if case.scored is not None else 0
    layers = [describe_layer(case.layer, 0, NO_SHIFTS, scored), *(describe_layer(layer) for layer in case.behind)]
    head = ModelRecord(
        ModeCode.KERNEL,
        METHODS[case.kind],
        RoundingCode.NEAREST,
        case.mu,
        int(case.shifts is None),
        case.theta or 0,
        0,
        len(layers),
        1,
        0,
        *image_sizes(case.input_shape),
    )
    return head.pack() + b"".join(record.pack() for record in layers)


def describe_layer(layer: Layer, exponent: int = 0, shifts: Shifts = NO_SHIFTS, scored: int = 0) -> LayerRecord:
    """One layer's record."""
    match layer:
        case Conv2d(_, out, kernel, stride, padding):
            return LayerRecord(LayerCode.CONV2D, exponent, out, kernel, stride, padding, *shifts, 0, scored)
        case Linear(_, out):
            return LayerRecord(LayerCode.LINEAR, exponent, out, 0, 0, 0, *shifts, 0, scored)
        case MaxPool2d(size):
            return LayerRecord(LayerCode.MAXPOOL2D, 0, 0, size, 0, 0, 0, 0, 0, 0, 0)
        case Relu():
            return LayerRecord(LayerCode.RELU, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        case Flatten():
            return LayerRecord(LayerCode.FLATTEN, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


def image_sizes(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Channels, height and width of an image; a vector has its length as channels and no height or width."""
    return (shape[0], shape[1], shape[2]) if len(shape) == 3 else (shape[0], 0, 0)


def scored_edges(scored: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint32]]:
    """Where the scored edges are.

    Args:
        scored: bool, shape of the weights.

    Returns:
        uint16: each scored edge's place in its row, row by row; uint32, (rows,): where each row's edges end among them.
    """
    rows = scored.reshape(len(scored), -1)
    return np.nonzero(rows)[1].astype("<u2"), np.cumsum(np.count_nonzero(rows, axis=1)).astype("<u4")


def pack_dataset(
    train_images: npt.NDArray[np.int8],
    train_labels: npt.NDArray[np.integer],
    test_images: npt.NDArray[np.int8],
    test_labels: npt.NDArray[np.integer],
    orders: Sequence[npt.NDArray[np.integer]] = (),
) -> bytes:
    """A transfer set as it lies in flash.

    Args:
        train_images: int8, (n, ...).
        train_labels: (n,), 0..65535.
        test_images: int8, (m, ...), elements as in train_images.
        test_labels: (m,), 0..65535.
        orders: For each epoch of a detached run the places of its training samples, (n,), 0..n-1.

    Raises:
        InputError: More samples than a device counts, or an order that is not of the n training samples.
    """
    SAMPLES.check("samples of a transfer set", len(train_images) + len(test_images))
    SAMPLES.check("samples in all orders of a transfer set", len(orders) * len(train_images))
    for epoch, order in enumerate(orders, 1):
        if order.shape != (len(train_images),):
            do = "name as many as there are training samples"
            raise InputError.about(f"order of epoch {epoch}", expected=len(train_images), got=len(order), do=do)
        for place in (order.min(), order.max()) if len(order) else ():
            Range(0, min(len(order) - 1, PLACE.high)).check(f"place in the order of epoch {epoch}", place)
    pixels = math.prod(train_images.shape[1:])
    images = np.concatenate([images.reshape(len(images), pixels) for images in (train_images, test_images)])
    labels = np.concatenate([train_labels, test_labels]).astype("<u2")
    visits = b"".join(order.astype("<u2").tobytes() for order in orders)
    body = labels.tobytes() + visits + images.astype(np.int8).tobytes()
    head = DatasetRecord(DATASET_MAGIC, pixels, len(train_images), len(test_images), len(orders), zlib.crc32(body))
    return head.pack() + body
