"""Models that a device refuses: what a user can put right is an InputError, and the earlier run stays."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from priot_hil.harness.description import describe_run, scored_edges
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.errors import KernelStatus
from priot_hil.harness.protocol import (
    MAX_LAYERS,
    MAX_STAGES,
    CommandCode,
    LayerCode,
    LayerRecord,
    LoadResponse,
    MethodCode,
    ModeCode,
    ModelRecord,
    ReadRequest,
    RoundingCode,
    StatusCode,
    TensorCode,
    WriteRequest,
)
from priot_hil.harness.strategies import Run
from priot_hil.reference.errors import IllegalNetwork, InputError
from priot_hil.reference.network import Conv2d, Flatten, Layer, Linear, MaxPool2d, Network, Relu
from priot_hil.reference.run import Method, MethodKind, Model, State, initial_state

MakeRun = Callable[[MethodKind], Run]
Watch = Callable[[DeviceEngine, Run], Any]
NITI = Method(MethodKind.NITI_DYNAMIC)


def blank(input_shape: tuple[int, ...], *layers: Layer) -> tuple[Model, Method, State]:
    """A run whose weights are all zero."""
    network = Network(input_shape, layers)
    weights = {i: np.zeros(network.weight_shape(i), np.int8) for i in network.weighted}
    model = Model(network, weights, dict.fromkeys(network.weighted, -7))
    return model, NITI, initial_state(model, NITI, seed=0)


def test_a_network_larger_than_the_arena(device_engine: DeviceEngine, make_run: MakeRun, watch: Watch) -> None:
    """The sentence names what is needed and what there is; the earlier run goes on."""
    watched = watch(device_engine, make_run(MethodKind.PRIOT))
    arena = device_engine.device.hello.arena_bytes
    with pytest.raises(InputError, match=rf"too_large, value \d+\); the arena has {arena} bytes; make") as caught:
        device_engine.load(*blank((arena // 1024 + 1,), Linear(arena // 1024 + 1, 1024)))
    needed = int(str(caught.value).partition("value ")[2].partition(")")[0])
    assert arena < needed < 1.2 * arena
    watched.expect_untouched()


@pytest.mark.parametrize(
    ("layers", "too_many", "expected"),
    [
        (
            (*[Relu()] * (MAX_LAYERS - 1), Linear(2, 2)),
            Relu(),
            rf"layers: expected a whole number in 1\.\.{MAX_LAYERS}, got 49",
        ),
        (
            (Linear(2, 2),) * MAX_STAGES,
            Linear(2, 2),
            rf"layers with weights: expected a whole number in 1\.\.{MAX_STAGES}, got 25",
        ),
    ],
    ids=["layers", "layers with weights"],
)
def test_as_many_layers_as_there_may_be(
    device_engine: DeviceEngine, watch: Watch, layers: tuple[Layer, ...], too_many: Layer, expected: str
) -> None:
    """That many train; one more is refused, and the earlier run goes on."""
    model, method, state = blank((2,), *layers)
    images, labels = np.full((6, 2), 99, np.int8), np.zeros(6, np.int64)
    watched = watch(device_engine, Run(model, method, state, images, labels))
    with pytest.raises(InputError, match=expected):
        device_engine.load(*blank((2,), too_many, *layers))
    watched.expect_untouched()


@pytest.mark.parametrize(
    ("shape", "layers", "expected"),
    [
        ((1, 70000, 1), (Flatten(), Linear(70000, 2)), r"side of the input: .* 1\.\.65535, got 70000"),
        ((1, 1, 9), (Conv2d(1, 1, 1, 70000), Flatten(), Linear(1, 2)), r"layer 0 conv2d.*: stride: .* got 70000"),
    ],
)
def test_sizes_that_a_description_cannot_hold(shape: tuple[int, ...], layers: tuple[Layer, ...], expected: str) -> None:
    """16 bits for kernels, strides, windows and planes: said before anything is sent."""
    with pytest.raises(InputError, match=expected):
        describe_run(*blank(shape, *layers), 0)


# Networks that no engine may take, with the layer whose sums could leave 32 bits.
OVERFLOWING: dict[str, tuple[MethodKind, tuple[int, ...], tuple[Layer, ...], int]] = {
    "forward": (MethodKind.NITI_DYNAMIC, (133145,), (Linear(133145, 2),), 0),
    "forward of a later layer": (MethodKind.PRIOT, (2,), (Linear(2, 140000), Relu(), Linear(140000, 2)), 2),
    "error": (
        MethodKind.NITI_DYNAMIC,
        (1, 9, 9),
        (Conv2d(1, 1, 1), Conv2d(1, 2000, 9), Flatten(), Linear(2000, 2)),
        1,
    ),
    "gradient": (
        MethodKind.NITI_DYNAMIC,
        (1, 400, 400),
        (Conv2d(1, 1, 1), MaxPool2d(400), Flatten(), Linear(1, 2)),
        0,
    ),
    "score gradient": (MethodKind.PRIOT, (1, 33, 33), (Conv2d(1, 1, 1), MaxPool2d(33), Flatten(), Linear(1, 2)), 0),
}


@pytest.mark.parametrize("case", OVERFLOWING)
def test_the_firmware_itself_refuses_overflow(
    device_engine: DeviceEngine, make_run: MakeRun, watch: Watch, case: str
) -> None:
    """Where the reference refuses a network, so does a device that is sent its description all the same."""
    kind, shape, layers, layer = OVERFLOWING[case]
    network = Network(shape, layers)
    with pytest.raises(IllegalNetwork, match=f"layer {layer} "):
        network.check_overflow(kind)
    watched = watch(device_engine, make_run(MethodKind.NITI_STATIC))
    description = describe_run(Model(network, {}, {}), Method(kind, theta=kind.default_theta), State({}, 1), 0)
    with pytest.raises(KernelStatus, match=rf"a 32-bit accumulator .* \(overflow, layer {layer}, value \d+\)$"):
        device_engine.device.command(CommandCode.LOAD, description)
    watched.expect_untouched()


@pytest.mark.parametrize(
    ("kind", "shape", "layers"),
    [
        (MethodKind.NITI_DYNAMIC, (133144,), (Linear(133144, 1), Linear(1, 2))),
        (MethodKind.PRIOT, (1, 8, 131), (Conv2d(1, 1, 1), MaxPool2d(8), Flatten(), Linear(16, 2))),
    ],
    ids=["133144 terms", "1048 positions"],
)
def test_just_below_overflow(
    process_engine: DeviceEngine, kind: MethodKind, shape: tuple[int, ...], layers: tuple[Layer, ...]
) -> None:
    """The largest legal sums are not refused."""
    network = Network(shape, layers)
    network.check_overflow(kind)
    description = describe_run(Model(network, {}, {}), Method(kind, theta=kind.default_theta), State({}, 1), 0)
    assert LoadResponse.unpack(process_engine.device.command(CommandCode.LOAD, description)).arena_used > 0


def with_head(**changes: int) -> Callable[[bytes], bytes]:
    """A change of the model's record."""
    return lambda data: ModelRecord.unpack(data)._replace(**changes).pack() + data[ModelRecord.size() :]


def with_layer(index: int, **changes: int) -> Callable[[bytes], bytes]:
    """A change of a layer's record."""

    def change(data: bytes) -> bytes:
        at = ModelRecord.size() + index * LayerRecord.size()
        record = LayerRecord.unpack(data, at)._replace(**changes)
        return data[:at] + record.pack() + data[at + LayerRecord.size() :]

    return change


# Changes of the description of the run of `make_run`: conv2d, relu, maxpool2d, flatten, linear; PRIOT-S, static scales.
DESCRIPTIONS: dict[str, tuple[Callable[[bytes], bytes], StatusCode]] = {
    "mode": (with_head(mode=2), StatusCode.BAD_MODEL),
    "no method": (with_head(method=0), StatusCode.BAD_MODEL),
    "next method": (with_head(method=5), StatusCode.BAD_MODEL),
    "no rounding": (with_head(rounding=0), StatusCode.BAD_MODEL),
    "next rounding": (with_head(rounding=3), StatusCode.BAD_MODEL),
    "mu": (with_head(mu=8), StatusCode.BAD_MODEL),
    "dynamic": (with_head(dynamic=2), StatusCode.BAD_MODEL),
    "dynamic NITI with shifts": (with_head(method=1), StatusCode.BAD_MODEL),
    "static NITI without": (with_head(method=2, dynamic=1), StatusCode.BAD_MODEL),
    "theta": (with_head(theta=-128), StatusCode.BAD_MODEL),
    "low exponent of the image": (with_head(input_exponent=-65), StatusCode.BAD_MODEL),
    "high exponent of the image": (with_head(input_exponent=64), StatusCode.BAD_MODEL),
    "generator": (with_head(rng=0), StatusCode.BAD_MODEL),
    "no channels": (with_head(channels=0), StatusCode.BAD_MODEL),
    "channels": (with_head(channels=2**32 - 1), StatusCode.BAD_MODEL),
    "half a plane": (with_head(height=0), StatusCode.BAD_MODEL),
    "a vector to a convolution": (with_head(height=0, width=0), StatusCode.BAD_GEOMETRY),
    "fewer layers than said": (with_head(layers=6), StatusCode.BAD_LENGTH),
    "more layers than said": (with_head(layers=4), StatusCode.BAD_LENGTH),
    "a byte too many": (lambda data: data + b"\0", StatusCode.BAD_LENGTH),
    "no layers": (lambda data: with_head(layers=0)(data)[: ModelRecord.size()], StatusCode.BAD_MODEL),
    "kernel mode of a network": (with_head(mode=1), StatusCode.BAD_MODEL),
    "last layer": (with_layer(4, type=LayerCode.RELU), StatusCode.BAD_MODEL),
    "no type": (with_layer(1, type=0), StatusCode.BAD_MODEL),
    "next type": (with_layer(1, type=6), StatusCode.BAD_MODEL),
    "exponent": (with_layer(0, exponent=64), StatusCode.BAD_MODEL),
    "forward shift": (with_layer(0, forward=32), StatusCode.BAD_MODEL),
    "backward shift": (with_layer(4, backward=255), StatusCode.BAD_MODEL),
    "gradient shift": (with_layer(4, gradient=32), StatusCode.BAD_MODEL),
    "more scored than edges": (with_layer(0, scored=28), StatusCode.BAD_MODEL),
    "scored edges of NITI": (with_head(method=2), StatusCode.BAD_MODEL),
    "kernel 0": (with_layer(0, kernel=0), StatusCode.BAD_GEOMETRY),
    "stride 0": (with_layer(0, stride=0), StatusCode.BAD_GEOMETRY),
    "padding": (with_layer(0, padding=3), StatusCode.BAD_GEOMETRY),
    "kernel larger than the image": (with_layer(0, kernel=9), StatusCode.BAD_GEOMETRY),
    "no output": (with_layer(0, out=0), StatusCode.BAD_GEOMETRY),
    "window 0": (with_layer(2, kernel=0), StatusCode.BAD_GEOMETRY),
    "window": (with_layer(2, kernel=7), StatusCode.BAD_GEOMETRY),
    "no flatten": (with_layer(3, type=LayerCode.RELU), StatusCode.BAD_GEOMETRY),
    "one class": (with_layer(4, out=1, scored=0), StatusCode.BAD_GEOMETRY),
    "1025 classes": (with_layer(4, out=1025), StatusCode.BAD_GEOMETRY),
    "channels that overflow": (with_layer(0, out=2**32 - 1), StatusCode.TOO_LARGE),
    "edges that overflow": (with_layer(0, out=2**31), StatusCode.TOO_LARGE),
    "a plane that padding makes": (with_layer(0, kernel=4095, padding=4094), StatusCode.TOO_LARGE),
    "a height that padding makes": (with_layer(0, kernel=65_535, padding=65_534), StatusCode.TOO_LARGE),
    "a width that padding makes": (
        lambda data: with_head(width=65_535)(with_layer(0, kernel=2, padding=1)(data)),
        StatusCode.TOO_LARGE,
    ),
    "a plane to read": (
        lambda data: with_head(height=2048, width=2048)(with_layer(0, stride=100)(data)),
        StatusCode.TOO_LARGE,
    ),
}


# Where the reason lies, and how much it is, as far as the sentence says so.
DETAILS = {
    "no type": "bad_model, layer 1, value 0)",
    "next type": "bad_model, layer 1, value 6)",
    "exponent": "bad_model, layer 0)",
    "backward shift": "bad_model, layer 4)",
    "more scored than edges": "bad_model, layer 0, value 28)",
    "scored edges of NITI": "bad_model, layer 0, value 11)",
    "kernel mode of a network": "bad_model, layer 4)",
    "stride 0": "bad_geometry, layer 0)",
    "window": "bad_geometry, layer 2)",
    "no flatten": "bad_geometry, layer 4)",
    "one class": "bad_geometry, layer 4, value 1)",
    "1025 classes": "bad_geometry, layer 4, value 1025)",
    "a plane that padding makes": f"too_large, layer 0, value {4100**2})",
    "a width that padding makes": f"too_large, layer 0, value {7 * 65536})",
}


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_a_refused_description_leaves_the_model(
    device_engine: DeviceEngine, make_run: MakeRun, watch: Watch, name: str
) -> None:
    """What contradicts itself or does not fit is refused with its status; the model before stays, trained as it is."""
    run = make_run(MethodKind.PRIOT_S)
    watched = watch(device_engine, run)
    change, status = DESCRIPTIONS[name]
    with pytest.raises(KernelStatus) as caught:
        device_engine.device.command(CommandCode.LOAD, change(describe_run(run.model, run.method, run.state, 16)))
    assert caught.value.status == status
    assert str(caught.value).endswith(DETAILS.get(name, ")"))
    watched.expect_untouched()


def columns_swapped(columns: np.ndarray, _: np.ndarray) -> None:
    """The first row's first two edges in the wrong order."""
    columns[[0, 1]] = columns[[1, 0]]


def column_doubled(columns: np.ndarray, _: np.ndarray) -> None:
    """An edge that is scored twice."""
    columns[1] = columns[0]


def column_outside(columns: np.ndarray, row_ends: np.ndarray) -> None:
    """An edge behind its row."""
    columns[row_ends[0] - 1] = 27


def row_ends_falling(columns: np.ndarray, row_ends: np.ndarray) -> None:
    """A row that ends before it begins, between rows that are right."""
    columns[:] = [*range(2), *range(20), *range(len(columns) - 22)]
    row_ends[:] = [2, 1, 22, len(columns)]


def row_end_outside(_: np.ndarray, row_ends: np.ndarray) -> None:
    """A row that ends behind the last edge."""
    row_ends[-1] += 1


def edges_left_over(_: np.ndarray, row_ends: np.ndarray) -> None:
    """Edges behind the last row."""
    row_ends[-1] -= 1


@pytest.mark.parametrize(
    "change", [columns_swapped, column_doubled, column_outside, row_ends_falling, row_end_outside, edges_left_over]
)
def test_scored_edges_out_of_order(
    device_engine: DeviceEngine, make_run: MakeRun, watch: Watch, change: Callable[[np.ndarray, np.ndarray], None]
) -> None:
    """START refuses them with layer and row and changes nothing: put right, the model starts."""
    run = make_run(MethodKind.PRIOT_S)
    device = device_engine.device
    assert run.state.scored is not None

    def write(tensor: TensorCode, values: np.ndarray) -> None:
        device.command(CommandCode.WRITE, WriteRequest(tensor, 4, 0).pack() + values.tobytes())

    device.command(CommandCode.LOAD, describe_run(run.model, run.method, only_last(run.state), 0))
    columns, row_ends = (edges.copy() for edges in scored_edges(run.state.scored[4]))
    right = columns.copy(), row_ends.copy()
    change(columns, row_ends)
    write(TensorCode.WEIGHTS, run.model.weights[4])
    write(TensorCode.SCORES, np.full(len(columns), -127, np.int8))
    write(TensorCode.COLUMNS, columns)
    write(TensorCode.ROW_ENDS, row_ends)
    read = ReadRequest(TensorCode.WEIGHTS, 4, 0, run.model.weights[4].size).pack()
    with pytest.raises(KernelStatus, match=r"bad_value, layer 4, value [0-3]\)$"):
        device.command(CommandCode.START)
    with pytest.raises(KernelStatus, match="not_loaded"):
        device.command(CommandCode.STATE)
    assert device.command(CommandCode.READ, read) == run.model.weights[4].tobytes()
    write(TensorCode.COLUMNS, right[0])
    write(TensorCode.ROW_ENDS, right[1])
    device.command(CommandCode.START)
    watch(device_engine, run).expect_untouched()


def unweighted(kind: LayerCode, window: int = 0) -> LayerRecord:
    """A layer without weights."""
    return LayerRecord(kind, 0, 0, window, 0, 0, 0, 0, 0, 0, 0)


CLASSES = LayerRecord(LayerCode.LINEAR, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0)
POOLED = (unweighted(LayerCode.MAXPOOL2D, 2048), unweighted(LayerCode.FLATTEN), CLASSES)
MANY_CHANNELS = LayerRecord(LayerCode.CONV2D, 0, 2**20, 1, 1, 0, 0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("method", "shape", "layers", "detail"),
    [
        (MethodCode.NITI_DYNAMIC, (1024, 2048, 2048), POOLED, "too_large"),  # 2**32 values, and few behind the pool
        (MethodCode.NITI_DYNAMIC, (512, 2048, 2048), POOLED, f"too_large, value {2**31}"),
        (
            MethodCode.NITI_DYNAMIC,
            (1, 64, 64),
            (MANY_CHANNELS, unweighted(LayerCode.FLATTEN), CLASSES),
            "too_large, layer 1",
        ),
        (MethodCode.PRIOT_S, (65_537, 0, 0), (CLASSES,), "too_large, layer 0, value 65537"),
    ],
    ids=["image of 2**32", "image of 2**31", "flattened 2**32", "row of PRIOT-S"],
)
def test_sizes_beyond_what_is_counted(
    device_engine: DeviceEngine,
    method: MethodCode,
    shape: tuple[int, int, int],
    layers: tuple[LayerRecord, ...],
    detail: str,
) -> None:
    """Too large, and said where: also where a size has 32 bits, in which these would wrap and look legal."""
    head = ModelRecord(ModeCode.NETWORK, method, RoundingCode.STOCHASTIC, 5, 1, 0, 0, len(layers), 1, 4, *shape)
    with pytest.raises(KernelStatus) as caught:
        device_engine.device.command(CommandCode.LOAD, head.pack() + b"".join(layer.pack() for layer in layers))
    assert str(caught.value).endswith(f"({detail})")


def only_last(state: State) -> State:
    """The same with no scored edges in layer 0, so that those of layer 4 are all there are."""
    assert state.scored is not None
    return replace(state, scored={0: np.zeros_like(state.scored[0]), 4: state.scored[4]})
