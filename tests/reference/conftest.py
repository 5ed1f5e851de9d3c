"""A small run that has everything: convolution, pooling, both kinds of weights, and few enough numbers to look at."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from priot_hil.reference.network import Conv2d, Flatten, Linear, MaxPool2d, Network, Relu
from priot_hil.reference.run import Method, MethodKind, Model, State, initial_state


@dataclass(frozen=True)
class Case:
    """A run and samples for it."""

    model: Model
    method: Method
    state: State
    images: np.ndarray
    labels: np.ndarray


@pytest.fixture
def make_case() -> Callable[[MethodKind], Case]:
    """Build a dynamic run of a method on a 2x6x6 -> 3 classes network with weights in layers 1, 4 and 6."""

    def make(kind: MethodKind) -> Case:
        layers = (Relu(), Conv2d(2, 3, 3, 1, 1), MaxPool2d(2), Flatten(), Linear(27, 5), Relu(), Linear(5, 3))
        network = Network((2, 6, 6), layers)
        draw = np.random.default_rng(1)
        weights = {i: draw.integers(-127, 128, network.weight_shape(i), dtype=np.int8) for i in network.weighted}
        model = Model(network, weights, {1: -7, 4: -8, 6: -9})
        method = Method(kind, theta=kind.default_theta)
        images = draw.integers(-127, 128, (8, 2, 6, 6), dtype=np.int8)
        return Case(model, method, initial_state(model, method, seed=3, percent=40), images, draw.integers(0, 3, 8))

    return make
