"""What must be the same although it is computed otherwise: pruning and zero weights, PRIOT-S and PRIOT, shifts, zeros.

No reference takes part: an engine is held against itself, so an error that the reference shared would show too.
"""

from dataclasses import replace

import numpy as np
import pytest
from equivalence.cases import examples
from equivalence.histories import blamed, expect_same, expect_state, expect_tensor, expect_trace, record, take_step
from hypothesis import given

from priot_hil.harness.strategies import TINY, Run, runs
from priot_hil.reference.engine import Engine
from priot_hil.reference.run import Method, MethodKind, State

SCORES = (MethodKind.PRIOT, MethodKind.PRIOT_S)
DYNAMIC = (MethodKind.NITI_DYNAMIC, *SCORES)


@pytest.mark.parametrize("pruned", ["some", "none", "all"])
@examples(4)
@given(run=runs(SCORES, TINY, steps=2))
@blamed
def test_pruned_edges_are_zero_weights(engine: Engine, pruned: str, run: Run) -> None:
    """A step of PRIOT passes forward and back as NITI does with the pruned weights at 0; theta = -127 prunes none."""
    theta = run.method.theta
    assert theta is not None
    if pruned == "none":
        theta = -127
    elif pruned == "all":
        theta = max(theta, -126)
        lowest = {i: np.full_like(values, -127) for i, values in run.state.values.items()}
        every = {i: np.ones(values.shape, np.bool_) for i, values in lowest.items()}
        scored = every if run.method.kind is MethodKind.PRIOT_S else None
        run = run._replace(state=replace(run.state, values=lowest, scored=scored))
    run = run._replace(method=replace(run.method, theta=theta))
    kind = MethodKind.NITI_DYNAMIC if run.state.scales is None else MethodKind.NITI_STATIC
    plain = Method(kind, run.method.mu, None, run.method.loss_rounding)
    before = run.state
    for step, moment in enumerate(record(engine, run)):
        weights = {}
        for i, values in before.values.items():
            below = values < theta if before.scored is None else before.scored[i] & (values < theta)
            weights[i] = np.where(below, np.int8(0), run.model.weights[i])
            assert pruned == "some" or below.all() == (pruned == "all") or step > 0
        engine.load(replace(run.model, weights=weights), plain, State(weights, before.rng, before.scales))
        expect_trace(take_step(engine, run, step), moment, f"at step {step}")
        before = moment.state


@examples(6)
@given(run=runs((MethodKind.PRIOT,), TINY, steps=3))
@blamed
def test_priot_s_with_every_edge_scored_is_priot(engine: Engine, run: Run) -> None:
    """The packed scores, their places and the weights masked in place give what the dense ones give, step by step."""
    every = {i: np.ones(values.shape, np.bool_) for i, values in run.state.values.items()}
    sparse = run._replace(method=replace(run.method, kind=MethodKind.PRIOT_S), state=replace(run.state, scored=every))
    expect_same(record(engine, sparse), record(engine, run))


@examples(6)
@given(run=runs(DYNAMIC, TINY, steps=2))
@blamed
def test_dynamic_is_static_with_the_same_shifts(engine: Engine, run: Run) -> None:
    """The shifts that a dynamic step reports, given to it as constants, lead to the same step."""
    run = run._replace(state=replace(run.state, scales=None))
    kind = MethodKind.NITI_STATIC if run.method.kind is MethodKind.NITI_DYNAMIC else run.method.kind
    static = replace(run.method, kind=kind)
    before = run.state
    for step, moment in enumerate(record(engine, run)):
        engine.load(run.model, static, replace(before, scales=moment.shifts))
        expect_same([take_step(engine, run, step)], [moment])
        before = moment.state


@examples(6)
@given(run=runs(sizes=TINY, steps=2))
@blamed
def test_what_is_sure_and_right_teaches_nothing(engine: Engine, run: Run) -> None:
    """One logit alone at the top, coarse logits, its label: all errors are 0 and nothing learned moves."""
    model = replace(run.model, weight_exponents=dict.fromkeys(run.model.weights, 0), input_exponent=4)
    engine.load(model, run.method, run.state)
    for step, image in enumerate(run.images):
        label = engine.predict(image)
        logits = engine.tensor("logits")
        if np.count_nonzero(logits == logits[label]) > 1:
            continue
        before = engine.state()
        moment = take_step(engine, run._replace(labels=np.full_like(run.labels, label)), step)
        for name, tensor in moment.tensors.items():
            if name.endswith(".error"):
                expect_tensor(tensor, np.zeros_like(tensor), f"{name} at step {step}")
        expect_state(replace(moment.state, rng=before.rng), before, f"after step {step}")


@examples(4)
@given(run=runs(sizes=TINY, steps=2))
@blamed
def test_nothing_seen_teaches_nothing(engine: Engine, run: Run) -> None:
    """An image of zeros: there is no bias, so every output is 0, every gradient, and the prediction is the first class.

    The errors are not: nothing learned moves although they are there.
    """
    moments = record(engine, run._replace(images=np.zeros_like(run.images)))
    for step, moment in enumerate(moments):
        assert moment.prediction == 0
        for name, tensor in moment.tensors.items():
            if name.endswith(".output"):
                expect_tensor(tensor, np.zeros_like(tensor), f"{name} at step {step}")
        expect_state(replace(moment.state, rng=run.state.rng), run.state, f"after step {step}")
