"""Bisection: from a run that ends differently to the step, the element, and a capsule of that step."""

import time
from dataclasses import replace

import numpy as np
import pytest

from priot_hil.harness.bisection import Bisection, LongRun
from priot_hil.harness.capsule import Mode
from priot_hil.harness.devices import open_engine
from priot_hil.harness.replay import replay
from priot_hil.reference.loss import next_random
from priot_hil.reference.network import Linear, Network, Relu
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reference.run import Method, MethodKind, Model, initial_state
from priot_hil.reference.streams import order
from priot_hil.reproductions.bisect import long_run_of
from priot_hil.reproductions.experiment import read_experiment
from priot_hil.reproductions.kills import drawn_material
from priot_hil.reproductions.plan import plan
from priot_hil.reproductions.run_epochs import chosen

EPOCHS, SAMPLES = 4, 8


@pytest.fixture
def run():
    """Four epochs of eight samples on a small network."""
    network = Network((4,), (Linear(4, 3), Relu(), Linear(3, 3)))
    draw = np.random.default_rng(2)
    weights = {i: draw.integers(-90, 90, network.weight_shape(i), dtype=np.int8) for i in network.weighted}
    model, method = Model(network, weights, {0: -7, 2: -7}), Method(MethodKind.NITI_DYNAMIC)
    images = draw.integers(-127, 128, (SAMPLES + 3, 4), dtype=np.int8)
    labels = draw.integers(0, 3, SAMPLES + 3)
    orders = [order(1, epoch, SAMPLES) for epoch in range(EPOCHS)]
    state = initial_state(model, method, 1)
    return LongRun(model, method, state, images[:SAMPLES], labels[:SAMPLES], orders, images[SAMPLES:], labels[SAMPLES:])


class Double(ReferenceEngine):
    """The reference, which notes its work, and whose state goes wrong after the steps that `is_wrong` picks."""

    name = "double"

    def __init__(self, is_wrong=lambda engine: False):
        super().__init__()
        self.is_wrong = is_wrong
        self.steps = self.steps_since_load = 0
        self.in_epoch = False

    def load(self, model, method, state):
        """Load, and count anew."""
        super().load(model, method, state)
        self.steps_since_load = 0

    def train_epoch(self, visits):
        """Train, and know that it is an epoch."""
        self.in_epoch = True
        try:
            return super().train_epoch(visits)
        finally:
            self.in_epoch = False

    def _learn(self, image, label):
        before = self._run[2].rng
        result = super()._learn(image, label)
        self.steps, self.steps_since_load, self.before = self.steps + 1, self.steps_since_load + 1, before
        if self.is_wrong(self):
            self._run[2].values[2].flat[-1] ^= 1
        return result


def generator_before(run, step):
    """The generator's state before a step: three draws each."""
    rng = run.state.rng
    for _ in range(3 * step):
        rng = next_random(rng)
    return rng


def bisect(run, engine, epoch=None):
    """Search with the reference as the engine to believe; what was found and told."""
    told = []
    return Bisection(engine, ReferenceEngine(), run, told.append).find(epoch), told


@pytest.mark.parametrize("step", [0, 7, 8, 21, 31])
def test_a_step_is_found(run, step):
    """The first and the last of an epoch and of the run; the capsule of one step shows it, and only on that engine."""
    rng = generator_before(run, step)
    found, told = bisect(run, Double(lambda engine: engine.before == rng))
    assert (found.epoch, found.step, found.run_step) == (step // SAMPLES + 1, step % SAMPLES, step)
    assert (found.case.mode, len(found.case.images)) == (Mode.TRAIN, 1)
    assert found.case.state.rng == rng
    sample = run.orders[step // SAMPLES][step % SAMPLES]
    assert np.array_equal(found.case.images[0], run.images[sample])
    assert found.case.labels[0] == run.labels[sample]
    assert (found.divergence.tensor, found.divergence.where) == ("weights", "layer 2 linear 3->3")
    assert found.divergence.difference.index == (2, 2)
    assert replay(found.case, ReferenceEngine()) is None
    assert replay(found.case, Double(lambda engine: engine.before == rng)) is not None
    assert f"first different step: {step} of the run, {step % SAMPLES} of epoch {step // SAMPLES + 1}" in str(found)
    assert sum(line.endswith(": equal") for line in told) == step // SAMPLES


def test_a_known_epoch_is_the_only_one_run_again(run):
    """What the failing run has kept saves the slow engine all epochs before."""
    rng = generator_before(run, 21)
    engine = Double(lambda engine: engine.before == rng)
    found, _ = bisect(run, engine, epoch=3)
    assert (found.epoch, found.step) == (3, 5)
    assert engine.steps <= SAMPLES + 2


def test_equal_runs_are_equal(run, works):
    """Nothing is found where nothing differs; nor in an epoch that is named wrongly. All epochs count as done."""
    assert bisect(run, Double())[0] is None
    assert [(work.done, work.total) for work in works] == [(len(run.orders), len(run.orders))]
    found, _ = bisect(run, Double(), epoch=2)
    assert (found.step, found.case) == (None, None)
    assert "is equal when begun from the state before it" in str(found)


def test_an_epoch_that_is_wrong_where_its_steps_are_right(run):
    """The case is an epoch then."""
    rng = generator_before(run, 13)
    found, _ = bisect(run, Double(lambda engine: engine.in_epoch and engine.before == rng))
    assert (found.epoch, found.step) == (2, 5)
    assert (found.case.mode, len(found.case.images)) == (Mode.EPOCH, 1)
    assert found.divergence.tensor == "weights"


def test_what_takes_several_steps_is_kept_with_all_of_them(run):
    """A device that goes wrong after three steps, whatever its state: the message says that it takes them."""
    for repeats, steps in ((1, 3), (3, 5)):  # one step a piece, and three
        longer = replace(run, orders=[np.tile(visits, repeats) for visits in run.orders])
        found, told = bisect(longer, Double(lambda engine, steps=steps: engine.steps_since_load == steps))
        assert (found.epoch, found.step, len(found.case.images)) == (1, steps - 1, steps)
        assert found.divergence.step == steps - 1
        assert f"differs only behind the {steps - 1} steps before it" in str(found)
    assert any("not from a later state" in line for line in told)


def test_chance_is_called_chance(run):
    """Once in a lifetime: the epoch cannot be made to differ again."""
    found, _ = bisect(run, Double(lambda engine: engine.steps == 20))
    assert (found.epoch, found.step, found.case) == (3, None, None)
    assert "lies outside of weights, scores and generator, or is chance" in str(found)


def test_a_prediction_of_the_test_is_found(run):
    """Equal steps, unlike right predictions."""
    image = run.test_images[1]

    class Misreading(Double):
        def predict(self, shown):
            prediction = super().predict(shown)
            return (prediction + 1) % 3 if np.array_equal(shown, image) else prediction

    found, _ = bisect(run, Misreading(), epoch=2)
    assert (found.step, found.case.mode, len(found.case.images)) == (None, Mode.PREDICT, 1)
    assert np.array_equal(found.case.images[0], image)
    assert found.divergence.tensor == "prediction"


class FlippedBit:
    """The host's engine, which flips a bit of a score after the step before which the generator stands at `rng`."""

    name = "flipped bit"

    def __init__(self, rng):
        self.host = open_engine("host")
        self.rng = rng

    def __getattr__(self, name):
        return getattr(self.host, name)

    def load(self, model, method, state):
        """Load, and keep what is to be loaded again."""
        self.run, self.layer = (model, method, state), model.network.weighted[-2]
        self.host.load(*self.run)

    def load_data(self, *data):
        """Likewise."""
        self.data = data
        self.host.load_data(*data)

    def train_step(self, image, label):
        """The host's step, then the bit."""
        is_wrong = self.host.state().rng == self.rng
        step = self.host.train_step(image, label)
        if is_wrong:
            self.flip()
        return step

    def train_epoch(self, visits):
        """The host's epoch, broken in two where the bit flips."""
        rng, correct = self.host.state().rng, 0
        for step in range(len(visits)):
            if rng == self.rng:
                correct = self.host.train_epoch(visits[: step + 1]).correct
                self.flip()
                self.host.load_data(*self.data)
                visits = visits[step + 1 :]
                break
            for _ in range(10):
                rng = next_random(rng)
        passed = self.host.train_epoch(visits)
        return replace(passed, correct=passed.correct + correct)

    def flip(self):
        """One bit of one score, the one nearest to 0: near 127 it might be clipped away before the epoch ends."""
        state = self.host.state()
        scores = state.values[self.layer]
        self.flipped = tuple(int(i) for i in np.unravel_index(np.abs(scores).argmin(), scores.shape))
        scores[self.flipped] ^= 1
        self.host.load(*self.run[:2], state)


@pytest.mark.slow
@pytest.mark.parametrize("is_known", [True, False])
def test_step_20000_of_30720_is_found_within_a_minute(is_known):
    """A table's run at its real size, on the host's engine and on one that flips a bit."""
    material = drawn_material(3)
    draws = np.random.default_rng(7)
    images = draws.integers(0, 256, (2 * 1024, 28, 28), np.uint8) * (draws.random((2 * 1024, 28, 28)) < 0.05)
    labels = draws.integers(0, 10, 2 * 1024, np.uint8)
    images_set = replace(material.images, x_train=images, y_train=labels, x_test=images, y_test=labels)
    experiment = chosen(read_experiment("accuracy"), "PRIOT", 30, 10, 30)
    (planned,) = plan(experiment, "host", None, {"float": "drawn images"}, "this code")
    run = long_run_of(planned, replace(material, images=images_set))
    rng = run.state.rng
    for _ in range(10 * 20_000):
        rng = next_random(rng)
    epoch = 20_000 // 1024 + 1
    started = time.process_time()  # of this process: others may be at work beside it
    engine = FlippedBit(rng)
    found = Bisection(engine, open_engine("host"), run, print).find(epoch if is_known else None)
    took = time.process_time() - started
    print(f"{found}\n{took:.1f} s")
    assert (found.epoch, found.step, found.run_step) == (epoch, 20_000 % 1024, 20_000)
    assert len(found.case.images) == 1
    assert (found.divergence.tensor, found.divergence.difference.index) == ("scores", engine.flipped)
    assert took < 60
