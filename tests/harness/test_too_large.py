"""Networks too large for a device: the limit that is broken is named with its bound, and no other one is guessed."""

import numpy as np
import pytest

from priot_hil.harness.description import describe_run
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.errors import KernelStatus
from priot_hil.harness.limits import check_layers
from priot_hil.harness.protocol import NO_DETAIL, CommandCode, StatusCode
from priot_hil.harness.strategies import Run
from priot_hil.reference.errors import InputError
from priot_hil.reference.network import Conv2d, Flatten, Layer, Linear, MaxPool2d, Network
from priot_hil.reference.run import Method, MethodKind, Model, initial_state

NITI, PRIOT, PRIOT_S = MethodKind.NITI_DYNAMIC, MethodKind.PRIOT, MethodKind.PRIOT_S
Case = tuple[MethodKind, tuple[int, ...], tuple[Layer, ...]]

# Each with what breaks it, and the same at the bound.
BROKEN: dict[str, tuple[Case, str, Case]] = {
    "row": (
        (PRIOT_S, (65_537,), (Linear(65_537, 2),)),
        r"layer 0 linear 65537->2: weights in a row of PRIOT-S: expected a whole number in 1\.\.65536, got 65537;",
        (PRIOT_S, (65_536,), (Linear(65_536, 2),)),
    ),
    "row of a convolution": (
        (PRIOT_S, (1, 257, 257), (Conv2d(1, 2, 257), Flatten(), Linear(2, 2))),
        r"layer 0 conv2d 1->2 k257: weights in a row of PRIOT-S: expected a whole number in 1\.\.65536, got 66049;",
        (PRIOT_S, (1, 256, 256), (Conv2d(1, 2, 256), Flatten(), Linear(2, 2))),
    ),
    "layers with weights": (
        (NITI, (2,), (Linear(2, 2),) * 25),
        r"number of layers with weights: expected a whole number in 1\.\.24, got 25;",
        (NITI, (2,), (Linear(2, 2),) * 24),
    ),
    "plane": (
        (NITI, (1, 2048, 2048), (Conv2d(1, 1, 1, 64), Flatten(), Linear(1024, 2))),
        r"layer 0 conv2d 1->1 k1 s64: height x width of the input: expected .* in 1\.\.4194303, got 4194304;",
        (NITI, (1, 2047, 2049), (Conv2d(1, 1, 1, 64), Flatten(), Linear(1056, 2))),
    ),
    "image": (
        (NITI, (512, 2048, 2048), (MaxPool2d(2048), Flatten(), Linear(512, 2))),
        r"elements of the input: expected a whole number in 1\.\.2147483647, got 2147483648;",
        (NITI, (512, 2048, 2047), (MaxPool2d(2047), Flatten(), Linear(512, 2))),
    ),
}


def blank(case: Case) -> Run:
    """A run whose weights are all zero."""
    kind, shape, layers = case
    network = Network(shape, layers)
    weights = {i: np.zeros(network.weight_shape(i), np.int8) for i in network.weighted}
    model = Model(network, weights, dict.fromkeys(network.weighted, -7))
    method = Method(kind, theta=kind.default_theta)
    return Run(
        model, method, initial_state(model, method, seed=0), np.zeros((0, *shape), np.int8), np.zeros(0, np.int64)
    )


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_limit_is_named(device_engine: DeviceEngine, name: str) -> None:
    """By every device, whatever its arena: the layer, the bound, what came; and not a word of the arena's size."""
    case, expected, _ = BROKEN[name]
    run = blank(case)
    with pytest.raises(InputError, match=rf"^{expected}") as caught:
        device_engine.load(run.model, run.method, run.state)
    assert "arena" not in str(caught.value)


@pytest.mark.parametrize("name", BROKEN)
def test_at_the_bound_none_is_broken(device_engine: DeviceEngine, name: str) -> None:
    """A device takes it, or says that it is its arena that is too small."""
    kind, shape, layers = BROKEN[name][2]
    check_layers(layers, shape, kind)
    run = blank(BROKEN[name][2])
    refused = None
    try:
        device_engine.device.command(CommandCode.LOAD, describe_run(run.model, run.method, run.state, 0))
    except KernelStatus as status:
        refused = status
    if refused is not None:
        assert (refused.status, refused.layer) == (StatusCode.TOO_LARGE, None)
        assert (refused.value or 0) > device_engine.device.hello.arena_bytes


@pytest.mark.parametrize("layer", [None, 3])
def test_another_limit_is_not_guessed(
    process_engine: DeviceEngine, monkeypatch: pytest.MonkeyPatch, layer: int | None
) -> None:
    """Firmware built elsewhere may have limits of its own: then nobody says that it is the arena."""

    def refuse(command: CommandCode, payload: bytes = b"", budget: float = 0.0) -> bytes:
        raise KernelStatus("device refused load", status=StatusCode.TOO_LARGE, layer=layer, value=7)

    monkeypatch.setattr(process_engine.device, "command", refuse)
    run = blank((NITI, (2,), (Linear(2, 2),)))
    with pytest.raises(InputError, match=r"which of its limits that is, it does not say; make the network smaller"):
        process_engine.load(run.model, run.method, run.state)


@pytest.mark.parametrize("status", [code for code in StatusCode if code not in (StatusCode.OK, StatusCode.TOO_LARGE)])
def test_other_refusals_give_no_advice_on_size(
    process_engine: DeviceEngine, monkeypatch: pytest.MonkeyPatch, status: StatusCode
) -> None:
    """A smaller network would not help."""

    def refuse(command: CommandCode, payload: bytes = b"", budget: float = 0.0) -> bytes:
        raise KernelStatus("device refused load", status=status)

    monkeypatch.setattr(process_engine.device, "command", refuse)
    run = blank((NITI, (2,), (Linear(2, 2),)))
    with pytest.raises(KernelStatus, match=r"^device refused load$"):
        process_engine.load(run.model, run.method, run.state)


def test_a_status_carries_its_number(process_engine: DeviceEngine) -> None:
    """What the device has said beside its status, for whoever explains it."""
    with pytest.raises(KernelStatus) as caught:
        process_engine.device.command(CommandCode.READ, bytes(7) + b"\xff")
    assert caught.value.value != NO_DETAIL
