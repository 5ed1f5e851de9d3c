"""A run: the pre-trained model, the method that adapts it, and the state that training changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .checks import BoolArray, Int8Array, check_keys, check_tensor
from .errors import IllegalRun
from .kinds import LossRounding, MethodKind, Selection
from .network import Network
from .ranges import DEVIATION, EXPONENT, GENERATOR, MU, PERCENT, SHIFT, THETA, VALUE
from .streams import check_seed, stream

__all__ = [
    "LossRounding",
    "Method",
    "MethodKind",
    "Model",
    "Selection",
    "Shifts",
    "State",
    "check_run",
    "initial_state",
    "run_rng",
]


SCORE_DEVIATION = 32


class Shifts(NamedTuple):
    """The three shifts of a layer, 0..31: forward, error to its input, update."""

    forward: int
    backward: int
    gradient: int


@dataclass(frozen=True)
class Method:
    """What is learned, and how.

    Attributes:
        kind: One of the four methods.
        mu: 0..7, the bit width of the update with dynamic shifts.
        theta: -127..127, edges with a lower score are pruned; None for NITI.
        loss_rounding: How the loss error is rounded.
    """

    kind: MethodKind
    mu: int = 5
    theta: int | None = None
    loss_rounding: LossRounding = LossRounding.STOCHASTIC


@dataclass(frozen=True, eq=False)
class Model:
    """The frozen, pre-trained network.

    Attributes:
        network: The layers.
        weights: int8, OIHW or (out, in), by the layer's index.
        weight_exponents: -64..63, by the layer's index.
        input_exponent: -64..63.
    """

    network: Network
    weights: Mapping[int, Int8Array]
    weight_exponents: Mapping[int, int]
    input_exponent: int = -7


@dataclass(frozen=True, eq=False)
class State:
    """What a run carries from step to step, and the constants it was started with.

    Attributes:
        values: int8, shape of the weights, by layer: W (NITI) or S (PRIOT; only scored edges count).
        rng: The random generator, 1..2**32-1.
        scales: The static shifts by layer, or None where shifts are dynamic.
        scored: bool, shape of the weights, by layer: the scored edges of PRIOT-S; None for the other methods.
    """

    values: Mapping[int, Int8Array]
    rng: int
    scales: Mapping[int, Shifts] | None = None
    scored: Mapping[int, BoolArray] | None = None


def run_rng(seed: int) -> int:
    """The generator's first state in a run of the given seed (0..2**32-1); never 0, where xorshift32 would stay."""
    check_seed(seed)
    return 2654435761 * (seed + 1) % 2**32 or 1


def initial_state(
    model: Model,
    method: Method,
    seed: int,
    scales: Mapping[int, Shifts] | None = None,
    percent: int = 10,
    selection: Selection = Selection.RANDOM,
    deviation: int = SCORE_DEVIATION,
) -> State:
    """The state a run starts from: W for NITI, drawn scores for PRIOT, and a drawn or chosen selection for PRIOT-S.

    Args:
        model: The pre-trained network.
        method: The method of the run.
        seed: 0..2**32-1; scores, selection and generator depend on nothing else.
        scales: Calibrated shifts, or None.
        percent: 0..100, the share of each layer's edges that PRIOT-S scores.
        selection: How PRIOT-S chooses them.
        deviation: 0 or more, the standard deviation of the drawn scores.

    Returns:
        A state of its own arrays.

    Raises:
        InputError: The seed, the percentage or the deviation is out of range.
    """
    rng = run_rng(seed)
    PERCENT.check("percent of scored edges", percent)
    DEVIATION.check("deviation of the scores", deviation)
    weighted = model.network.weighted
    if not method.kind.learns_scores:
        return State({i: model.weights[i].copy() for i in weighted}, rng, scales)
    draws = stream(seed, "scores")
    scores: dict[int, Int8Array] = {}
    for i in weighted:
        drawn = np.rint(draws.normal(0, deviation, model.weights[i].shape))
        scores[i] = np.clip(drawn, VALUE.low, VALUE.high).astype(np.int8)
    if method.kind is MethodKind.PRIOT:
        return State(scores, rng, scales)
    draws = stream(seed, "selection")
    scored: dict[int, BoolArray] = {}
    for i in weighted:
        weights = model.weights[i]
        count = (percent * weights.size + 50) // 100
        if selection is Selection.RANDOM:
            chosen = draws.choice(weights.size, count, replace=False)
        else:
            # A stable sort leaves ties in flat order; int16, since int8 has no 128.
            chosen = np.argsort(-np.abs(weights.astype(np.int16)).ravel(), kind="stable")[:count]
        mask = np.zeros(weights.size, dtype=np.bool_)
        mask[chosen] = True
        scored[i] = mask.reshape(weights.shape)
    return State(scores, rng, scales, scored)


def check_run(model: Model, method: Method, state: State) -> None:
    """Refuse a run that is not legal in every part.

    Args:
        model: The pre-trained network.
        method: The method.
        state: The state to start from.

    Raises:
        IllegalNetwork: A sum could overflow int32.
        IllegalRun: Anything else that is not legal; the message says what.
    """
    _check_method(method)
    model.network.check_overflow(method.kind)
    _check_model(model)
    _check_state(model.network, method, state)


def _check_method(method: Method) -> None:
    for what, value, kinds in (
        ("method", method.kind, MethodKind),
        ("loss rounding", method.loss_rounding, LossRounding),
    ):
        if not isinstance(value, kinds):
            names = ", ".join(kinds)
            raise IllegalRun.about(what, expected=f"one of {names}", got=repr(value), do="choose one of them")
    MU.check("mu", method.mu, IllegalRun)
    if method.kind.learns_scores:
        THETA.check(f"theta of {method.kind}", method.theta, IllegalRun)
    elif method.theta is not None:
        raise IllegalRun.about(f"theta of {method.kind}", expected="none", got=method.theta, do="leave it out")


def _check_model(model: Model) -> None:
    network = model.network
    EXPONENT.check("input exponent", model.input_exponent, IllegalRun)
    check_keys("weights", model.weights, network.weighted, IllegalRun)
    check_keys("weight exponents", model.weight_exponents, network.weighted, IllegalRun)
    for i in network.weighted:
        EXPONENT.check(f"weight exponent of layer {i}", model.weight_exponents[i], IllegalRun)
        check_tensor(f"weights of layer {i}", model.weights[i], network.weight_shape(i), IllegalRun)


def _check_state(network: Network, method: Method, state: State) -> None:
    kind = method.kind
    what = "scores" if kind.learns_scores else "trained weights"
    GENERATOR.check("state of the random generator", state.rng, IllegalRun)
    check_keys(what, state.values, network.weighted, IllegalRun)
    for i in network.weighted:
        check_tensor(f"{what} of layer {i}", state.values[i], network.weight_shape(i), IllegalRun)
    if kind is MethodKind.NITI_DYNAMIC and state.scales is not None:
        raise IllegalRun.about(f"scales of {kind}", expected="none", got="static scales", do="drop them")
    if kind is MethodKind.NITI_STATIC and state.scales is None:
        raise IllegalRun.about(f"scales of {kind}", expected="static scales", got="none", do="calibrate them first")
    if state.scales is not None:
        check_scales(network, state.scales)
    _check_scored(network, kind, state.scored)


def check_scales(network: Network, scales: Mapping[int, Shifts]) -> None:
    """Refuse static scales that are not three shifts in 0..31 for each layer with weights.

    Raises:
        IllegalRun: A layer is missing or unknown, a shift is out of range, or the first layer's unused one is not 0.
    """
    check_keys("scales", scales, network.weighted, IllegalRun)
    for i in network.weighted:
        shifts = scales[i]
        if not isinstance(shifts, Shifts):
            got = type(shifts).__name__
            raise IllegalRun.about(f"scales of layer {i}", expected="three shifts", got=got, do="give them as Shifts")
        for what, shift in zip(Shifts._fields, shifts, strict=True):
            SHIFT.check(f"{what} shift of layer {i}", shift, IllegalRun)
    first = network.weighted[0]
    if scales[first].backward != 0:
        got = scales[first].backward
        do = "the first layer passes no error on, so set it to 0"
        raise IllegalRun.about(f"backward shift of layer {first}", expected="0", got=got, do=do)


def _check_scored(network: Network, kind: MethodKind, scored: Mapping[int, BoolArray] | None) -> None:
    if kind is not MethodKind.PRIOT_S:
        if scored is not None:
            raise IllegalRun.about(f"scored edges of {kind}", expected="none", got="masks", do="leave them out")
        return
    if scored is None:
        raise IllegalRun.about(f"scored edges of {kind}", expected="a mask for each layer", got="none", do="add them")
    check_keys("scored edges", scored, network.weighted, IllegalRun)
    for i in network.weighted:
        mask, shape = scored[i], network.weight_shape(i)
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != shape:
            got = f"{mask.dtype} of shape {mask.shape}" if isinstance(mask, np.ndarray) else type(mask).__name__
            expected = f"a bool array of shape {shape}"
            raise IllegalRun.about(f"scored edges of layer {i}", expected=expected, got=got, do="correct the mask")
