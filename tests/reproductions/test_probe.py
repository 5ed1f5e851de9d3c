"""The probe's counts against the traces of the reference engine, and what a dead network looks like."""

from dataclasses import replace

import numpy as np
import pytest

from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reference.run import Shifts, run_rng
from priot_hil.reproductions.data import transfer_task
from priot_hil.reproductions.performance import first_state
from priot_hil.reproductions.probe import Probe, counts_from_json

LAYERS = (0, 3, 7, 9)
ROWS = ("dynamic NITI", "static NITI", "PRIOT", "PRIOT-S 20 % magnitude")


@pytest.fixture(scope="module")
def probed(runs, material):
    """Gives a row's run, its probe of 4 images, 3 of them with their errors, and its first state."""

    def probe(name):
        run = runs[name]
        task = transfer_task(material.images, run.angle, run.seed, run.train_samples, run.test_samples)
        return (
            run,
            Probe(material.model(run), run.method, task.train.take(4), 3),
            first_state(run, material, ReferenceEngine()),
        )

    return probe


def clipped(accumulator, shift):
    """How many leave -127..127 behind the shift, by plain division: half away from zero."""
    divisor = 1 << shift
    return sum((2 * abs(int(value)) + divisor) // (2 * divisor) > 127 for value in accumulator.flat)


def tightened(state):
    """The state with shifts that are too small, so that much is clipped."""
    return replace(
        state,
        scales={i: Shifts(f - 2, max(0, b - 3) if i else 0, g) for i, (f, b, g) in state.scales.items()},
    )


@pytest.mark.parametrize("is_tight", [False, True])
@pytest.mark.parametrize("name", ROWS)
def test_counts_are_those_of_the_engine_s_own_traces(name, is_tight, probed):
    """A step of the reference from the same state for each image; the generator runs on, the state does not."""
    run, probe, state = probed(name)
    if is_tight:
        if state.scales is None:
            pytest.skip("dynamic shifts are never too small")
        state = tightened(state)
    engine = ReferenceEngine()
    outputs, errors, active = (dict.fromkeys(LAYERS, 0) for _ in range(3))
    seen = {i: [] for i in LAYERS}
    rng = run_rng(0)
    for index, (image, label) in enumerate(zip(probe.samples.images, probe.samples.labels, strict=True)):
        engine.load(probe.model, run.method, replace(state, rng=rng))
        shifts = engine.train_step(image, int(label)).shifts
        rng = engine.state().rng
        for i in LAYERS:
            outputs[i] += clipped(engine.tensor(f"{i}.accumulator"), shifts[i].forward)
            if i and index < 3:
                errors[i] += clipped(engine.tensor(f"{i}.error_accumulator"), shifts[i].backward)
            output = engine.tensor(f"{i}.output")
            active[i] += int((output != 0).sum())
            seen[i].append(output.reshape({0: 8, 3: 16, 7: 64, 9: 10}[i], -1))
    counts = probe.count(state, state)
    assert counts.clipped_outputs == tuple(outputs.values())
    assert counts.clipped_errors == tuple(errors.values())
    assert counts.active_outputs == tuple(active.values())
    dead = [sum(not np.concatenate(seen[i], axis=1)[unit].any() for unit in range(len(seen[i][0]))) for i in LAYERS]
    assert counts.dead_units == tuple(dead)
    assert (counts.changed, counts.moved) == ((0, 0, 0, 0), (0, 0, 0, 0))


def test_something_saturates(probed):
    """With smaller shifts everything does, so that the counts above are no comparison of zeros."""
    _, probe, state = probed("static NITI")
    counts, tight = probe.count(state, state), probe.count(state, tightened(state))
    assert all(a > b for a, b in zip(tight.clipped_outputs, counts.clipped_outputs, strict=True))
    assert all(a > b for a, b in zip(tight.clipped_errors[1:], counts.clipped_errors[1:], strict=True))


def test_a_dead_layer_is_seen(probed):
    """A hidden layer without weights: its 64 units are dead, and so are the logits behind it."""
    _, probe, state = probed("static NITI")
    dead = replace(state, values=state.values | {7: np.zeros_like(state.values[7])})
    counts = probe.count(state, dead)
    assert counts.dead_units[2:] == (64, 10)
    assert counts.active_outputs[2:] == (0, 0)
    assert counts.changed == (0, 0, int((state.values[7] != 0).sum()), 0)
    assert counts.moved == (0, 0, int(np.abs(state.values[7].astype(int)).sum()), 0)


def test_a_unit_that_is_awake_once_is_not_dead(probed):
    """Only those that no image wakes: with more images there are fewer of them."""
    _, probe, state = probed("PRIOT")
    one = replace(probe, samples=probe.samples.take(1)).count(state, state)
    assert sum(one.dead_units) > sum(probe.count(state, state).dead_units)


def test_only_scored_edges_move(probed):
    """The unscored ones of PRIOT-S are not part of the state; the longest way is counted in full."""
    _, probe, state = probed("PRIOT-S 20 % magnitude")
    before = replace(state, values={i: np.full_like(values, -127) for i, values in state.values.items()})
    after = replace(state, values={i: np.full_like(values, 127) for i, values in state.values.items()})
    scored = tuple(int(mask.sum()) for mask in state.scored.values())
    counts = probe.count(before, after)
    assert counts.changed == scored
    assert counts.moved == tuple(254 * count for count in scored)
    assert probe.totals(state).changed == scored


def test_totals(probed):
    """Of the CNN, by hand: its layers' outputs, inputs, pooled outputs and channels, for 4 images; errors for 3."""
    _, probe, state = probed("PRIOT")
    totals = probe.totals(state)
    assert totals.clipped_outputs == (4 * 6272, 4 * 3136, 4 * 64, 4 * 10)
    assert totals.clipped_errors == (0, 3 * 1568, 3 * 784, 3 * 64)
    assert totals.active_outputs == (4 * 1568, 4 * 784, 4 * 64, 4 * 10)
    assert totals.dead_units == (8, 16, 64, 10)
    assert totals.moved == (72, 1152, 50176, 640)
    assert counts_from_json(totals.to_json()) == totals
