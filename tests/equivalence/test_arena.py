"""A network at the edge of a device's memory: the largest that fits is exact, one element more is refused."""

from collections.abc import Callable

import numpy as np
import pytest

from priot_hil.harness.compare import compare_state, compare_step
from priot_hil.harness.divergence import Mismatch
from priot_hil.harness.engines import DeviceEngine
from priot_hil.reference.engine import Engine
from priot_hil.reference.errors import InputError
from priot_hil.reference.kinds import MethodKind
from priot_hil.reference.network import Conv2d, Flatten, Linear, MaxPool2d, Network, Relu
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reference.run import Method, Model, State

METHOD = Method(MethodKind.NITI_DYNAMIC)
SIDES = (364, 182, 91, 45, 22)
MOST_CHANNELS, FEWEST_CHANNELS, MOST_HIDDEN = 512, 8, 20_000


def network_of(side: int, channels: int, hidden: int) -> Network:
    """Large steps of memory by the channels of a convolution, small ones by the width of a hidden layer."""
    convolution = (Conv2d(1, channels, 1), Relu(), MaxPool2d(side), Flatten())
    return Network((1, side, side), (*convolution, Linear(channels, hidden), Relu(), Linear(hidden, 2)))


def run_of(network: Network) -> tuple[Model, Method, State]:
    """Weights of all signs and sizes, the same for the same network."""
    weights = {}
    for i in network.weighted:
        shape = network.weight_shape(i)
        weights[i] = ((np.arange(np.prod(shape)) * 37 + 5 * i) % 255 - 127).astype(np.int8).reshape(shape)
    model = Model(network, weights, dict.fromkeys(weights, -8))
    return model, METHOD, State({i: array.copy() for i, array in weights.items()}, 1)


def largest(fits: Callable[[int], bool], most: int) -> int:
    """The largest number in 1..most-1 that fits, where 1 does and `most` does not."""
    least = 1
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (middle, most) if fits(middle) else (least, middle)
    return least


def test_the_largest_network_that_fits(engine: Engine) -> None:
    """Found by trying; it trains as the reference does, before and after a larger one was refused."""
    if not isinstance(engine, DeviceEngine):
        pytest.skip(f"{engine.name} has no arena")

    def fits(side: int, channels: int, hidden: int) -> bool:
        try:
            engine.load(*run_of(network_of(side, channels, hidden)))
        except InputError as refusal:
            if "make the network smaller" not in str(refusal):
                raise
            return False
        return True

    side = next(side for side in SIDES if fits(side, FEWEST_CHANNELS, 1))
    channels = largest(lambda count: fits(side, count, 1), MOST_CHANNELS)
    hidden = largest(lambda count: fits(side, channels, count), MOST_HIDDEN)

    network = network_of(side, channels, hidden)
    reference = ReferenceEngine()
    for either in (engine, reference):
        either.load(*run_of(network))
    for step in range(2):
        image = ((np.arange(side**2) * (step + 3)) % 255 - 127).astype(np.int8).reshape(1, side, side)
        divergence = compare_step(engine, reference, network, image, step, step)
        divergence = divergence or compare_state(engine, network, reference.state(), learns_scores=False)
        if divergence is not None:
            raise Mismatch(divergence)
        assert not fits(side, channels, hidden + 1)
        assert not fits(side, channels + 1, hidden)
