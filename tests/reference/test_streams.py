"""Draws pinned by golden values, since NumPy may change its streams; and what the initial state makes of them."""

import numpy as np
import pytest

from priot_hil.reference.errors import InputError
from priot_hil.reference.network import Linear, Network
from priot_hil.reference.run import Method, MethodKind, Model, Selection, initial_state, run_rng
from priot_hil.reference.scales import calibration_order
from priot_hil.reference.streams import order, stream

PINNED = "NumPy's streams have changed: results drawn with another NumPy do not compare"


def test_streams_are_pinned():
    """Seed 7, one draw of the kind that each stream serves."""
    assert stream(7, "data").choice(60000, 5, replace=False).tolist() == [37503, 41049, 56690, 34697, 53831], PINNED
    assert np.rint(stream(7, "scores").normal(0, 32, 8)).tolist() == [11, -75, -11, -22, 21, 2, -72, 20], PINNED
    assert stream(7, "selection").choice(72, 7, replace=False).tolist() == [39, 10, 30, 18, 66, 70, 69], PINNED
    assert stream(7, "calibration").permutation(1024)[:6].tolist() == [651, 869, 73, 661, 49, 579], PINNED
    left = range(100, 1000)
    assert stream(7, "validation").choice(left, 5, replace=False).tolist() == [600, 313, 117, 699, 992], PINNED


def test_orders_are_pinned():
    """Each epoch has an order of its own."""
    assert order(7, 0, 8).tolist() == [3, 5, 0, 4, 2, 7, 1, 6], PINNED
    assert order(7, 1, 8).tolist() == [5, 4, 2, 6, 0, 7, 3, 1], PINNED
    assert order(2**32 - 1, 2, 8).tolist() == [1, 0, 7, 5, 3, 4, 2, 6], PINNED


def test_calibration_takes_the_first_thousand():
    """All samples where there are fewer."""
    assert calibration_order(7, 1024).tolist() == stream(7, "calibration").permutation(1024)[:1000].tolist()
    assert sorted(calibration_order(7, 30)) == list(range(30))
    assert calibration_order(7, 1024, 10).tolist() == calibration_order(7, 1024)[:10].tolist()


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "7"])
def test_illegal_seeds_are_refused(seed):
    """Everywhere where a seed is taken."""
    for take in (run_rng, lambda seed: stream(seed, "data"), lambda seed: order(seed, 0, 3)):
        with pytest.raises(InputError, match=r"seed: expected a whole number in 0\.\.4294967295"):
            take(seed)


def test_unknown_streams_are_refused():
    """With the names of those that exist."""
    with pytest.raises(InputError, match="data, scores, selection, calibration, validation, got 'noise'"):
        stream(0, "noise")


@pytest.fixture
def model():
    """8 -> 5 -> 2, with ties in |W| in the first layer."""
    first = np.array([3, -3, 2, 1, 0, 127, -127, 3] * 5, dtype=np.int8).reshape(5, 8)
    network = Network((8,), (Linear(8, 5), Linear(5, 2)))
    return Model(network, {0: first, 1: np.ones((2, 5), dtype=np.int8)}, {0: 0, 1: 0})


def test_initial_scores_run_on_from_layer_to_layer(model):
    """One stream for all layers, clipped: the 50 draws in a row."""
    state = initial_state(model, Method(MethodKind.PRIOT, theta=-64), seed=7)
    drawn = np.clip(np.rint(stream(7, "scores").normal(0, 32, 50)), -127, 127)
    assert np.concatenate([state.values[0].ravel(), state.values[1].ravel()]).tolist() == drawn.tolist()
    assert state.values[0].ravel()[:8].tolist() == [11, -75, -11, -22, 21, 2, -72, 20]
    assert (state.rng, state.scales, state.scored) == (run_rng(7), None, None)


@pytest.mark.parametrize("deviation", [0, 100])
def test_initial_scores_scatter_as_asked_for(model, deviation):
    """The same draws, wider or narrower."""
    state = initial_state(model, Method(MethodKind.PRIOT, theta=-64), seed=7, deviation=deviation)
    drawn = np.clip(np.rint(stream(7, "scores").normal(0, deviation, 50)), -127, 127)
    assert np.concatenate([state.values[0].ravel(), state.values[1].ravel()]).tolist() == drawn.tolist()


def test_random_selection_runs_on_from_layer_to_layer(model):
    """(10 * 40 + 50) // 100 = 4 edges, then (10 * 10 + 50) // 100 = 1, flat indices of one stream."""
    state = initial_state(model, Method(MethodKind.PRIOT_S, theta=0), seed=7, percent=10)
    draws = stream(7, "selection")
    for i, (size, count) in enumerate(((40, 4), (10, 1))):
        assert np.flatnonzero(state.scored[i]).tolist() == sorted(draws.choice(size, count, replace=False))


def test_magnitude_selection_takes_the_largest_and_of_equals_the_first(model):
    """The ten 127s of 40 edges, then the first of the 3s; all ones: the first two."""
    state = initial_state(model, Method(MethodKind.PRIOT_S, theta=0), 7, percent=30, selection=Selection.MAGNITUDE)
    largest = [5, 6, 13, 14, 21, 22, 29, 30, 37, 38]
    assert np.flatnonzero(state.scored[0]).tolist() == sorted([*largest, 0, 1])
    assert np.flatnonzero(state.scored[1]).tolist() == [0, 1, 2]


def test_niti_starts_from_a_copy_of_the_weights(model):
    """Training must not reach back into the model."""
    state = initial_state(model, Method(MethodKind.NITI_DYNAMIC), 7)
    assert state.values[0].tolist() == model.weights[0].tolist()
    assert not np.shares_memory(state.values[0], model.weights[0])
