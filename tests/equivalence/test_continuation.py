"""Where a run may be cut, watched and taken up again without a trace of it."""

from dataclasses import replace

import numpy as np
import pytest
from equivalence.cases import examples
from equivalence.histories import blamed, expect_same, expect_state, record, take_step
from hypothesis import given
from hypothesis import strategies as st

from priot_hil.harness.strategies import TINY, Run, runs
from priot_hil.reference.engine import DatasetEngine, Engine
from priot_hil.reference.kinds import LossRounding, MethodKind

DYNAMIC = (MethodKind.NITI_DYNAMIC, MethodKind.PRIOT, MethodKind.PRIOT_S)


@examples(5)
@given(run=runs(sizes=TINY, steps=4), other=runs(sizes=TINY, steps=1), data=st.data())
@blamed
def test_a_saved_run_goes_on(engine: Engine, run: Run, other: Run, data: st.DataObject) -> None:
    """Some steps, the state read and loaded again after another run was there: the rest is as if nothing had been."""
    expected = record(engine, run)
    saved = data.draw(st.integers(0, len(run.images) - 1))
    engine.load(run.model, run.method, run.state)
    for step in range(saved):
        engine.train_step(run.images[step], int(run.labels[step]))
    state = engine.state()
    record(engine, other)
    engine.load(run.model, run.method, state)
    expect_same([take_step(engine, run, step) for step in range(saved, len(run.images))], expected[saved:])


@pytest.mark.needs("dataset")
@examples(4)
@given(run=runs(sizes=TINY, steps=3), data=st.data())
@blamed
def test_an_epoch_is_its_steps(engine: DatasetEngine, run: Run, data: st.DataObject) -> None:
    """In any order, samples left out or repeated, in one epoch or in two: the same state, and as many right."""
    count = len(run.images)
    order = np.array(data.draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=6)))
    cut = data.draw(st.integers(0, len(order)))
    engine.load(run.model, run.method, run.state)
    right = sum(engine.train_step(run.images[i], int(run.labels[i])).prediction == run.labels[i] for i in order)
    expected, checksum = engine.state(), engine.state_crc()
    known = sum(engine.predict(image) == label for image, label in zip(run.images, run.labels, strict=True))
    engine.load(run.model, run.method, run.state)
    engine.load_data(run.images, run.labels, run.images, run.labels)
    epochs = [engine.train_epoch(part) for part in (order[:cut], order[cut:])]
    assert sum(epoch.correct for epoch in epochs) == right
    assert sum(epoch.steps for epoch in epochs) == len(order)
    expect_state(engine.state(), expected)
    assert engine.state_crc() == checksum
    assert engine.evaluate() == known
    expect_state(engine.state(), expected, "after an evaluation")


@examples(4)
@given(run=runs(sizes=TINY, steps=3), data=st.data())
@blamed
def test_predictions_leave_no_trace(engine: Engine, run: Run, data: st.DataObject) -> None:
    """Predictions of any sample between the steps, each the same when asked twice: the steps are as without them."""
    expected = record(engine, run)
    asked = st.integers(0, len(run.images) - 1)
    engine.load(run.model, run.method, run.state)
    moments = []
    for step in range(len(run.images)):
        image = run.images[data.draw(asked)]
        assert engine.predict(image) == engine.predict(image)
        moments.append(take_step(engine, run, step))
        engine.predict(run.images[data.draw(asked)])
        expect_state(engine.state(), moments[-1].state, "after a prediction")
    expect_same(moments, expected)


@examples(4)
@given(run=runs(DYNAMIC, TINY, steps=2))
@blamed
def test_observations_move_the_generator_only(engine: Engine, run: Run) -> None:
    """As far as a step would; where the loss draws nothing, not even that."""
    state = replace(run.state, scales=None)
    run = run._replace(state=state)
    stepped = record(engine, run)[0]
    engine.load(run.model, run.method, state)
    seen = engine.observe(run.images[0], int(run.labels[0]))
    expect_state(engine.state(), replace(state, rng=stepped.state.rng), "after an observation")
    for i, shifts in stepped.shifts.items():
        counted = (seen[i].forward, seen[i].backward, seen[i].gradient)
        assert all(a is None or a == b for a, b in zip(counted, shifts, strict=True)), f"layer {i}"
    if run.method.loss_rounding is LossRounding.NEAREST:
        assert stepped.state.rng == state.rng
    else:
        assert stepped.state.rng != state.rng
