"""The first divergence: planted faults are found at their step, layer, tensor and element, and nothing else is."""

import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from priot_hil.harness.capsule import Capsule, Expected, Mode, read_capsule
from priot_hil.harness.compare import compare_step
from priot_hil.harness.divergence import Difference, Divergence, Mismatch, first_difference
from priot_hil.harness.replay import replay
from priot_hil.reference.network import Conv2d, Flatten, Linear, MaxPool2d, Network, Relu
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reference.run import Method, MethodKind, Model, Shifts, initial_state

GOLDEN = sorted((Path(__file__).parent.parent / "capsules" / "golden").glob("*.npz"))


class Faulty(ReferenceEngine):
    """The reference with one planted fault: at a step, `fault(engine, report)` may change its tensors or its report."""

    name = "faulty"

    def __init__(self, step, fault):
        super().__init__()
        self.step, self.at, self.fault = -1, step, fault

    def train_step(self, image, label):
        """The reference's step, then the fault."""
        self.step += 1
        report = super().train_step(image, label)
        return self.fault(self, report) if self.step == self.at else report

    def predict(self, image):
        """The reference's prediction, then the fault."""
        self.step += 1
        prediction = super().predict(image)
        return self.fault(self, prediction) if self.step == self.at else prediction

    def change(self, report, name, index):
        """Add 1 to an element of a tensor of the trace, and to its CRC's input."""
        self._trace[name] = self._trace[name].copy()
        self._trace[name][index] += 1
        return replace(report, crcs=report.crcs | {name: zlib.crc32(self._trace[name].tobytes())})

    def change_state(self, layer=None):
        """Change one value, or the generator."""
        model, method, state = self._run
        if layer is None:
            self._run = model, method, replace(state, rng=state.rng ^ 1)
        else:
            state.values[layer].flat[-1] ^= 1


@pytest.fixture(params=["niti_dynamic", "priot_s"])
def capsule(request):
    """Four steps of a small network with weights in layers 0, 3 and 5."""
    layers = (Conv2d(1, 3, 3), Relu(), MaxPool2d(2), Conv2d(3, 4, 2), Flatten(), Linear(4, 3))
    network = Network((1, 6, 6), layers)
    draw = np.random.default_rng(5)
    weights = {i: draw.integers(-90, 90, network.weight_shape(i), dtype=np.int8) for i in network.weighted}
    model = Model(network, weights, {0: -7, 3: -7, 5: -7})
    kind = MethodKind(request.param)
    method = Method(kind, theta=kind.default_theta)
    state = initial_state(model, method, 1, percent=60)
    images = draw.integers(-127, 128, (4, 1, 6, 6), dtype=np.int8)
    return Capsule(model, method, state, images, np.array([0, 1, 2, 0]))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden_capsules_replay_equal(path):
    """Against their stored results, and against the reference where those are left out."""
    capsule = read_capsule(path)
    assert capsule.expected.has_results
    assert replay(capsule, ReferenceEngine()) is None
    assert replay(replace(capsule, expected=Expected()), ReferenceEngine()) is None


def with_shift(report, layer, **changes):
    """The report with another shift."""
    return replace(report, shifts=report.shifts | {layer: report.shifts[layer]._replace(**changes)})


FAULTS = {
    "output": (lambda e, r: e.change(r, "0.output", (2, 0, 1)), "layer 0 conv2d 1->3 k3", "output", (2, 0, 1)),
    "flat output": (lambda e, r: e.change(r, "3.output", 3), "layer 3 conv2d 3->4 k2", "output", (3,)),
    "logits": (lambda e, r: e.change(r, "5.output", 1), "layer 5 linear 4->3", "output", (1,)),
    "error": (lambda e, r: e.change(r, "0.error", (1, 1, 0)), "layer 0 conv2d 1->3 k3", "error", (1, 1, 0)),
    "loss error": (lambda e, r: e.change(r, "5.error", 0), "layer 5 linear 4->3", "error", (0,)),
    "first of two": (
        lambda e, r: e.change(e.change(r, "0.error", (0, 0, 0)), "3.error", 2), "layer 3 conv2d 3->4 k2", "error", (2,)
    ),
    "forward shift": (lambda e, r: with_shift(r, 3, forward=30), "layer 3 conv2d 3->4 k2", "forward shift", ()),
    "backward shift": (lambda e, r: with_shift(r, 3, backward=30), "layer 3 conv2d 3->4 k2", "backward shift", ()),
    "gradient shift": (lambda e, r: with_shift(r, 0, gradient=30), "layer 0 conv2d 1->3 k3", "gradient shift", ()),
    "prediction": (lambda e, r: replace(r, prediction=(r.prediction + 1) % 3), "", "prediction", ()),
    "checksum": (
        lambda e, r: replace(r, crcs=r.crcs | {"3.output": 1}), "layer 3 conv2d 3->4 k2", "output", ()
    ),
    "no checksum": (lambda e, r: replace(r, crcs={}), "layer 0 conv2d 1->3 k3", "output", ()),
    "no shifts": (lambda e, r: replace(r, shifts={}), "layer 0 conv2d 1->3 k3", "forward shift", ()),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_a_step_is_found_where_it_is(capsule, name):
    """At its step, in the order of computation, though all else is equal."""
    fault, where, tensor, index = FAULTS[name]
    found = replay(capsule, Faulty(2, fault))
    assert (found.engine, found.step, found.where, found.tensor) == ("faulty", 2, where, tensor)
    assert found.difference.index == index
    assert found.difference.expected != found.difference.got


def test_an_element_comes_with_its_sum(capsule):
    """Where an element has one sum behind it, the divergence says which and how it was shifted."""
    reference = ReferenceEngine()
    reference.load(capsule.model, capsule.method, capsule.state)
    step = reference.train_step(capsule.images[0], 0)
    found = replay(capsule, Faulty(0, FAULTS["error"][0]))
    accumulator = reference.tensor("3.error_accumulator")[1, 1, 0]
    assert found.origin == f"accumulator {accumulator}, shift {step.shifts[3].backward}"
    assert found.difference.got == found.difference.expected + 1
    found = replay(capsule, Faulty(0, FAULTS["flat output"][0]))
    accumulator = reference.tensor("3.accumulator").ravel()[3]
    assert found.origin == f"accumulator {accumulator}, shift {step.shifts[3].forward}"
    found = replay(capsule, Faulty(0, FAULTS["output"][0]))
    assert found.origin.endswith(f"the largest of 4, shift {step.shifts[0].forward}")


@pytest.mark.parametrize(("layer", "tensor"), [(3, None), (None, "random generator")])
def test_a_fault_in_the_last_state_is_found(capsule, layer, tensor):
    """Changed after the last step, it can be seen nowhere else."""

    def fault(engine, report):
        engine.change_state(layer)
        return report

    if capsule.state.scored is not None:
        capsule.state.scored[3].flat[-1] = True
    found = replay(capsule, Faulty(3, fault))
    what = "weights" if capsule.state.scored is None else "scores"
    assert (found.step, found.tensor) == (3, tensor or what)
    assert found.where == ("" if layer is None else "layer 3 conv2d 3->4 k2")


@pytest.mark.parametrize("capsule", ["priot_s"], indirect=True)
def test_unscored_edges_are_not_compared(capsule):
    """A device need not store their scores."""
    capsule.state.scored[3].flat[-1] = False

    def fault(engine, report):
        engine.change_state(3)
        return report

    assert replay(capsule, Faulty(3, fault)) is None


def test_predictions_are_bisected(capsule):
    """Unlike logits lead to the first stage that differs."""
    predicting = replace(capsule, mode=Mode.PREDICT)

    def fault(engine, prediction):
        for name, index in (("3.output", 1), ("logits", 2), ("5.output", 2)):
            engine._trace[name] = engine._trace[name].copy()
            engine._trace[name][index] ^= 1
        return prediction

    assert replay(predicting, ReferenceEngine()) is None
    found = replay(predicting, Faulty(1, fault))
    assert (found.step, found.where, found.tensor) == (1, "layer 3 conv2d 3->4 k2", "output")
    found = replay(predicting, Faulty(3, lambda engine, prediction: (prediction + 1) % 3))
    assert (found.step, found.tensor) == (3, "prediction")


@pytest.mark.parametrize("part", ["logits", "predictions", "values", "rng"])
def test_stored_results_are_believed(capsule, part):
    """Each one alone, spoilt in its last element, is found; the reference itself diverges from it."""
    engine = ReferenceEngine()
    engine.load(capsule.model, capsule.method, capsule.state)
    logits, predictions = [], []
    for image, label in zip(capsule.images, capsule.labels, strict=True):
        predictions.append(engine.train_step(image, int(label)).prediction)
        logits.append(engine.tensor("logits"))
    state = engine.state()
    if state.scored is not None:
        state.scored[5][-1, -1] = capsule.state.scored[5][-1, -1] = True
    true = {"logits": np.array(logits), "predictions": np.array(predictions), "values": state.values, "rng": state.rng}
    assert replay(replace(capsule, expected=Expected(**true)), ReferenceEngine()) is None
    assert replay(replace(capsule, expected=Expected(**{part: true[part]})), ReferenceEngine()) is None
    wrong = true[part]
    if part == "values":
        wrong[5][-1, -1] ^= 1
    elif part == "rng":
        wrong ^= 1
    else:
        wrong.flat[-1] ^= 1
    found = replay(replace(capsule, expected=Expected(**{part: wrong})), ReferenceEngine())
    learned = "weights" if state.scored is None else "scores"
    names = {"logits": "logits", "predictions": "prediction", "values": learned, "rng": "random generator"}
    assert found.tensor == names[part]
    assert found.step == (3 if part in ("logits", "predictions") else None)


def test_first_difference_is_the_first_in_row_major_order():
    """With the number of equal elements before it and of all that differ."""
    expected = np.arange(12, dtype=np.int8).reshape(2, 3, 2)
    got = expected.copy()
    assert first_difference(expected, got) is None
    got[1, 0, 1] = 99
    got[1, 2, 1] = 98
    assert first_difference(expected, got) == Difference((1, 0, 1), 7, 99, equal_before=7, differing=2, total=12)


@pytest.mark.parametrize(("at", "start"), [(0, 0), (2, 0), (3, 0), (4, 1), (10, 7), (17, 13), (19, 13)])
def test_the_row_around_an_element_is_shown(at, start):
    """Three on either side, or as many on the other where the row ends; the element in brackets in both."""
    expected = np.arange(40, dtype=np.int32).reshape(2, 20) - 25
    got = expected.copy()
    got[1, at] = 100
    beside = first_difference(expected, got).beside
    assert (beside.start, beside.at) == (start, at - start)
    assert beside.expected == tuple(expected[1, start : start + 7])
    assert beside.got == tuple(got[1, start : start + 7])
    first, second = beside.lines("i", "emulator")
    assert first.startswith(f"    i={start}..{start + 6}  expected ")
    assert first.index("[") == second.index("[")
    assert f"[{expected[1, at]:>3}]" in first
    assert "[100]" in second
    assert first_difference(expected[:, :1], got[:, :1] + 1).beside is None


def test_tensors_of_another_form_differ():
    """Nothing is broadcast or cast, and empty tensors of unlike shape are not equal."""
    zeros = np.zeros((2, 3), np.int8)
    for other in (zeros.T, zeros[0], zeros.astype(np.int32), zeros[:0]):
        assert first_difference(zeros, other).got == f"{other.dtype} of shape {other.shape}"


def test_a_divergence_reads_as_a_sentence_and_two_lines():
    """Step, layer, tensor, element; expected with its origin and got; how much was equal."""
    difference = Difference((1, 0, 13), -4, -5, equal_before=512, differing=1, total=1568)
    divergence = Divergence("emulator", 3, "layer 2 conv2d 8->16 k3", "error", difference, "accumulator -1030, shift 8")
    assert str(divergence) == (
        "first divergence at step 3, layer 2 conv2d 8->16 k3, tensor error, [c=1 y=0 x=13]\n"
        "    expected -4 (accumulator -1030, shift 8)   emulator -5\n"
        "    512 of 1,568 elements equal before it; 1 differs"
    )
    state = Divergence("host", None, "", "random generator", Difference((), 7, 8))
    assert str(state) == "first divergence after the last step, random generator\n    expected 7   host 8"
    mismatch = Mismatch(divergence)
    assert isinstance(mismatch, AssertionError)
    assert (str(mismatch), mismatch.divergence) == (str(divergence), divergence)


def test_compare_step_lets_both_learn(capsule):
    """After an equal step both engines stand at the same state."""
    engines = ReferenceEngine(), ReferenceEngine()
    for engine in engines:
        engine.load(capsule.model, capsule.method, capsule.state)
    before = engines[0].state_crc()
    assert compare_step(*engines, capsule.model.network, capsule.images[0], 0, 0) is None
    assert engines[0].state_crc() == engines[1].state_crc() != before


def test_a_wrong_static_scale_is_found(capsule):
    """An engine that was given other scales diverges at its first shift."""
    scales = {i: Shifts(4, 0 if i == 0 else 4, 9) for i in (0, 3, 5)}
    if capsule.method.kind is MethodKind.NITI_DYNAMIC:
        capsule = replace(capsule, method=replace(capsule.method, kind=MethodKind.NITI_STATIC))
    static = replace(capsule, state=replace(capsule.state, scales=scales))

    class Elsewhere(ReferenceEngine):
        def load(self, model, method, state):
            super().load(model, method, replace(state, scales={**scales, 3: Shifts(5, 4, 9)}))

    assert replay(static, ReferenceEngine()) is None
    found = replay(static, Elsewhere())
    assert (found.step, found.where, found.tensor) == (0, "layer 3 conv2d 3->4 k2", "forward shift")
    assert (found.difference.expected, found.difference.got) == (4, 5)
