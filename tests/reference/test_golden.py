"""The reference gives every number of the golden capsules."""

from pathlib import Path

import numpy as np
import pytest

from priot_hil.harness.capsule import Mode, read_capsule
from priot_hil.reference.reference_engine import ReferenceEngine

GOLDEN = sorted((Path(__file__).parent.parent / "capsules" / "golden").glob("*.npz"))


def test_all_golden_capsules_are_there():
    """A lost file would make the test below pass on less."""
    assert len(GOLDEN) == 80


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_reference_gives_the_golden_numbers(path):
    """Logits and predictions of every step, the last state and the generator are equal to the last bit."""
    capsule = read_capsule(path)
    expected = capsule.expected
    engine = ReferenceEngine()
    engine.load(capsule.model, capsule.method, capsule.state)
    for step, (image, label) in enumerate(zip(capsule.images, capsule.labels, strict=True)):
        if capsule.mode is Mode.TRAIN:
            prediction = engine.train_step(image, int(label)).prediction
        else:
            prediction = engine.predict(image)
        assert engine.tensor("logits").tolist() == expected.logits[step].tolist(), f"logits of step {step}"
        assert prediction == expected.predictions[step], f"prediction of step {step}"
    state = engine.state()
    assert tuple(expected.values) == capsule.model.network.weighted
    for i, values in expected.values.items():
        edges = np.ones(values.shape, dtype=bool) if state.scored is None else state.scored[i]
        assert (state.values[i][edges] == values[edges]).all(), f"last state of layer {i}"
    assert state.rng == expected.rng
