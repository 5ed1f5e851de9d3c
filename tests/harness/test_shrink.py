"""A failing case is made smaller: layers, channels, rows, values; every step legal, the result failing still."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from priot_hil.harness.capsule import Expected
from priot_hil.harness.capsule_kernel import KernelCapsule, check_kernel_capsule
from priot_hil.harness.cases import read_case, size_of
from priot_hil.harness.replay import replay
from priot_hil.harness.replay_command import CORPUS
from priot_hil.harness.shrink import smaller
from priot_hil.harness.strategies import kernel_cases
from priot_hil.reference import passes
from priot_hil.reference.arithmetic import clip
from priot_hil.reference.network import Conv2d, Relu

from .test_origin import Mistaken


@settings(max_examples=10)
@given(case=kernel_cases())
def test_nothing_that_a_case_needs_is_taken_away(case):
    """What fails with any number of one kind keeps one of them and nothing else; a case that cannot fail stays."""
    if not case.image.any():
        return
    found = smaller(KernelCapsule(case), lambda each: check_kernel_capsule(each) is None and each.case.image.any(), 20)
    assert (np.abs(found.case.image).sum(), found.case.weights.size) == (1, 1)
    assert not found.case.error.any()
    assert not found.case.weights.any()
    assert found.case.behind == ()
    original = KernelCapsule(case)
    assert smaller(original, lambda _: False) is original


@settings(max_examples=10)
@given(case=kernel_cases())
def test_a_real_mistake_needs_little(case):
    """Rounding down where half goes up: one weight, one input, one error, and few numbers."""
    engine = Mistaken((passes, "requantize", lambda a, s: clip(a >> s)))

    def fails(each):
        return replay(each, engine) is not None

    if fails(KernelCapsule(case)):
        found = smaller(KernelCapsule(case), fails, 60)
        assert fails(found)
        size = size_of(found)
        assert size.weights <= 9
        assert size.nonzero <= 6


def test_what_belongs_to_a_channel_goes_with_it():
    """A failure of the second output channel keeps its weights and its error, behind a flatten too."""
    stage = read_case(CORPUS / "fixed" / "relu_behind_flattened_pool.npz").case
    weights = stage.weights[1]
    error = stage.error.reshape(2, 2, 2)[1].ravel()
    assert not np.array_equal(error, stage.error[:4])

    def fails(each):
        if each.case.behind != stage.behind:
            return False
        channels = zip(each.case.weights, each.case.error.reshape(len(each.case.weights), -1), strict=True)
        return any(np.array_equal(w, weights) and np.array_equal(e, error) for w, e in channels)

    found = smaller(KernelCapsule(stage), fails).case
    assert np.array_equal(found.weights, weights[None])
    assert np.array_equal(found.error, error)


def test_runs_lose_steps_and_numbers():
    """The labels go with their images; scores and weights count as numbers."""
    golden = replace(read_case(CORPUS / "golden" / "006_priot.npz"), expected=Expected())
    label = int(golden.labels[-1])

    def fails(each):
        return label in each.labels.tolist()

    found = smaller(golden, fails, 30)
    assert found.labels.tolist() == [label]
    assert size_of(found).nonzero == 0


@pytest.mark.parametrize("seconds", [0, 5])
def test_time_is_kept(seconds):
    """Without time nothing is tried."""
    stage = read_case(CORPUS / "fixed" / "second_pool.npz")
    assert (smaller(stage, lambda _: True, seconds) is stage) == (seconds == 0)


def test_each_layer_may_go():
    """A relu alone is what this failure needs."""
    stage = read_case(CORPUS / "fixed" / "relu_behind_flattened_pool.npz")
    found = smaller(stage, lambda each: Relu() in each.case.behind)
    assert (found.case.layer, found.case.behind, found.case.input_shape) == (Conv2d(1, 1, 1), (Relu(),), (1, 1, 1))
