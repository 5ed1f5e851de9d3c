"""A device used in any order: whatever is loaded, run, read, refused or reset, it does what the reference does."""

from contextlib import suppress
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from equivalence.cases import examples
from equivalence.histories import expect_state, expect_tensor
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from priot_hil.harness.capsule_kernel import KernelCapsule
from priot_hil.harness.compare import compare_prediction, compare_step
from priot_hil.harness.device import Device
from priot_hil.harness.divergence import Divergence, Mismatch
from priot_hil.harness.errors import KernelStatus
from priot_hil.harness.failures import expect_equal
from priot_hil.harness.protocol import CapabilityCode, CommandCode, ResetRequest, RestartCode
from priot_hil.harness.replay import AnyEngine
from priot_hil.harness.strategies import TINY, Run, Sizes, kernel_cases, runs
from priot_hil.reference.engine import KernelCase
from priot_hil.reference.errors import InputError
from priot_hil.reference.kinds import MethodKind
from priot_hil.reference.network import Conv2d, Flatten, Linear, MaxPool2d, Network
from priot_hil.reference.reference_engine import ReferenceEngine, trace_names
from priot_hil.reference.run import Method, Model, State

SAMPLES = st.integers(0, 2)
REFUSED = (InputError, KernelStatus)

# Few weights, and activations that no arena holds: 26 million.
VAST = (Conv2d(1, 200, 1), MaxPool2d(364))
VAST_IMAGE = (1, 364, 364)


class Sequence(RuleBasedStateMachine):
    """Commands in any order, on an engine and on the reference beside it.

    Attributes:
        device: Behind the engine, with an arena of its own; None where there is none.
        run: What is loaded on both; None where nothing is.
        readable: The names of the tensors that there are since the last step.
        has_data: Whether the run's samples are on both.
    """

    def __init__(self, engine: AnyEngine) -> None:
        super().__init__()
        self.device: Device | None = getattr(engine, "device", None)
        self.engine, self.reference = engine, ReferenceEngine()
        self.run: Run | None = None
        self.readable: list[str] = []
        self.has_data = False
        with suppress(InputError):  # a kernel makes it forget what another test has loaded
            engine.run_kernel(SMALLEST)

    @property
    def loaded(self) -> Run:
        """The run; rules that need one have it."""
        assert self.run is not None
        return self.run

    def take(self, run: Run, state: State | None = None) -> None:
        """Load on both."""
        for either in (self.engine, self.reference):
            either.load(run.model, run.method, state or run.state)
        self.run, self.readable, self.has_data = run, [], False

    def expect(self, divergence: Divergence | None) -> None:
        """None."""
        if divergence is not None:
            raise Mismatch(divergence)

    def names(self, *kinds: str) -> list[str]:
        """Of the trace's tensors."""
        return [name for name in trace_names(self.loaded.model.network) if name.endswith(kinds)]

    @rule(run=runs(sizes=TINY, steps=3))
    def load(self, run: Run) -> None:
        """Another run; nothing of an earlier one remains."""
        self.take(run)

    @precondition(lambda self: self.run is not None)
    @rule()
    def reload(self) -> None:
        """The run from where it stands, as the device itself says where."""
        self.take(self.loaded, self.engine.state())

    @precondition(lambda self: self.run is not None)
    @rule(sample=SAMPLES)
    def step(self, sample: int) -> None:
        """Learn from one sample."""
        run = self.loaded
        image, label = run.images[sample % len(run.images)], int(run.labels[sample % len(run.images)])
        self.expect(compare_step(self.engine, self.reference, run.model.network, image, label, 0))
        self.readable = self.names(".output", ".error")

    @precondition(lambda self: self.run is not None)
    @rule(sample=SAMPLES)
    def predict(self, sample: int) -> None:
        """Classify one sample."""
        image = self.loaded.images[sample % len(self.loaded.images)]
        self.expect(compare_prediction(self.engine, self.reference, self.loaded.model.network, image, 0))
        self.readable = self.names(".output")

    @precondition(lambda self: self.run is not None)
    @rule(sample=SAMPLES)
    def observe(self, sample: int) -> None:
        """The step without an update; refused where the scales are static."""
        run = self.loaded
        image, label = run.images[sample % len(run.images)], int(run.labels[sample % len(run.images)])
        if run.state.scales is not None:
            for either in (self.engine, self.reference):
                with pytest.raises(InputError, match="static scales"):
                    either.observe(image, label)
            return
        assert self.engine.observe(image, label) == self.reference.observe(image, label)
        self.readable = self.names(".output")

    @precondition(lambda self: self.run is not None)
    @rule(which=st.integers(0, 7))
    def read_tensor(self, which: int) -> None:
        """A tensor of the last step; refused where there is none of that name."""
        names = self.names(".output", ".error")
        name = names[which % len(names)]
        if name in self.readable:
            expect_tensor(self.engine.tensor(name), self.reference.tensor(name), name)
            return
        with pytest.raises(InputError, match="tensor"):
            self.engine.tensor(name)

    @precondition(lambda self: self.run is not None)
    @rule()
    def read_state(self) -> None:
        """All that is learned, and the generator."""
        expect_state(self.engine.state(), self.reference.state())

    @precondition(lambda self: self.run is not None)
    @rule()
    def load_data(self) -> None:
        """The run's samples, for training and for the test."""
        run = self.loaded
        for either in (self.engine, self.reference):
            either.load_data(run.images, run.labels, run.images[:1], run.labels[:1])
        self.has_data = True

    @precondition(lambda self: self.has_data)
    @rule(samples=st.lists(SAMPLES, max_size=4))
    def train_epoch(self, samples: list[int]) -> None:
        """Steps on the device's own samples."""
        order = np.array(samples, np.int64) % len(self.loaded.images)
        assert self.engine.train_epoch(order).correct == self.reference.train_epoch(order).correct
        if samples:
            self.readable = self.names(".output", ".error")

    @precondition(lambda self: self.has_data)
    @rule()
    def evaluate(self) -> None:
        """Predictions of the test set."""
        assert self.engine.evaluate() == self.reference.evaluate()
        self.readable = self.names(".output")

    @rule(case=kernel_cases(Sizes(channels=2, side=4, features=8)))
    def run_kernel(self, case: KernelCase) -> None:
        """A stage on its own; it takes the run's place."""
        expect_equal(KernelCapsule(case), self.engine)
        self.run, self.has_data = None, False

    @precondition(lambda self: self.device is not None)
    @rule()
    def load_too_much(self) -> None:
        """No arena holds it: refused, and the run goes on."""
        network = Network(VAST_IMAGE, (*VAST, Flatten(), Linear(200, 2)))
        weights = {i: np.ones(network.weight_shape(i), np.int8) for i in network.weighted}
        with pytest.raises(InputError, match="make the network smaller"):
            self.engine.load(
                Model(network, weights, dict.fromkeys(weights, 0)), Method(MethodKind.NITI_DYNAMIC), State(weights, 1)
            )

    @precondition(lambda self: self.device is not None)
    @rule()
    def run_too_large_a_kernel(self) -> None:
        """Likewise a stage."""
        image, error = np.ones(VAST_IMAGE, np.int8), np.ones((200, 1, 1), np.int8)
        weights = np.ones((200, 1, 1, 1), np.int8)
        case = replace(
            SMALLEST, layer=VAST[0], behind=VAST[1:], input_shape=VAST_IMAGE, image=image, weights=weights, error=error
        )
        with pytest.raises(InputError, match="make the network smaller"):
            self.engine.run_kernel(case)

    @precondition(lambda self: self.run is not None)
    @rule(what=st.sampled_from(("mu", "label", "image", "kernel")))
    def ask_what_is_illegal(self, what: str) -> None:
        """Refused in a sentence, and nothing changes."""
        run = self.loaded
        image, label = run.images[0], int(run.labels[0])
        illegal = {
            "mu": lambda: self.engine.load(run.model, replace(run.method, mu=8), run.state),
            "label": lambda: self.engine.train_step(image, run.model.network.classes),
            "image": lambda: self.engine.train_step(np.full_like(image, -128), label),
            "kernel": lambda: self.engine.run_kernel(replace(SMALLEST, layer=Conv2d(1, 1, 0))),
        }
        with pytest.raises(InputError, match=rf"{what}.*: expected .*, got .*;"):
            illegal[what]()

    @precondition(lambda self: self.run is None)
    @rule()
    def ask_in_vain(self) -> None:
        """Nothing is loaded: there is no state, and nothing to step."""
        for ask in (self.engine.state, self.engine.state_crc, self.engine.evaluate):
            with pytest.raises(REFUSED):
                ask()

    @precondition(lambda self: self.device and self.device.hello.capabilities & CapabilityCode.RESET)
    @rule()
    def reset(self) -> None:
        """As by its button, and a new session: the device has forgotten everything."""
        assert self.device is not None
        self.device.command(CommandCode.RESET, ResetRequest(RestartCode.FIRMWARE).pack())
        self.run, self.has_data = None, False

    @invariant()
    def states_are_equal(self) -> None:
        """After every command."""
        if self.run is not None:
            assert self.engine.state_crc() == self.reference.state_crc()


SMALLEST = KernelCase(
    layer=Linear(1, 1),
    behind=(),
    input_shape=(1,),
    kind=MethodKind.NITI_DYNAMIC,
    theta=None,
    weights=np.ones((1, 1), np.int8),
    scores=None,
    scored=None,
    image=np.ones(1, np.int8),
    error=np.ones(1, np.int8),
    shifts=None,
)


@pytest.mark.needs("dataset")
def test_commands_in_any_order(engine: AnyEngine) -> None:
    """Every answer is the reference's, every refusal leaves all as it was, and nothing outlives what replaces it."""
    if isinstance(engine, ReferenceEngine):
        pytest.skip("the reference would be held against itself")
    run_state_machine_as_test(partial(Sequence, engine), settings=settings(examples(4), stateful_step_count=25))
