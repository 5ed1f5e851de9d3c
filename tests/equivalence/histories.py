"""What the properties compare: all that an engine shows of a run, and runs made from others."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any

import numpy as np
import numpy.typing as npt

from priot_hil.harness.capsule import Capsule, Mode
from priot_hil.harness.capsule_kernel import KernelCapsule
from priot_hil.harness.divergence import first_difference
from priot_hil.harness.failures import blaming
from priot_hil.harness.strategies import Run
from priot_hil.reference.checks import Int8Array
from priot_hil.reference.engine import Engine
from priot_hil.reference.reference_engine import trace_names
from priot_hil.reference.run import Shifts, State

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Moment:
    """One step: what it reported and left behind.

    Attributes:
        prediction: The class.
        shifts: By layer.
        tensors: int8, the trace.
        state: After the step.
    """

    prediction: int
    shifts: dict[int, Shifts]
    tensors: dict[str, Int8Array]
    state: State


def blamed(test: Callable[..., None]) -> Callable[..., None]:
    """A property whose failure carries what it has drawn as `run` or `case`, to be kept as a capsule."""

    @wraps(test)
    def carried(**given: Any) -> None:
        run: Run | None = given.get("run")
        with blaming(KernelCapsule(given["case"]) if run is None else Capsule(*run, Mode.TRAIN)):
            test(**given)

    return carried


def record(engine: Engine, run: Run) -> list[Moment]:
    """Load a run and take all its steps."""
    engine.load(run.model, run.method, run.state)
    return [take_step(engine, run, step) for step in range(len(run.images))]


def take_step(engine: Engine, run: Run, step: int) -> Moment:
    """One step of a loaded run, and everything there is to see of it."""
    report = engine.train_step(run.images[step], int(run.labels[step]))
    tensors = {name: engine.tensor(name) for name in trace_names(run.model.network)}
    return Moment(report.prediction, report.shifts, tensors, engine.state())


def expect_trace(got: Moment, expected: Moment, where: object = "") -> None:
    """Prediction, forward and backward shifts and every tensor."""
    assert got.prediction == expected.prediction, f"prediction {where}"
    for i, shifts in expected.shifts.items():
        assert got.shifts[i][:2] == shifts[:2], f"shifts of layer {i} {where}"
    for name, tensor in expected.tensors.items():
        expect_tensor(got.tensors[name], tensor, f"{name} {where}")


def expect_tensor(got: Array, expected: Array, what: object) -> None:
    """Equal in shape, dtype and every element."""
    difference = first_difference(expected, got)
    assert difference is None, f"{what}: {difference}"


def expect_state(got: State, expected: State, where: object = "") -> None:
    """What is learned, and the generator."""
    for i, values in expected.values.items():
        expect_tensor(got.values[i], values, f"learned values of layer {i} {where}")
    assert got.rng == expected.rng, f"generator {where}"


def expect_same(got: list[Moment], expected: list[Moment]) -> None:
    """Two histories, step by step."""
    assert len(got) == len(expected)
    for step, (here, there) in enumerate(zip(got, expected, strict=True)):
        expect_trace(here, there, f"at step {step}")
        assert here.shifts == there.shifts, f"gradient shifts at step {step}"
        expect_state(here.state, there.state, f"after step {step}")


def with_edges(run: Run, change: Callable[[int, Array], Array]) -> Run:
    """The run with everything that stands beside an edge moved alike: weights, learned values, masks.

    Args:
        run: A run.
        change: Takes a layer's index and an array of the shape of its weights.
    """
    weights = {i: change(i, array) for i, array in run.model.weights.items()}
    return run._replace(model=replace(run.model, weights=weights), state=changed_state(run.state, change))


def changed_state(state: State, change: Callable[[int, Array], Array]) -> State:
    """`with_edges` for a state alone."""
    values = {i: change(i, array) for i, array in state.values.items()}
    scored = None if state.scored is None else {i: change(i, mask) for i, mask in state.scored.items()}
    return replace(state, values=values, scored=scored)


def by_channel(array: Array, axis: int, order: npt.NDArray[np.intp]) -> Array:
    """Puts the channels along an axis into another order; what was flattened behind them moves with its channel."""
    channels = array.reshape(*array.shape[:axis], len(order), -1)
    return np.take(channels, order, axis).reshape(array.shape)
