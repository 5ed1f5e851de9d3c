"""The strategies draw legal cases only, reach the classes that matter, and shrink to small cases."""

import math
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from priot_hil.harness.strategies import (
    TINY,
    Run,
    Sizes,
    conv2ds,
    extreme_kernel_cases,
    int8_arrays,
    int8_values,
    kernel_cases,
    masks,
    networks,
    runs,
    shift_triples,
    shifts,
    thetas,
)
from priot_hil.harness.strategies.arrays import Palette
from priot_hil.reference.checks import Int8Array
from priot_hil.reference.engine import KernelCase, KernelResult, Step
from priot_hil.reference.kernel import check_kernel_case
from priot_hil.reference.network import Conv2d, Flatten, Linear, MaxPool2d, Network, Relu, output_shape
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reference.run import LossRounding, MethodKind, check_run

T = TypeVar("T")


def drawn(strategy: st.SearchStrategy[T], count: int) -> list[T]:
    """`count` cases, the same ones every time."""
    cases: list[T] = []

    @settings(
        max_examples=count,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(case: T) -> None:
        cases.append(case)

    collect()
    return cases


def smallest(strategy: st.SearchStrategy[T], condition: Callable[[T], bool]) -> T:
    """What a case of this condition shrinks to."""
    return find(
        strategy, condition, settings=settings(max_examples=2000, database=None, derandomize=True, deadline=None)
    )


def missing(classes: list[dict[str, bool]]) -> set[str]:
    """The names that fewer than 3 of the cases have: a usual test should meet every class."""
    return {name for name in classes[0] if sum(case[name] for case in classes) < 3}


def saturated(array: Int8Array) -> bool:
    """Whether both ends of the range are there."""
    return {127, -127} <= set(array.ravel().tolist())


def letters(case: KernelCase) -> str:
    """The layers behind, a letter each."""
    names: dict[type, str] = {Relu: "r", MaxPool2d: "p", Flatten: "f"}
    return "".join(names[type(layer)] for layer in case.behind)


def geometry_classes(case: KernelCase) -> dict[str, bool]:
    """Shapes, and what lies behind."""
    conv = case.layer if isinstance(case.layer, Conv2d) else Conv2d(0, 0, 0)
    height, width = case.input_shape[1:] if conv.kernel else (0, 0)
    output = output_shape(case.layer, case.input_shape, "layer")
    orders = ("", "r", "p", "rp", "pr", "pp", "f", "rpf", "ppf", "pfr")
    return {
        "linear": isinstance(case.layer, Linear),
        **{f"kernel {k}": conv.kernel == k for k in range(1, 8)},
        **{f"stride {k}": conv.kernel > 0 and conv.stride == k for k in range(1, 4)},
        "strided and padded": conv.stride > 1 and conv.padding > 0,
        "full padding": conv.kernel > 1 and conv.padding == conv.kernel - 1,
        "columns that the stride leaves out": conv.padding == 0 and (width - conv.kernel) % conv.stride > 0,
        "kernel larger than the image": conv.kernel > max(height, width),
        "one position": output[1:] == (1, 1),
        "many channels": conv.in_channels > 1 and conv.out_channels > 1,
        "not square": height != width,
        "pool that drops a remainder": letters(case)[:1] == "p" and output[1] % vars(case.behind[0])["size"] > 0,
        **{f"behind: {order}": letters(case) == order for order in orders},
    }


def value_classes(case: KernelCase, result: KernelResult) -> dict[str, bool]:
    """Methods, shifts and values."""
    before = case.weights if case.scores is None else case.scores
    scored = -1.0 if case.scored is None else float(case.scored.mean())
    theta = -128 if case.theta is None else case.theta
    scores = np.full(1, -127, np.int8) if case.scores is None else case.scores
    static = case.shifts is not None
    return {
        **{kind: case.kind is kind for kind in MethodKind},
        "dynamic scores": case.kind.learns_scores and not static,
        "static scores": case.kind.learns_scores and static,
        "none scored": scored == 0,
        "all scored": scored == 1,
        "some scored": 0 < scored < 1,
        "score equal to theta": bool((scores == theta).any()),
        "all pruned": case.kind is MethodKind.PRIOT and bool((scores < theta).all()),
        "theta -127": theta == -127,
        "theta 127": theta == 127,
        "no image": not case.image.any(),
        "no error": not case.error.any(),
        "no weights": not case.weights.any(),
        "sparse error": case.error.size > 20 and 0 < int(np.count_nonzero(case.error)) < case.error.size / 3,
        "saturated output": static and saturated(result.output),
        "saturated input error": static and saturated(result.input_error),
        "saturated update": saturated(result.updated) and not saturated(before),
        "nothing learned": bool(result.gradient.any()) and np.array_equal(result.updated, before),
        "something learned": not np.array_equal(result.updated, before),
        "shift 31": static and 31 in result.shifts,
        "shift 0": static and 0 in result.shifts,
        "dynamic shifts all above 0": not static and min(result.shifts) > 0,
        "odd update shift": result.shifts.gradient in range(3, 12, 2),
    }


@pytest.mark.slow
def test_kernel_cases_reach_every_class() -> None:
    """1,500 cases meet every geometry, order of layers, method and kind of value that has broken a kernel."""
    outcomes = [(case, ReferenceEngine().run_kernel(case)) for case in drawn(kernel_cases(), 1500)]
    assert missing([geometry_classes(case) | value_classes(case, result) for case, result in outcomes]) == set()


def run_classes(run: Run, steps: list[Step]) -> dict[str, bool]:
    """Methods, networks, and where the loss is evaluated."""
    network, method, scales = run.model.network, run.method, run.state.scales
    first, kinds = type(network.layers[0]), [type(layer) for layer in network.layers]
    pools = [sum(kinds[j] is MaxPool2d for j in stage.behind) for stage in network.stages]
    constant = run.model.input_exponent + sum(run.model.weight_exponents.values())
    exponents = [constant + sum(shifts.forward for shifts in step.shifts.values()) for step in steps]
    right = [step.prediction == label for step, label in zip(steps, run.labels, strict=True)]
    return {
        **{
            f"{kind}, {rounding}, {'dynamic' if dynamic else 'static'}": (
                method.kind is kind and method.loss_rounding is rounding and dynamic is (scales is None)
            )
            for kind in MethodKind
            for rounding in LossRounding
            for dynamic in (True, False)
            if kind.learns_scores or dynamic is (kind is MethodKind.NITI_DYNAMIC)
        },
        "a vector": len(network.input_shape) == 1,
        "an image": len(network.input_shape) == 3,
        **{f"{layer.__name__} first": first is layer for layer in (Conv2d, Linear, Relu, MaxPool2d, Flatten)},
        **{f"{n} layers with weights": len(network.weighted) == n for n in range(1, 6)},
        "three convolutions": kinds.count(Conv2d) == 3,
        "three linear layers": kinds.count(Linear) == 3,
        "two pools behind a convolution": max(pools) == 2,
        **{f"{n} classes": network.classes == n for n in range(2, 13)},
        "more than 12 classes": network.classes > 12,
        "wild update": scales is not None and any(shifts.gradient < 4 for shifts in scales.values()),
        "4 steps": len(steps) == 4,
        "exponent clamped from below": min(exponents) < -12,
        "exponent in the series": any(-12 <= e <= -7 for e in exponents),
        "exponent below 0": any(-7 < e < 0 for e in exponents),
        "exponent above 0": any(0 <= e <= 24 for e in exponents),
        "exponent clamped from above": max(exponents) > 24,
        "right": any(right),
        "wrong": not all(right),
    }


@pytest.mark.slow
def test_runs_reach_every_class() -> None:
    """600 runs meet every method, kind of network and branch of the loss."""
    classes = []
    for run in drawn(runs(), 600):
        engine = ReferenceEngine()
        engine.load(run.model, run.method, run.state)
        steps = [engine.train_step(image, int(label)) for image, label in zip(run.images, run.labels, strict=True)]
        classes.append(run_classes(run, steps))
    assert missing(classes) == set()


@given(run=runs())
def test_runs_are_legal(run: Run) -> None:
    """The checks that every engine makes pass, and samples fit the network."""
    check_run(run.model, run.method, run.state)
    assert 1 <= len(run.images) == len(run.labels) <= 4
    assert run.images.shape[1:] == run.model.network.input_shape
    assert run.images.dtype == np.int8
    assert run.images.min() >= -127
    assert 0 <= run.labels.min() <= run.labels.max() < run.model.network.classes


@given(case=kernel_cases())
def test_kernel_cases_are_legal(case: KernelCase) -> None:
    """Geometry, overflow bounds, values and shifts; dynamic NITI has no shifts and static NITI has."""
    check_kernel_case(case)
    assert case.kind.learns_scores or (case.shifts is None) is (case.kind is MethodKind.NITI_DYNAMIC)


def test_extreme_kernel_cases_come_near_their_bounds() -> None:
    """Legal, within the arena, and some sum of each kind passes nine tenths of what is possible."""
    largest = {"score gradient": 0, "forward": 0}
    for case in drawn(extreme_kernel_cases(), 30):
        check_kernel_case(case)
        scores = 0 if case.scores is None else case.scores.size
        assert case.weights.size + scores + case.image.size + case.error.size <= 200_000
        result = ReferenceEngine().run_kernel(case)
        product = np.abs(case.weights.astype(np.int64) * result.gradient).max()
        largest["score gradient"] = max(largest["score gradient"], int(product) if scores else 0)
        if isinstance(case.layer, Linear):
            forward = np.abs(case.weights.astype(np.int64) @ case.image.astype(np.int64)).max()
            largest["forward"] = max(largest["forward"], int(forward))
    assert largest["score gradient"] > 0.9 * 2**31
    assert largest["forward"] > 0.9 * 127**2 * 66_000


@given(network=networks())
def test_networks_fit_a_small_device(network: Network) -> None:
    """Weights, scores, masks, every activation twice and the widest int32 accumulator fit in 200 kB."""
    for kind in MethodKind:
        network.check_overflow(kind)
    weights = sum(math.prod(network.weight_shape(i)) for i in network.weighted)
    sizes = [math.prod(shape) for shape in (network.input_shape, *network.shapes)]
    assert 2 * weights + weights // 8 + 2 * sum(sizes) + 4 * max(sizes) <= 200_000


@given(network=networks(TINY))
def test_networks_keep_to_their_sizes(network: Network) -> None:
    """No layer exceeds what was asked for, but for the one row by which padding may outgrow the side."""
    assert len(network.weighted) <= TINY.weighted
    for layer, shape in zip(network.layers, network.shapes, strict=True):
        if isinstance(layer, Conv2d):
            assert (layer.kernel, layer.stride, layer.out_channels) <= (
                TINY.kernel,
                3,
                TINY.channels,
            ) or layer.kernel < TINY.kernel
            assert max(shape[1:]) <= TINY.side + 1
        elif isinstance(layer, Linear):
            assert layer.in_features * layer.out_features <= max(TINY.linear_weights, 2 * layer.in_features)


@given(layer=conv2ds((3, 5, 9), Sizes(side=9)))
def test_convolutions_fit_their_input(layer: Conv2d) -> None:
    """The geometry is legal as drawn."""
    assert max(output_shape(layer, (3, 5, 9), "layer")[1:]) <= 10


def test_values_lie_in_the_symmetric_range_and_reach_all_of_it() -> None:
    """-127..127 without -128, edges more often than the rest."""
    values = drawn(int8_values(), 3000)
    assert set(values) <= set(range(-127, 128))
    arrays = np.stack(drawn(int8_arrays((40,)), 1000))
    assert set(np.unique(arrays).tolist()) == set(range(-127, 128))
    assert np.count_nonzero(np.abs(arrays) == 127) > 4 * np.count_nonzero(np.abs(arrays) == 100)


def test_arrays_are_also_zero_constant_saturating_and_sparse() -> None:
    """Each kind is at least one in a hundred."""
    arrays = drawn(int8_arrays((40,)), 1000)
    for condition in (
        lambda a: not a.any(),
        lambda a: len(set(a.tolist())) == 1 and a.any(),
        lambda a: set(np.abs(a).tolist()) == {127},
        lambda a: 0 < np.count_nonzero(a) < 20,
        lambda a: a.min() >= 0 and a.max() > 60,
    ):
        assert sum(bool(condition(array)) for array in arrays) >= 10


@pytest.mark.parametrize("theta", [-127, -64, 0, 127])
def test_scores_lie_often_at_theta(theta: int) -> None:
    """Its neighbours inside the range, too."""
    values = np.concatenate(drawn(int8_arrays((40,), near=theta), 200)).tolist()
    for neighbour in (theta - 1, theta, theta + 1):
        assert abs(neighbour) > 127 or values.count(neighbour) > 100


def test_shifts_and_thetas_reach_all_their_range() -> None:
    """0..31 for each of the three shifts, -127..127 for theta."""
    triples = drawn(shift_triples(9, 16, False), 2000)
    for drawn_shifts in zip(*triples, strict=True):
        assert set(drawn_shifts) == set(range(32))
    assert set(drawn(shifts(), 1500)) == set(range(32))
    assert {-127, -64, 0, 127} <= set(drawn(thetas(), 800)) <= set(range(-127, 128))


def test_large_arrays_and_masks_have_their_shape_without_equal_rows() -> None:
    """Beyond the number of values drawn, rows of usual lengths are not copies of each other."""
    arrays = drawn(int8_arrays((50, 100), palettes=(Palette.EVERY,)), 20)
    assert {array.shape for array in arrays} == {(50, 100)}
    assert max(len({row.tobytes() for row in array}) for array in arrays) == 50
    assert {mask.shape for mask in drawn(masks((64, 100)), 20)} == {(64, 100)}


def test_kernel_cases_shrink_to_the_smallest_layer() -> None:
    """A bug in a strided, padded convolution is reported with a single weight or a few."""
    assert smallest(kernel_cases(), lambda _: True).layer == Linear(1, 1)
    case = smallest(
        kernel_cases(), lambda c: isinstance(c.layer, Conv2d) and c.layer.stride == 3 and c.layer.padding > 0
    )
    assert case.layer == Conv2d(1, 1, 2, 3, 1)
    assert case.input_shape == (1, 1, 1)
    assert not any(array.any() for array in (case.weights, case.image, case.error))


@pytest.mark.slow
def test_runs_shrink_to_one_step_of_the_smallest_network() -> None:
    """What a failing run is reported as where any run fails, and where only a convolution does."""
    run = smallest(runs(), lambda _: True)
    assert run.model.network == Network((1,), (Linear(1, 2),))
    assert len(run.images) == 1
    run = smallest(runs(), lambda r: isinstance(r.model.network.layers[0], Conv2d) and bool(r.model.weights[0].any()))
    assert run.model.network == Network((1, 1, 1), (Conv2d(1, 1, 1), Flatten(), Linear(1, 2)))
    assert run.model.weights[0].ravel().tolist() == [1]
