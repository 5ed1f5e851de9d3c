"""The strategies draw legal cases only, reach the classes that matter, and shrink to small cases."""

import math
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from priot_hil.harness.coverage.class_table import drawn
from priot_hil.harness.coverage.classes import extreme_classes, kernel_classes, run_classes, static_shift, tally
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
from priot_hil.reference.engine import KernelCase
from priot_hil.reference.kernel import check_kernel_case
from priot_hil.reference.network import Conv2d, Flatten, Linear, Network, output_shape
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reference.run import MethodKind, check_run

T = TypeVar("T")


def smallest(strategy: st.SearchStrategy[T], condition: Callable[[T], bool]) -> T:
    """What a case of this condition shrinks to."""
    return find(
        strategy, condition, settings=settings(max_examples=2000, database=None, derandomize=True, deadline=None)
    )


def missing(counts: Counter[str], least: int = 3) -> set[str]:
    """The classes that fewer cases have."""
    return {name for name, count in counts.items() if count < least}


def names(case: KernelCase) -> str:
    """The layers behind, in words."""
    return " ".join(map(str, case.behind))


@pytest.fixture(scope="module")
def stages() -> list[KernelCase]:
    """As many as meet even rare classes."""
    return drawn(kernel_cases(), 5000)


@pytest.mark.slow
def test_kernel_cases_reach_every_class(stages: list[KernelCase]) -> None:
    """Every shape, order of layers, method, kind of value, rounding and saturation, and each shift in each role."""
    counts = tally(stages, kernel_classes)
    assert sum(map(static_shift, counts)) == 3 * 32
    assert missing(counts) == set()


@pytest.mark.slow
def test_extreme_cases_reach_every_class() -> None:
    """Each kind of sum comes within 10 % of its bound."""
    assert missing(tally(drawn(extreme_kernel_cases(arena=30_000), 60), extreme_classes), 1) == set()


@pytest.mark.slow
def test_runs_reach_every_class() -> None:
    """600 runs meet every method, kind of network and branch of the loss."""
    assert missing(tally(drawn(runs(), 600), run_classes)) == set()


LACKS: dict[str, Callable[[KernelCase], bool]] = {
    "update: static shift 31": lambda case: case.shifts is None or case.shifts.gradient < 31,
    "output: static shift 5": lambda case: case.shifts is None or case.shifts.forward != 5,
    "an error at a relu of exactly 0": lambda case: "relu" not in names(case),
    "an error at a pool with two maxima": lambda case: "maxpool2d" not in names(case),
    "no error": lambda case: bool(case.error.any()),
    "all scored": lambda case: case.scored is None or not case.scored.all(),
    "saturated output": lambda case: case.shifts is None,
}


@pytest.mark.slow
@pytest.mark.parametrize("what", LACKS)
def test_a_strategy_that_lacks_a_class_is_found_out(stages: list[KernelCase], what: str) -> None:
    """Without such cases the class is among those that are missed."""
    few = stages[:1500]
    assert what not in missing(tally(few, kernel_classes), 1)
    assert what in missing(tally(filter(LACKS[what], few), kernel_classes), 1)


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


@pytest.mark.slow
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


@pytest.mark.slow
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
