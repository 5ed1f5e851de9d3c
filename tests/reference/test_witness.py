"""The bounds of the sums, witnessed: no accumulator of any run is larger than what its layer's bound says."""

import math

import numpy as np
from equivalence.cases import examples
from hypothesis import given, target

from priot_hil.harness.strategies import Run, runs
from priot_hil.reference.network import Conv2d
from priot_hil.reference.reference_engine import ReferenceEngine


@examples(10)
@given(run=runs(steps=2))
def test_no_sum_leaves_its_bound(run: Run) -> None:
    """Forward, error, gradient, score gradient: max |sum| <= 127**2 (127**3) times the number of products."""
    engine, network, fullest = ReferenceEngine(), run.model.network, 0.0
    engine.load(run.model, run.method, run.state)
    for image, label in zip(run.images, run.labels, strict=True):
        engine.train_step(image, int(label))
        for i in network.weighted:
            outputs, *inputs = network.weight_shape(i)
            layer = network.layers[i]
            taps = layer.kernel**2 if isinstance(layer, Conv2d) else 1
            bounds = {
                "accumulator": 127**2 * math.prod(inputs),
                "error_accumulator": 127**2 * outputs * taps,
                "gradient": 127**2 * network.positions(i),
                "score_gradient": 127**3 * network.positions(i),
            }
            if i == network.weighted[0]:
                del bounds["error_accumulator"]
            if not run.method.kind.learns_scores:
                del bounds["score_gradient"]
            for name, bound in bounds.items():
                largest = int(np.abs(engine.tensor(f"{i}.{name}").astype(np.int64)).max())
                assert largest <= bound <= 2**31 - 1, f"{name} of layer {i}"
                fullest = max(fullest, largest / bound)
    target(fullest, label="largest sum, as a share of its bound")
