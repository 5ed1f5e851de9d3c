"""The reference with another rounding of its updates: only that is another."""

import numpy as np

from priot_hil.reference.methods import apply_update, update_of
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reproductions.engines import NearestUpdates, nearest_update, open_run_engine
from priot_hil.reproductions.performance import first_state
from priot_hil.reproductions.plan import NEAREST_UPDATES


def test_updates_are_rounded_half_away_from_zero():
    """And clipped, as round_shift and clip do; the semantics' own look at the bits below, and differ."""
    gradient = np.array([0, 7, 8, -8, -7, 24, 23, 4000, -4000], np.int32)
    assert nearest_update(gradient, 4).tolist() == [0, 0, 1, -1, 0, 2, 1, 127, -127]
    assert nearest_update(gradient, 4).dtype == np.int8
    assert (update_of(np.arange(256, dtype=np.int32), 4) != nearest_update(np.arange(256, dtype=np.int32), 4)).any()


def test_only_the_update_is_another(runs, material):
    """From the same state: every tensor of a step but the update and the values that it gives."""
    run = runs["PRIOT"]
    model, reference = material.model(run), ReferenceEngine()
    state = first_state(run, material, reference)
    task = material.task(run)
    engine = open_run_engine(NEAREST_UPDATES)
    assert isinstance(engine, NearestUpdates)
    for each in (engine, reference):
        each.load(model, run.method, state)
        each.train_step(task.train.images[0], int(task.train.labels[0]))
    for i in model.network.weighted:
        gradient, shift = engine.tensor(f"{i}.score_gradient"), int(engine.tensor(f"{i}.gradient_shift"))
        assert np.array_equal(gradient, reference.tensor(f"{i}.score_gradient"))
        update = nearest_update(gradient, shift)
        assert np.array_equal(engine.tensor(f"{i}.update"), update)
        assert np.array_equal(engine.state().values[i], apply_update(state.values[i], update))
    assert any(
        not np.array_equal(engine.tensor(f"{i}.update"), reference.tensor(f"{i}.update"))
        for i in model.network.weighted
    )


def test_other_names_are_devices():
    """As they are everywhere."""
    assert open_run_engine("reference").name == "reference"
