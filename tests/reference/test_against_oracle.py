"""The reference equals the plain-Python oracle: every tensor of every step, and every kernel."""

from dataclasses import asdict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from oracle.arithmetic import Generator, bit_width, psto_shift, requantize, round_shift, sto_shift
from oracle.kernel import run_kernel
from oracle.loss import loss_error
from oracle.step import Oracle, Trace
from priot_hil.harness.strategies import TINY, Run, Sizes, int8_arrays, kernel_cases, runs, shifts
from priot_hil.reference import arithmetic, loss
from priot_hil.reference.checks import Int8Array
from priot_hil.reference.engine import KernelCase, Step
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reference.run import LossRounding, MethodKind, State

KERNELS = Sizes(channels=2, side=6, features=16)


def assert_trace(engine: ReferenceEngine, trace: Trace, step: Step) -> None:
    """Every tensor that the oracle names is there and equal, and so are the prediction and the shifts."""
    for name, tensor in trace.tensors.items():
        assert engine.tensor(name).tolist() == tensor, name
    assert step.prediction == trace.prediction
    assert step.shifts == trace.shifts


def assert_state(state: State, oracle: Oracle) -> None:
    """What is learned, and the generator."""
    for i, edges in oracle.edges.items():
        assert state.values[i].tolist() == edges.learned, f"state of layer {i}"
    assert state.rng == oracle.generator.state


@given(run=runs(sizes=TINY))
def test_training_step_equals_oracle(run: Run) -> None:
    """Any network, any method, several steps: every tensor, shift, weight, score and draw is the oracle's."""
    engine, oracle = ReferenceEngine(), Oracle(run.model, run.method, run.state)
    engine.load(run.model, run.method, run.state)
    for image, label in zip(run.images, run.labels, strict=True):
        step = engine.train_step(image, int(label))
        assert_trace(engine, oracle.train_step(image, int(label)), step)
        assert_state(engine.state(), oracle)


@given(run=runs(sizes=TINY))
def test_prediction_equals_oracle_and_changes_nothing(run: Run) -> None:
    """The class and every output are the oracle's; the state stays as it was loaded."""
    engine, oracle = ReferenceEngine(), Oracle(run.model, run.method, run.state)
    engine.load(run.model, run.method, run.state)
    for image in run.images:
        prediction, trace = engine.predict(image), oracle.predict(image)
        assert prediction == trace.prediction
        for name in (name for name in trace.tensors if name.endswith((".output", "logits"))):
            assert engine.tensor(name).tolist() == trace.tensors[name], name
    assert_state(engine.state(), oracle)


DYNAMIC = (MethodKind.NITI_DYNAMIC, MethodKind.PRIOT, MethodKind.PRIOT_S)


@given(run=runs(DYNAMIC, TINY))
def test_observation_equals_oracle(run: Run) -> None:
    """Calibration sees the oracle's shifts, None where a tensor is all zero, and moves nothing but the generator."""
    state = State(run.state.values, run.state.rng, None, run.state.scored)
    engine, oracle = ReferenceEngine(), Oracle(run.model, run.method, state)
    engine.load(run.model, run.method, state)
    for image, label in zip(run.images, run.labels, strict=True):
        observed, trace = engine.observe(image, int(label)), oracle.observe(image, int(label))
        assert {i: tuple(asdict(o).values()) for i, o in observed.items()} == trace.observations
        assert_state(engine.state(), oracle)


@given(case=kernel_cases(KERNELS))
def test_kernel_equals_oracle(case: KernelCase) -> None:
    """Any single stage with any error and shifts: output, error to its input, gradient, update and shifts."""
    got, expected = ReferenceEngine().run_kernel(case), run_kernel(case)
    assert got.shifts == expected.shifts
    for name in ("output", "input_error", "gradient", "updated"):
        assert getattr(got, name).tolist() == getattr(expected, name), name


BOUND = 2**31 - 1
SUMS = st.lists(st.integers(-BOUND, BOUND) | st.integers(-300, 300), max_size=8)
RNG = st.integers(1, 2**32 - 1)


@given(values=SUMS, shift=shifts())
def test_arithmetic_equals_oracle(values: list[int], shift: int) -> None:
    """Any int32 sums but -2**31, any shift."""
    array = np.array(values, np.int32)
    assert arithmetic.bit_width(array) == bit_width(values)
    assert arithmetic.round_shift(array, shift).tolist() == [round_shift(v, shift) for v in values]
    assert arithmetic.psto_shift(array, shift).tolist() == [psto_shift(v, shift) for v in values]
    assert arithmetic.requantize(array, shift).tolist() == [requantize(v, shift) for v in values]


@given(values=SUMS, shift=shifts(), rng=RNG)
def test_stochastic_shift_equals_oracle(values: list[int], shift: int, rng: int) -> None:
    """Values and the generator's state behind them."""
    generator = Generator(rng)
    expected = [sto_shift(v, shift, generator) for v in values]
    got, after = loss.sto_shift(np.array(values, np.int32), shift, rng)
    assert (got.tolist(), after) == (expected, generator.state)


@given(
    logits=st.integers(2, 12).flatmap(lambda k: int8_arrays((k,))),
    exponent=st.integers(-20, 30),
    rounding=st.sampled_from(LossRounding),
    rng=RNG,
    data=st.data(),
)
def test_loss_equals_oracle(
    logits: Int8Array, exponent: int, rounding: LossRounding, rng: int, data: st.DataObject
) -> None:
    """Any logits, on both sides of each branch and clamp of the exponent."""
    label = data.draw(st.integers(0, len(logits) - 1))
    generator = Generator(rng)
    drawn = generator if rounding is LossRounding.STOCHASTIC else None
    expected = loss_error(logits.tolist(), exponent, label, drawn)
    got, after = loss.loss_error(logits, exponent, label, rounding, rng)
    assert (got.tolist(), after) == (expected, generator.state)
