"""Whole training runs: any network, any method, several steps; every tensor of every step."""

from pathlib import Path

import numpy as np
import pytest
from equivalence.cases import examples, expect_equal
from hypothesis import assume, given

from priot_hil.harness.capsule import read_capsule
from priot_hil.harness.compare import compare_prediction, compare_state, compare_step
from priot_hil.harness.replay import replay
from priot_hil.harness.strategies import Run, runs
from priot_hil.reference.engine import DatasetEngine, Engine

GOLDEN = sorted((Path(__file__).parent.parent / "capsules" / "golden").glob("*.npz"))


@examples(400)
@given(run=runs())
def test_runs_match_the_reference(engine: Engine, reference: Engine, run: Run) -> None:
    """Any legal run: shifts, outputs, errors and predictions of every step, the state after it, and a prediction."""
    network, learns_scores = run.model.network, run.method.kind.learns_scores
    for either in (engine, reference):
        either.load(run.model, run.method, run.state)
    for step, (image, label) in enumerate(zip(run.images, run.labels, strict=True)):
        divergence = compare_step(engine, reference, network, image, int(label), step)
        divergence = divergence or compare_state(engine, network, reference.state(), learns_scores)
        expect_equal(divergence, run, "runs")
    expect_equal(compare_prediction(engine, reference, network, run.images[0], len(run.images)), run, "runs")


@examples(60)
@given(run=runs())
def test_observations_match_the_reference(engine: Engine, reference: Engine, run: Run) -> None:
    """The calibration step: the same shifts, the same tensors uncounted, and only the generator moves on."""
    assume(run.state.scales is None)
    for either in (engine, reference):
        either.load(run.model, run.method, run.state)
    for image, label in zip(run.images, run.labels, strict=True):
        assert engine.observe(image, int(label)) == reference.observe(image, int(label))
    learns_scores = run.method.kind.learns_scores
    expect_equal(compare_state(engine, run.model.network, reference.state(), learns_scores), run, "observations")


@pytest.mark.needs("dataset")
@examples(40)
@given(run=runs())
def test_epochs_match_single_steps(engine: DatasetEngine, reference: DatasetEngine, run: Run) -> None:
    """An epoch on the device's own transfer set is the reference's, its checksum of the state included."""
    order = np.arange(len(run.images))[::-1].copy()
    results = []
    for either in (engine, reference):
        either.load(run.model, run.method, run.state)
        either.load_data(run.images, run.labels, run.images, run.labels)
        results.append((either.train_epoch(order).correct, either.evaluate(), either.state_crc()))
    assert results[0] == results[1]
    learns_scores = run.method.kind.learns_scores
    expect_equal(compare_state(engine, run.model.network, reference.state(), learns_scores), run, "epochs")


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden_capsules(engine: Engine, path: Path) -> None:
    """The golden cases: logits, predictions, final state and generator as stored in the capsule."""
    divergence = replay(read_capsule(path), engine)
    assert divergence is None, str(divergence)


def test_all_golden_capsules_are_here() -> None:
    """An empty folder would pass in silence."""
    assert len(GOLDEN) == 80
