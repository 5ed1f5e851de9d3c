"""Whole runs: a model, a method, a state to start from, and a few samples."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from priot_hil.reference.checks import Int8Array
from priot_hil.reference.network import Network
from priot_hil.reference.ranges import EXPONENT, GENERATOR
from priot_hil.reference.run import Method, MethodKind, Model, Shifts, State

from .arrays import int8_arrays, masks
from .methods import methods, shift_triples
from .networks import USUAL, Sizes, networks

USUAL_EXPONENTS = (-7, -8, -9, -6, -10, -5, -12, -2)
EXPONENTS = USUAL_EXPONENTS * 24 + tuple(range(EXPONENT.low, EXPONENT.high + 1)) + (EXPONENT.low, EXPONENT.high) * 16
"""The usual exponents of a layer's weights every second time; the rest reaches every branch and clamp of the loss, and
both ends of the range."""
GENERATORS = st.tuples(st.integers(GENERATOR.low, GENERATOR.high), st.integers(0, 15)).map(
    lambda drawn: GENERATOR.high if drawn[1] == 15 else drawn[0]
)
"""Its states, the last one every 16th time; Hypothesis draws the first one often by itself."""


class Run(NamedTuple):
    """What an engine needs to take some steps.

    Attributes:
        model: The pre-trained network.
        method: What is learned, and how.
        state: Where training starts.
        images: int8, (n, *input shape), n >= 1.
        labels: int64, (n,), 0..K-1.
    """

    model: Model
    method: Method
    state: State
    images: Int8Array
    labels: npt.NDArray[np.int64]


@st.composite
def runs(
    draw: st.DrawFn,
    kinds: Sequence[MethodKind] = tuple(MethodKind),
    sizes: Sizes = USUAL,
    steps: int = 4,
    network: Network | None = None,
) -> Run:
    """A legal run of 1 to `steps` samples: any method, either loss rounding, dynamic or static shifts, also wild.

    Shrinks to one step of the first method on a linear layer with two weights.

    Args:
        draw: Hypothesis's.
        kinds: The methods to draw from.
        sizes: Bounds of the network.
        steps: Most samples of a run.
        network: The one to train; None for any.
    """
    method = draw(methods(kinds))
    network = network or draw(networks(sizes))
    shapes = {i: network.weight_shape(i) for i in network.weighted}
    weights = {i: draw(int8_arrays(shape)) for i, shape in shapes.items()}
    exponents = {i: draw(st.sampled_from(EXPONENTS)) for i in shapes}
    model = Model(network, weights, exponents, draw(st.sampled_from(EXPONENTS)))

    scores = {
        i: draw(int8_arrays(shape, near=method.theta)) for i, shape in shapes.items() if method.kind.learns_scores
    }
    state = State(
        values=scores or {i: weights[i].copy() for i in shapes},
        rng=draw(GENERATORS),
        scales=draw(_scales(network, method)),
        scored={i: draw(masks(shape)) for i, shape in shapes.items()} if method.kind is MethodKind.PRIOT_S else None,
    )
    count = draw(st.integers(1, steps))
    images = np.stack([draw(int8_arrays(network.input_shape)) for _ in range(count)])
    labels = [draw(st.integers(0, network.classes - 1)) for _ in range(count)]
    return Run(model, method, state, images, np.array(labels, np.int64))


@st.composite
def _scales(draw: st.DrawFn, network: Network, method: Method) -> dict[int, Shifts] | None:
    """Static scales where the method has them; PRIOT may do without. The first layer's backward shift is 0."""
    if method.kind is MethodKind.NITI_DYNAMIC or (method.kind.learns_scores and draw(st.booleans())):
        return None
    scales = {}
    for i in network.weighted:
        fan_in = math.prod(network.weight_shape(i)[1:])
        scales[i] = draw(shift_triples(fan_in, network.positions(i), method.kind.learns_scores))
    first = network.weighted[0]
    return scales | {first: scales[first]._replace(backward=0)}
