"""A small run of each method, the same every time, for what is tried on devices without drawing networks."""

import numpy as np

from priot_hil.reference.network import Conv2d, Flatten, Linear, MaxPool2d, Network, Relu
from priot_hil.reference.run import Method, MethodKind, Model, Shifts, initial_state

from .strategies import Run

STEPS = 6
EXAMPLE = Network((1, 6, 6), (Conv2d(1, 3, 3, 1, 1), Relu(), MaxPool2d(2), Flatten(), Linear(27, 4)))


def example_run(kind: MethodKind, network: Network = EXAMPLE) -> Run:
    """A run whose every step changes the state.

    Args:
        kind: The method.
        network: One with two layers with weights.
    """
    first, last = network.weighted
    draw = np.random.default_rng(5)
    weights = {i: draw.integers(-127, 128, network.weight_shape(i), dtype=np.int8) for i in network.weighted}
    model = Model(network, weights, {first: -7, last: -8})
    method = Method(kind, theta=kind.default_theta)
    is_dynamic = kind is MethodKind.NITI_DYNAMIC
    gradient = 11 if kind.learns_scores else 5
    scales = None if is_dynamic else {first: Shifts(9, 0, gradient), last: Shifts(9, 8, gradient)}
    images = draw.integers(-127, 128, (STEPS, *network.input_shape), dtype=np.int8)
    state = initial_state(model, method, seed=3, scales=scales, percent=40)
    return Run(model, method, state, images, draw.integers(0, network.classes, STEPS))
