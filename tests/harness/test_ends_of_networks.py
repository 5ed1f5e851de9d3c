"""The largest and smallest networks that are legal, and the next ones: reference, host and firmware draw one line.

Each legal network trains as the reference does where it fits the device's memory; each next one is refused in a
sentence with the bound, and by the firmware itself where its description is sent all the same.
"""

import re
from typing import NamedTuple

import numpy as np
import pytest

from priot_hil.harness.compare import compare_state, compare_step
from priot_hil.harness.description import METHODS, describe_layer, image_sizes
from priot_hil.harness.divergence import Mismatch
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.errors import KernelStatus
from priot_hil.harness.limits import check_layers
from priot_hil.harness.protocol import CommandCode, ModeCode, ModelRecord, RoundingCode, StatusCode
from priot_hil.reference.errors import IllegalNetwork, InputError
from priot_hil.reference.network import Conv2d, Flatten, Layer, Linear, MaxPool2d, Network, Relu, output_shape
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reference.run import Method, MethodKind, Model, State

Parts = tuple[tuple[int, ...], tuple[Layer, ...]]  # input shape, layers
NITI, PRIOT, PRIOT_S = MethodKind.NITI_DYNAMIC, MethodKind.PRIOT, MethodKind.PRIOT_S
SUMS = "at most 2147483647"


class Line(NamedTuple):
    """Two networks of which one is legal.

    Attributes:
        legal: The last legal one.
        beyond: The next.
        said: What the sentence of the refusal has.
        refused: How a device refuses the description of the next: status, and what else it says of it; None where the
            record has no room for it.
        kind: The method.
        is_limit: Whether the next one is legal too, and only no device can hold it.
    """

    legal: Parts
    beyond: Parts
    said: str
    refused: tuple[StatusCode, str] | None
    kind: MethodKind = NITI
    is_limit: bool = False


def plane(height: int, width: int, *layers: Layer) -> Parts:
    """One channel; behind the layers, all is pooled, flattened and classified."""
    network = (1, height, width)
    shape = Network(network, (*layers, Flatten(), Linear(count(network, layers), 2))).shapes[len(layers) - 1]
    window = min(shape[1:])
    pooled = shape[0] * (shape[1] // window) * (shape[2] // window)
    return network, (*layers, MaxPool2d(window), Flatten(), Linear(pooled, 2))


def count(shape: tuple[int, ...], layers: tuple[Layer, ...]) -> int:
    """Elements behind layers that take the shape."""
    for layer in layers:
        shape = output_shape(layer, shape, "layer")
    return int(np.prod(shape, dtype=np.int64))


def flat(shape: tuple[int, ...], *layers: Layer, features: int = 1) -> Parts:
    """Behind the layers, so many features are flattened and classified."""
    return shape, (*layers, Flatten(), Linear(features, 2))


BAD, GEOMETRY, OVERFLOW, LARGE = (
    StatusCode.BAD_MODEL,
    StatusCode.BAD_GEOMETRY,
    StatusCode.OVERFLOW,
    StatusCode.TOO_LARGE,
)
LINES: dict[str, Line] = {
    "padding": Line(
        flat((1, 4, 4), Conv2d(1, 2, 3, 1, 2), features=72),
        flat((1, 4, 4), Conv2d(1, 2, 3, 1, 3), features=128),
        "0..2, got 3",
        (GEOMETRY, "layer 0"),
    ),
    "padding below": Line(
        flat((1, 4, 4), Conv2d(1, 2, 3, 1, 0), features=8),
        flat((1, 4, 4), Conv2d(1, 2, 3, 1, -1), features=2),
        "0..2, got -1",
        None,
    ),
    "padded height": Line(
        flat((1, 4, 6), Conv2d(1, 2, 8, 1, 2), features=6),
        flat((1, 4, 6), Conv2d(1, 2, 9, 1, 2), features=4),
        "at least 9",
        (GEOMETRY, "layer 0"),
    ),
    "padded width": Line(
        flat((1, 6, 4), Conv2d(1, 2, 8, 1, 2), features=6),
        flat((1, 6, 4), Conv2d(1, 2, 9, 1, 2), features=4),
        "at least 9",
        (GEOMETRY, "layer 0"),
    ),
    "kernel": Line(
        flat((1, 1, 1), Conv2d(1, 1, 1)),
        flat((1, 1, 1), Conv2d(1, 1, 0)),
        "1..2147483647, got 0",
        (GEOMETRY, "layer 0"),
    ),
    "stride below": Line(
        flat((1, 1, 1), Conv2d(1, 1, 1, 1)),
        flat((1, 1, 1), Conv2d(1, 1, 1, 0)),
        "1..2147483647, got 0",
        (GEOMETRY, "layer 0"),
    ),
    "stride": Line(
        flat((1, 1, 2), Conv2d(1, 1, 1, 65_535)),
        flat((1, 1, 2), Conv2d(1, 1, 1, 65_536)),
        "1..65535, got 65536",
        None,
        is_limit=True,
    ),
    "output channels": Line(
        flat((1, 1, 1), Conv2d(1, 1, 1)),
        flat((1, 1, 1), Conv2d(1, 0, 1), features=0),
        "1..2147483647, got 0",
        (GEOMETRY, "layer 0"),
    ),
    "features": Line(
        ((1,), (Linear(1, 1), Linear(1, 2))),
        ((1,), (Linear(1, 0), Linear(0, 2))),
        "1..2147483647, got 0",
        (GEOMETRY, "layer 0"),
    ),
    "window below": Line(
        flat((1, 1, 1), MaxPool2d(1)), flat((1, 1, 1), MaxPool2d(0)), "1..2147483647, got 0", (GEOMETRY, "layer 0")
    ),
    "window as high": Line(
        flat((1, 4, 6), MaxPool2d(4)), flat((1, 4, 6), MaxPool2d(5)), "at least 5 x 5", (GEOMETRY, "layer 0")
    ),
    "window as wide": Line(
        flat((1, 6, 4), MaxPool2d(4)), flat((1, 6, 4), MaxPool2d(5)), "at least 5 x 5", (GEOMETRY, "layer 0")
    ),
    "channels below": Line(((1,), (Linear(1, 2),)), ((0,), (Linear(0, 2),)), "1..2147483647, got 0", (BAD, "")),
    "height below": Line(flat((1, 1, 2), features=2), flat((1, 0, 2), features=0), "1..2147483647, got 0", (BAD, "")),
    "width below": Line(flat((1, 2, 1), features=2), flat((1, 2, 0), features=0), "1..2147483647, got 0", (BAD, "")),
    "height": Line(
        plane(65_535, 1, Conv2d(1, 1, 1)), plane(65_536, 1, Conv2d(1, 1, 1)), "1..65535, got 65536", None, is_limit=True
    ),
    "width": Line(
        plane(1, 65_535, Conv2d(1, 1, 1)), plane(1, 65_536, Conv2d(1, 1, 1)), "1..65535, got 65536", None, is_limit=True
    ),
    "height of an output": Line(
        plane(65_534, 1, Conv2d(1, 1, 2, 1, 1)),
        plane(65_535, 1, Conv2d(1, 1, 2, 1, 1)),
        "1..65535, got 65536",
        (LARGE, "layer 0, value 131072"),
        is_limit=True,
    ),
    "width of an output": Line(
        plane(1, 65_534, Conv2d(1, 1, 2, 1, 1)),
        plane(1, 65_535, Conv2d(1, 1, 2, 1, 1)),
        "1..65535, got 65536",
        (LARGE, "layer 0, value 131072"),
        is_limit=True,
    ),
    "plane of an input": Line(
        plane(2047, 2049, Conv2d(1, 1, 1, 100)),
        plane(2048, 2048, Conv2d(1, 1, 1, 100)),
        "1..4194303, got 4194304",
        (LARGE, "layer 0, value 441"),
        is_limit=True,
    ),
    "fewest classes": Line(
        ((3,), (Linear(3, 2),)), ((3,), (Linear(3, 1),)), "2..1024, got 1", (GEOMETRY, "layer 0, value 1")
    ),
    "most classes": Line(
        ((3,), (Linear(3, 1024),)), ((3,), (Linear(3, 1025),)), "2..1024, got 1025", (GEOMETRY, "layer 0, value 1025")
    ),
    "layers": Line(
        ((2,), (*[Relu()] * 47, Linear(2, 2))),
        ((2,), (*[Relu()] * 48, Linear(2, 2))),
        "1..48, got 49",
        (LARGE, "value 49"),
        is_limit=True,
    ),
    "layers with weights": Line(
        ((2,), (Linear(2, 2),) * 24),
        ((2,), (Linear(2, 2),) * 25),
        "1..24, got 25",
        (LARGE, "layer 24, value 24"),
        is_limit=True,
    ),
    "terms of a linear layer": Line(
        ((133_144,), (Linear(133_144, 2),)),
        ((133_145,), (Linear(133_145, 2),)),
        SUMS,
        (OVERFLOW, "layer 0"),
    ),
    "terms of a convolution": Line(
        flat((33_286, 2, 2), Conv2d(33_286, 1, 2)),
        flat((33_287, 2, 2), Conv2d(33_287, 1, 2)),
        SUMS,
        (OVERFLOW, "layer 0"),
    ),
    "terms of a later layer": Line(
        ((1,), (Linear(1, 133_144), Linear(133_144, 2))),
        ((1,), (Linear(1, 133_145), Linear(133_145, 2))),
        SUMS,
        (OVERFLOW, "layer 1"),
    ),
    "terms of an error": Line(
        plane(2, 2, Conv2d(1, 1, 1), Conv2d(1, 33_286, 2, 1, 1)),
        plane(2, 2, Conv2d(1, 1, 1), Conv2d(1, 33_287, 2, 1, 1)),
        "layer 1 .*error sum .*" + SUMS,
        (OVERFLOW, "layer 1"),
    ),
    "terms of a linear layer's error": Line(
        ((1,), (Linear(1, 1), Linear(1, 133_144), Linear(133_144, 2))),
        ((1,), (Linear(1, 1), Linear(1, 133_145), Linear(133_145, 2))),
        "layer 1 .*error sum .*" + SUMS,
        (OVERFLOW, "layer 1"),
    ),
    "no error leaves the first weights": Line(
        flat((1, 2, 2), Relu(), Conv2d(1, 40_000, 2), features=40_000),
        flat((1, 2, 2), Conv2d(1, 1, 1), Conv2d(1, 40_000, 2), features=40_000),
        "layer 1 .*error sum .*" + SUMS,
        (OVERFLOW, "layer 1"),
    ),
    "positions": Line(plane(136, 979, Conv2d(1, 1, 1)), plane(155, 859, Conv2d(1, 1, 1)), SUMS, (OVERFLOW, "layer 0")),
    "positions for scores": Line(
        plane(8, 131, Conv2d(1, 1, 1)), plane(1, 1049, Conv2d(1, 1, 1)), SUMS, (OVERFLOW, "layer 0"), PRIOT
    ),
    "positions for few scores": Line(
        plane(8, 131, Conv2d(1, 1, 1)), plane(1, 1049, Conv2d(1, 1, 1)), SUMS, (OVERFLOW, "layer 0"), PRIOT_S
    ),
    "row of PRIOT-S": Line(
        ((65_536,), (Linear(65_536, 2),)),
        ((65_537,), (Linear(65_537, 2),)),
        "1..65536, got 65537",
        (LARGE, "layer 0, value 65537"),
        PRIOT_S,
        is_limit=True,
    ),
    # 2**31 - 1 is prime: the last legal product is 2**31 - 2 = 42,966 * 49,981 = 126 * 1,661 * 10,261.
    "weights of a layer": Line(
        ((42_966,), (Linear(42_966, 49_981), Linear(49_981, 2))),
        ((65_536,), (Linear(65_536, 32_768), Linear(32_768, 2))),
        "1..2147483647, got 2147483648",
        (LARGE, f"layer 0, value {2**31}"),
        is_limit=True,
    ),
    "elements of an image": Line(
        ((126, 1661, 10_261), (MaxPool2d(1661), Flatten(), Linear(756, 2))),
        ((512, 2048, 2048), (MaxPool2d(2048), Flatten(), Linear(512, 2))),
        "1..2147483647, got 2147483648",
        (LARGE, f"value {2**31}"),
        is_limit=True,
    ),
}


def run_of(parts: Parts, kind: MethodKind) -> tuple[Model, Method, State]:
    """Weights of all signs and sizes; dynamic shifts; every third edge scored, where only some are."""
    network = Network(*parts)
    weights = {
        i: ((np.arange(np.prod(shape)) * 37 + 5 * i) % 255 - 127).astype(np.int8).reshape(shape)
        for i, shape in ((i, network.weight_shape(i)) for i in network.weighted)
    }
    model = Model(network, weights, dict.fromkeys(weights, -8))
    scored = {i: np.resize(np.array([True, False, False]), w.shape) for i, w in weights.items()}
    state = State({i: w.copy() for i, w in weights.items()}, 1, None, scored if kind is PRIOT_S else None)
    return model, Method(kind, theta=kind.default_theta), state


def described(parts: Parts, kind: MethodKind) -> bytes:
    """The description of any network, legal or not."""
    shape, layers = parts
    mode, method = ModeCode.NETWORK, METHODS[kind]
    head = ModelRecord(mode, method, RoundingCode.NEAREST, 5, 1, 0, -7, len(layers), 1, 0, *image_sizes(shape))
    return head.pack() + b"".join(describe_layer(layer).pack() for layer in layers)


def refusal_of(engine: DeviceEngine, parts: Parts, kind: MethodKind) -> KernelStatus | None:
    """How a device refuses a description; None where it takes it."""
    try:
        engine.device.command(CommandCode.LOAD, described(parts, kind))
    except KernelStatus as refused:
        return refused
    return None


@pytest.mark.parametrize("name", LINES)
def test_the_last_legal_network(device_engine: DeviceEngine, name: str) -> None:
    """It trains as the reference does; where the device has too little memory for it, that alone is what it says."""
    line = LINES[name]
    arena = device_engine.device.hello.arena_bytes
    network = Network(*line.legal)
    network.check_overflow(line.kind)
    check_layers(network.layers, network.input_shape, line.kind)
    refused = refusal_of(device_engine, line.legal, line.kind)
    if refused is not None:
        needed = re.search(r"\(too_large(?:, value (\d+))?\)$", str(refused))  # no number from 2**32 on
        assert needed, refused
        assert int(needed[1] or 2**32) > arena
        return
    engine, reference = device_engine, ReferenceEngine()
    run = run_of(line.legal, line.kind)
    for either in (engine, reference):
        either.load(*run)
    pixels = np.arange(np.prod(network.input_shape))
    for step in range(2):
        image = (pixels * (step + 3) % 255 - 127).astype(np.int8).reshape(network.input_shape)
        divergence = compare_step(engine, reference, network, image, (step + 1) % network.classes, step)
        divergence = divergence or compare_state(engine, network, reference.state(), line.kind.learns_scores)
        if divergence is not None:
            raise Mismatch(divergence)


@pytest.mark.parametrize("name", LINES)
def test_the_next_network_is_refused(name: str) -> None:
    """With the bound in the sentence: by the reference, or before it goes to a device, where the reference takes it."""
    line = LINES[name]
    if line.is_limit:
        network = Network(*line.beyond)
        network.check_overflow(line.kind)
        with pytest.raises(InputError, match=re.escape(line.said)):
            check_layers(network.layers, network.input_shape, line.kind)
        return
    with pytest.raises(IllegalNetwork, match=line.said):
        Network(*line.beyond).check_overflow(line.kind)


@pytest.mark.parametrize("name", [name for name, line in LINES.items() if line.refused is not None])
def test_the_firmware_refuses_the_next_network(device_engine: DeviceEngine, name: str) -> None:
    """Though its description is sent all the same; it says which layer, and how much is too much."""
    line = LINES[name]
    assert line.refused is not None
    status, detail = line.refused
    refused = refusal_of(device_engine, line.beyond, line.kind)
    assert refused is not None
    assert refused.status == status
    assert re.search(rf"\({status.name.lower()}{', ' if detail else ''}{detail}[,)]", str(refused))


# Refused on both sides of a limit of the devices, and for another reason on each: with so many channels, taps or
# values, a sum overflows before the limit is reached.
REASONS: dict[str, tuple[Parts, str]] = {
    "channels": (((2**24 - 1,), (Linear(2**24 - 1, 2),)), "overflow, layer 0"),
    "more channels": (((2**24,), (Linear(2**24, 2),)), "bad_model"),
    "outputs": (((1,), (Linear(1, 2**24 - 1), Linear(2**24 - 1, 2))), "overflow, layer 1"),
    "more outputs": (((1,), (Linear(1, 2**24), Linear(2**24, 2))), "too_large, layer 0, value 1"),
    "taps": (flat((1, 1, 1), Conv2d(1, 1, 4095, 65_535, 4094)), "overflow, layer 0"),
    "more taps": (flat((1, 1, 1), Conv2d(1, 1, 4096, 65_535, 4095)), f"too_large, layer 0, value {2**24}"),
    "plane of an output": (plane(2046, 2048, Conv2d(1, 1, 2, 1, 1)), "overflow, layer 0"),
    "larger plane": (plane(2047, 2047, Conv2d(1, 1, 2, 1, 1)), f"too_large, layer 0, value {2**22}"),
    "flattened": (
        flat((1, 126, 341), Conv2d(1, 49_981, 1), features=2**31 - 2),
        "too_large, layer 2, value 1",
    ),
    "more flattened": (flat((1, 32, 32), Conv2d(1, 2**21, 1), features=2**31), f"too_large, layer 1, value {2**31}"),
    "elements that 32 bits do not count": (((1024, 2048, 2048), (MaxPool2d(2048), *flat((1,))[1])), "too_large"),
}


@pytest.mark.parametrize("name", REASONS)
def test_the_reason_of_a_refusal(device_engine: DeviceEngine, name: str) -> None:
    """The firmware says which of several bounds is passed first."""
    parts, reason = REASONS[name]
    refused = refusal_of(device_engine, parts, NITI)
    assert refused is not None
    assert re.search(rf"\({reason}(, value \d+)?\)$" if "overflow" in reason else rf"\({reason}\)$", str(refused))
