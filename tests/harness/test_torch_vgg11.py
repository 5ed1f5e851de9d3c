"""Whole steps of VGG11 through torch and through the C engine: 9.2 million edges, all of the state equal."""

from collections.abc import Mapping

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

from priot_hil.harness.devices import open_engine
from priot_hil.harness.replay import AnyEngine
from priot_hil.reference.kinds import MethodKind, Selection
from priot_hil.reference.run import Method, Model, Shifts, initial_state
from priot_hil.reproductions.networks import VGG11

pytestmark = pytest.mark.slow
STEPS = 3


@pytest.fixture(scope="module")
def model() -> Model:
    """Weights as large as training leaves them."""
    draws = np.random.Generator(np.random.PCG64(11))
    weights = {
        i: np.clip(np.rint(draws.normal(0, 30, VGG11.weight_shape(i))), -127, 127).astype(np.int8)
        for i in VGG11.weighted
    }
    return Model(VGG11, weights, dict.fromkeys(weights, -7))


@pytest.fixture(scope="module")
def engines() -> tuple[AnyEngine, AnyEngine]:
    """The one that is checked, and the one to believe."""
    return open_engine("torch"), open_engine("host")


@pytest.mark.parametrize(
    ("kind", "is_static"),
    [
        (MethodKind.NITI_DYNAMIC, False),
        (MethodKind.NITI_STATIC, True),
        *((kind, is_static) for kind in (MethodKind.PRIOT, MethodKind.PRIOT_S) for is_static in (False, True)),
    ],
)
def test_steps_are_equal(model: Model, engines: tuple[AnyEngine, AnyEngine], kind: MethodKind, is_static: bool) -> None:
    """Shifts, predictions, checksums of every tensor, and then each weight or score and the generator."""
    method = Method(kind, theta=kind.default_theta)
    scales = shifts_of(kind) if is_static else None
    state = initial_state(model, method, 10, scales, selection=Selection.MAGNITUDE)
    draws = np.random.Generator(np.random.PCG64(12))
    for engine in engines:
        engine.load(model, method, state)
    changed = 0
    for step in range(STEPS):
        image = draws.integers(0, 128, VGG11.input_shape, dtype=np.int8)
        found, expected = (engine.train_step(image, step) for engine in engines)
        assert found == expected, f"step {step}"
    found, expected = (engine.state() for engine in engines)
    assert found.rng == expected.rng
    for i in VGG11.weighted:
        assert np.array_equal(found.values[i], expected.values[i]), f"layer {i}"
        changed += int(np.count_nonzero(found.values[i] != state.values[i]))
    assert changed > 1000
    assert engines[0].state_crc() == engines[1].state_crc()


def shifts_of(kind: MethodKind) -> Mapping[int, Shifts]:
    """Those that most samples need."""
    forward, backward = (9, 9, 10, 10, 10, 11, 10, 9, 9), (0, 9, 10, 9, 10, 10, 10, 9, 8)
    gradient = (17, 16, 17, 16, 15, 15, 14, 14, 15) if kind.learns_scores else (11, 10, 11, 10, 9, 9, 8, 8, 9)
    return dict(zip(VGG11.weighted, map(Shifts, forward, backward, gradient), strict=True))
