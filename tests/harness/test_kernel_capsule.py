"""Capsules of single stages, observations and epochs: as written, refused where illegal, replayed on any engine."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from priot_hil.harness.capsule import Capsule, Expected, Mode, read_capsule, write_capsule
from priot_hil.harness.capsule_archive import CapsuleError
from priot_hil.harness.capsule_kernel import ExpectedKernel, KernelCapsule
from priot_hil.harness.cases import case_id, read_case, size_of, write_case
from priot_hil.harness.manifest import contents_of, vouched
from priot_hil.harness.replay import replay
from priot_hil.harness.strategies import kernel_cases
from priot_hil.reference.engine import KernelCase
from priot_hil.reference.kernel import run_kernel
from priot_hil.reference.kinds import MethodKind
from priot_hil.reference.network import Conv2d, MaxPool2d, Relu
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reference.run import Shifts

GOLDEN = Path(__file__).parent.parent / "capsules" / "golden"
RESULTS = ("output", "input_error", "gradient", "updated", "shifts")


def stage() -> KernelCase:
    """A convolution with relu and a pool behind it, PRIOT-S with static shifts."""
    draw = np.random.default_rng(3)

    def drawn(*shape: int) -> np.ndarray:
        return draw.integers(-127, 128, shape, dtype=np.int8)

    return KernelCase(
        layer=Conv2d(1, 2, 2),
        behind=(Relu(), MaxPool2d(2)),
        input_shape=(1, 5, 5),
        kind=MethodKind.PRIOT_S,
        theta=-3,
        weights=drawn(2, 1, 2, 2),
        scores=drawn(2, 1, 2, 2),
        scored=draw.integers(0, 2, (2, 1, 2, 2)).astype(bool),
        image=drawn(1, 5, 5),
        error=drawn(2, 2, 2),
        shifts=Shifts(8, 7, 12),
        mu=5,
    )


def expected_of(case: KernelCase) -> ExpectedKernel:
    """What the reference computes, as a capsule's expectation."""
    result = run_kernel(case)
    return ExpectedKernel(result.output, result.input_error, result.gradient, result.updated, result.shifts)


class Spoilt(ReferenceEngine):
    """The reference, but for one result of every stage."""

    name = "spoilt"

    def __init__(self, part: str) -> None:
        super().__init__()
        self.part = part

    def run_kernel(self, case):
        """The stage with its last element, or its gradient shift, wrong."""
        result = super().run_kernel(case)
        value = getattr(result, self.part)
        if self.part == "shifts":
            return replace(result, shifts=value._replace(gradient=31))
        value = value.copy()
        value.flat[-1] ^= 1
        return replace(result, **{self.part: value})


@settings(max_examples=25)
@given(case=kernel_cases())
def test_a_stage_is_read_as_it_was_written(case, tmp_path_factory):
    """Every part of any stage, with the results or without; the same case gives the same bytes and the same name."""
    path = tmp_path_factory.mktemp("capsule") / "case.npz"
    for expected in (ExpectedKernel(), expected_of(case)):
        written = KernelCapsule(case, expected)
        write_case(path, written)
        before = path.read_bytes()
        capsule = read_case(path)
        assert isinstance(capsule, KernelCapsule)
        for part in vars(case):
            assert np.array_equal(getattr(capsule.case, part), getattr(case, part)), part
            assert type(getattr(capsule.case, part)) is type(getattr(case, part)), part
        for part in RESULTS:
            assert np.array_equal(getattr(capsule.expected, part), getattr(expected, part)), part
        assert case_id(capsule) == case_id(written)
        write_case(path, capsule)
        assert path.read_bytes() == before
        assert replay(capsule, ReferenceEngine()) is None


@pytest.mark.parametrize("part", RESULTS)
def test_a_wrong_result_is_found(part):
    """Each alone, whether it is the reference's result that is believed or the stored one."""
    case = stage()
    names = {"input_error": "input error", "updated": "scores", "shifts": "gradient shift"}
    found = replay(KernelCapsule(case), Spoilt(part))
    stored = replay(KernelCapsule(case, expected_of(case)), Spoilt(part))
    wrong = ExpectedKernel(**{part: getattr(Spoilt(part).run_kernel(case), part)})
    for divergence in (found, stored, replay(KernelCapsule(case, wrong), ReferenceEngine())):
        assert (divergence.step, divergence.tensor) == (None, names.get(part, part))
        assert divergence.where == "conv2d 1->2 k2, relu, maxpool2d 2 (priot_s, theta -3)"
    assert str(found).startswith("first divergence in a single stage, conv2d 1->2 k2, relu, maxpool2d 2 (priot_s")


def test_parts_of_the_results_are_enough():
    """What is not stored is not compared."""
    case = stage()
    assert replay(KernelCapsule(case, ExpectedKernel(output=run_kernel(case).output)), Spoilt("updated")) is None


def changed(arrays, name, value):
    """The arrays of a file with another one, vouched for; a meta given as changes of its JSON."""
    contents = contents_of(arrays)
    meta, others = (value, {}) if name == "meta" else ({}, {name: value})
    return vouched(contents.meta | meta, contents.arrays | others)


ILLEGAL = {
    "format 1": ("meta", {"format": "priot-capsule/1"}, "manifest of priot-capsule/1: expected none, got one"),
    "format 2": ("meta", {"format": "priot-capsule/2"}, "manifest of priot-capsule/2: expected none, got one"),
    "format 4": ("meta", {"format": "priot-capsule/4"}, "format: expected 'priot-capsule/1' or 'priot-capsule/2' or"),
    "mode": ("meta", {"mode": "train"}, "meta: expected keys"),
    "mode of none": ("meta", {"mode": "guess"}, "mode of priot-capsule/3: expected one of train, predict, observe"),
    "key": ("meta", {"rng": 1}, "meta: expected keys"),
    "no layers": ("meta", {"layers": []}, "first layer: expected one with weights, got none"),
    "no weights": ("meta", {"layers": [{"type": "relu"}]}, "first layer: expected one with weights, got relu"),
    "geometry": ("meta", {"layers": [{"type": "linear", "in": 2, "out": 2}]}, "linear 2->2"),
    "method": ("meta", {"method": {"name": "priot_s", "mu": 5}}, "method: expected keys"),
    "mu": ("meta", {"method": {"name": "priot_s", "mu": 8, "theta": 0}}, "mu"),
    "theta": ("meta", {"method": {"name": "priot_s", "mu": 5, "theta": None}}, "theta"),
    "another method": ("meta", {"method": {"name": "priot", "mu": 5, "theta": 0}}, "arrays: expected keys"),
    "two shifts": ("meta", {"shifts": [1, 2]}, "shifts: expected three shifts"),
    "shift": ("meta", {"shifts": [1, 2, 32]}, "shift"),
    "expected shift": ("meta", {"expected_shifts": [1, 2, 32]}, "expected shift"),
    "array": ("logits", np.zeros(2, np.int8), "arrays: expected keys"),
    "weights": ("w0", np.full((2, 1, 2, 2), -128, np.int8), "-128"),
    "image": ("image", np.zeros((1, 5, 5), np.int16), "image"),
    "error": ("error", np.zeros((2, 2, 3), np.int8), "error: expected shape"),
    "mask": ("m0", np.full((2, 1, 2, 2), 2, np.uint8), "m0: expected uint8 zeros and ones"),
    "output": ("output", np.zeros((2, 2), np.int8), "expected output: expected shape"),
    "gradient": ("gradient", np.zeros((2, 1, 2, 2), np.int64), "expected gradient: expected int32"),
}


@pytest.mark.parametrize("name", ILLEGAL)
def test_illegal_content_is_refused(tmp_path, name):
    """Each single fault, with the path and one sentence."""
    part, value, match = ILLEGAL[name]
    path = tmp_path / "case.npz"
    write_case(path, KernelCapsule(stage(), expected_of(stage())))
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **changed(arrays, part, value))
    with pytest.raises(CapsuleError, match=match) as refusal:
        read_case(path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert "\n" not in str(refusal.value)


def test_a_stage_is_no_run(tmp_path):
    """Who wants a run is told that this is none; `read_case` reads both."""
    path = tmp_path / "case.npz"
    write_case(path, KernelCapsule(stage()))
    with pytest.raises(CapsuleError, match=r"mode of a run: .*, got 'kernel'"):
        read_capsule(path)
    golden = next(iter(sorted(GOLDEN.glob("*.npz"))))
    assert isinstance(read_case(golden), Capsule)
    assert case_id(read_case(golden)) == case_id(read_capsule(golden))


@pytest.fixture
def run():
    """Steps with dynamic shifts, without results."""
    capsule = read_capsule(GOLDEN / "041_niti_dynamic.npz")
    return replace(capsule, mode=Mode.TRAIN, expected=Expected())


def in_mode(capsule, mode):
    """The same samples, otherwise used."""
    order = np.arange(len(capsule.images))[::-1].copy() if mode is Mode.EPOCH else None
    return replace(capsule, mode=mode, order=order)


@pytest.mark.parametrize("mode", Mode)
def test_every_mode_is_read_as_it_was_written(run, tmp_path, mode):
    """All under one number, which has a manifest."""
    path = tmp_path / "case.npz"
    write_capsule(path, in_mode(run, mode))
    capsule = read_case(path)
    assert capsule.mode is mode
    assert (capsule.order is not None) == (mode is Mode.EPOCH)
    with np.load(path) as file:
        meta = json.loads(str(file["meta"]))
    assert (meta["format"], len(meta["sha256"])) == ("priot-capsule/3", 64)
    assert replay(capsule, ReferenceEngine()) is None


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"mode": Mode.EPOCH, "order": None}, "order of mode epoch: expected one, got none"),
        ({"mode": Mode.OBSERVE, "order": np.arange(1)}, "order of mode observe: expected none, got one"),
        ({"mode": Mode.EPOCH, "order": np.array([], np.int64)}, "order: expected int64 of shape"),
        ({"mode": Mode.EPOCH, "order": np.array([77])}, "order: expected a whole number in 0"),
        ({"mode": Mode.OBSERVE, "scales": True}, "scales of mode observe"),
        ({"mode": Mode.OBSERVE, "expected": Expected(predictions=np.array([0]))}, "predictions of mode observe"),
    ],
)
def test_what_a_mode_rules_out_is_not_written(run, tmp_path, changes, match):
    """An order belongs to an epoch, dynamic shifts to an observation; neither gives predictions."""
    if changes.pop("scales", False):
        static = read_capsule(GOLDEN / "036_niti_static.npz")
        run = replace(run, model=static.model, method=static.method, state=static.state)
        run = replace(run, images=static.images, labels=static.labels)
    with pytest.raises(CapsuleError, match=match):
        write_capsule(tmp_path / "case.npz", replace(run, **changes))


def test_an_epoch_goes_wrong_on_its_own(run):
    """Right steps, a wrong count: only the epoch shows it. A wrong step in it is found as a step."""

    class Miscounting(ReferenceEngine):
        def train_epoch(self, order):
            passed = super().train_epoch(order)
            return replace(passed, correct=passed.correct + 1)

    class Mistesting(ReferenceEngine):
        def evaluate(self):
            return super().evaluate() + 1

    class Missumming(ReferenceEngine):
        def state_crc(self):
            return super().state_crc() ^ 1

    class Misstepping(ReferenceEngine):
        def _learn(self, image, label):
            prediction, shifts = super()._learn(image, label)
            self._run[2].values[0].flat[-1] ^= 1
            return prediction, shifts

    epoch = in_mode(run, Mode.EPOCH)
    found = replay(epoch, Miscounting())
    assert (found.step, found.tensor) == (None, "right predictions in training")
    assert str(found).startswith("first divergence after the epoch, right predictions in training\n")
    assert replay(epoch, Mistesting()).tensor == "right predictions in the test"
    assert replay(epoch, Missumming()).tensor == "checksum of the state"
    found = replay(epoch, Misstepping())
    assert (found.step, found.tensor) == (0, "weights")


def test_an_observation_is_compared(run):
    """A shift that is reported wrong, and a state that does not stay."""

    class Misreporting(ReferenceEngine):
        def observe(self, image, label):
            observed = super().observe(image, label)
            return observed | {0: replace(observed[0], forward=None)}

    class Learning(ReferenceEngine):
        def observe(self, image, label):
            observed = super().observe(image, label)
            self._run[2].values[0].flat[-1] ^= 1
            return observed

    observation = in_mode(run, Mode.OBSERVE)
    found = replay(observation, Misreporting())
    assert (found.step, found.tensor, found.difference.got) == (0, "observed forward shift", "none (all zero)")
    assert replay(observation, Learning()).tensor == "weights"


def test_the_size_is_said():
    """Shape, weights, steps, and what is not 0."""
    case = replace(stage(), image=np.eye(5, dtype=np.int8)[None], error=np.zeros((2, 2, 2), np.int8))
    case = replace(case, weights=np.ones((2, 1, 2, 2), np.int8), scores=np.zeros((2, 1, 2, 2), np.int8))
    size = size_of(KernelCapsule(case))
    assert (size.input_shape, size.weights, size.steps, size.nonzero) == ((1, 5, 5), 8, None, 13)
    assert str(size) == "1x5x5 input, 8 weights, 13 numbers not 0"
    capsule = read_capsule(GOLDEN / "041_niti_dynamic.npz")
    assert str(size_of(capsule)).startswith(f"905 input, 1,810 weights, {len(capsule.images)} step")
