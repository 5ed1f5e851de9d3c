"""Calibration: what counts, which shift wins, and that nothing is learned."""

import numpy as np
import pytest

from priot_hil.reference.engine import Observation
from priot_hil.reference.errors import InputError
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reference.run import MethodKind, Shifts, State, run_rng
from priot_hil.reference.scales import calibrate, calibration_run, logit_exponent


class Scripted:
    """An engine that observes what it is told."""

    def __init__(self, observations):
        self.observations = iter(observations)

    def observe(self, image, label):
        """Give the next observation, whatever the sample."""
        return {0: Observation(*next(self.observations))}


def scripted(*observations):
    """The scales of one layer from the given observations."""
    return calibrate(Scripted(observations), np.zeros((len(observations), 1), np.int8), [0] * len(observations))


def test_the_most_frequent_shift_wins_and_of_equals_the_larger():
    """Forward: 3 twice; backward: 2 and 6 tie; gradient: 1 and 9 tie twice each."""
    assert scripted((3, 6, 9), (3, 2, 1), (8, 2, 9), (7, 6, 1)) == {0: Shifts(3, 6, 9)}


def test_zero_tensors_do_not_count():
    """One counted shift outweighs any number of zero tensors; nothing counted means no update."""
    assert scripted((4, None, 0), (None, None, None), (None, None, None)) == {0: Shifts(4, 0, 0)}
    assert scripted((None, None, None)) == {0: Shifts(0, 0, 31)}


def test_zero_tensors_count_where_that_is_asked_for():
    """With the shift 0 that the dynamic step has for them; so two of three win."""
    seen = (4, None, 9), (None, None, None), (None, 5, None)
    images = np.zeros((3, 1), np.int8)
    assert calibrate(Scripted(seen), images, [0] * 3, zeros_count=True) == {0: Shifts(0, 0, 0)}
    assert calibrate(Scripted(seen), images, [0] * 3) == {0: Shifts(4, 5, 9)}


def test_calibration_needs_samples():
    """None at all, or fewer labels than images."""
    for images, labels in (([], []), ([np.zeros(1, np.int8)], [])):
        with pytest.raises(InputError, match="as many labels as images"):
            calibrate(Scripted([]), images, labels)


@pytest.mark.parametrize("kind", MethodKind)
def test_calibration_reads_the_shifts_of_the_dynamic_step(make_case, kind):
    """On one sample the scales are the shifts of its dynamic step; the state stays, the generator moves on."""
    case = make_case(kind)
    engine, trained = ReferenceEngine(), ReferenceEngine()
    run = case.model, *calibration_run(case.method, case.state)
    engine.load(*run)
    trained.load(*run)
    scales = calibrate(engine, case.images[:1], case.labels[:1])
    assert scales == trained.train_step(case.images[0], int(case.labels[0])).shifts
    assert all((engine.state().values[i] == case.state.values[i]).all() for i in case.model.network.weighted)
    assert run_rng(0) != engine.state().rng == trained.state().rng


def test_calibration_run_is_dynamic_and_draws_from_seed_0(make_case):
    """Static NITI calibrates as dynamic NITI; the scales of the state are left out."""
    case = make_case(MethodKind.NITI_STATIC)
    scales = {i: Shifts(0, 0, 0) for i in case.model.network.weighted}
    method, state = calibration_run(case.method, State(case.state.values, 9, scales))
    assert (method.kind, method.mu, state.scales, state.rng) == (MethodKind.NITI_DYNAMIC, 5, None, 2654435761)


def test_observe_does_not_count_zero_tensors(make_case):
    """A black image gives no accumulator and no gradient; the first layer has no backward shift at all."""
    case = make_case(MethodKind.NITI_DYNAMIC)
    engine = ReferenceEngine()
    engine.load(case.model, case.method, case.state)
    black = engine.observe(np.zeros_like(case.images[0]), 0)
    assert black[1] == Observation(None, None, None)
    assert black[6].forward is black[6].gradient is None
    assert black[6].backward is not None  # the error of equal logits reaches the last layer's weights all the same
    assert engine.observe(case.images[0], 0)[1].backward is None


def test_observe_refuses_static_scales(make_case):
    """Calibrating a calibrated run would read back its own constants."""
    case = make_case(MethodKind.PRIOT)
    engine = ReferenceEngine()
    scales = {i: Shifts(0, 0, 0) for i in case.model.network.weighted}
    engine.load(case.model, case.method, State(case.state.values, 1, scales))
    with pytest.raises(InputError, match="observe: expected dynamic shifts, got static scales"):
        engine.observe(case.images[0], 0)


def test_logit_exponent(make_case):
    """-7 for the input, -7 - 8 - 9 for the weights, and the forward shifts."""
    assert logit_exponent(make_case(MethodKind.PRIOT).model, {1: 10, 4: 5, 6: 0}) == -7 - 24 + 15
