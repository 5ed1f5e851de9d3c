"""A small run of each method, for whatever drives a device."""

from collections.abc import Callable

import numpy as np
import pytest

from priot_hil.harness.strategies import Run
from priot_hil.reference.network import Conv2d, Flatten, Linear, MaxPool2d, Network, Relu
from priot_hil.reference.run import Method, MethodKind, Model, Shifts, initial_state

STEPS = 6


@pytest.fixture(scope="session")
def make_run() -> Callable[[MethodKind], Run]:
    """Build a run with weights in layers 0 and 4, whose every step changes the state."""

    def make(kind: MethodKind) -> Run:
        network = Network((1, 6, 6), (Conv2d(1, 3, 3, 1, 1), Relu(), MaxPool2d(2), Flatten(), Linear(27, 4)))
        draw = np.random.default_rng(5)
        weights = {i: draw.integers(-127, 128, network.weight_shape(i), dtype=np.int8) for i in network.weighted}
        model = Model(network, weights, {0: -7, 4: -8})
        method = Method(kind, theta=kind.default_theta)
        is_dynamic = kind is MethodKind.NITI_DYNAMIC
        gradient = 11 if kind.learns_scores else 5
        scales = None if is_dynamic else {0: Shifts(9, 0, gradient), 4: Shifts(9, 8, gradient)}
        images = draw.integers(-127, 128, (STEPS, 1, 6, 6), dtype=np.int8)
        state = initial_state(model, method, seed=3, scales=scales, percent=40)
        return Run(model, method, state, images, draw.integers(0, 4, STEPS))

    return make
