"""Runs are cut down to what a failure needs; what a cut leaves belongs together and is legal, or is left out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
from equivalence.cases import examples
from hypothesis import given

from priot_hil.harness.capsule import Capsule, Mode
from priot_hil.harness.capsule_kernel import KernelCapsule
from priot_hil.harness.cases import Case, check_case, size_of
from priot_hil.harness.shrink import search, smaller
from priot_hil.harness.shrink.run import smaller_runs
from priot_hil.harness.shrink.stage import smaller_stages
from priot_hil.harness.strategies import Run, kernel_cases, runs
from priot_hil.reference.engine import KernelCase
from priot_hil.reference.errors import InputError
from priot_hil.reference.network import Conv2d, Flatten, Linear, MaxPool2d, Network, Relu
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reference.run import LossRounding, Method, MethodKind, Model, Shifts, State

SECONDS = 60.0
LARGE = Network(
    (2, 11, 9),
    (Conv2d(2, 3, 3, 2, 1), Relu(), MaxPool2d(2), Conv2d(3, 4, 2), Relu(), Flatten(), Linear(8, 5), Linear(5, 6)),
)


def random_run(kind: MethodKind, network: Network = LARGE) -> Run:
    """Four steps whose numbers are all other than 0."""
    draw = np.random.default_rng(2)
    shapes = {i: network.weight_shape(i) for i in network.weighted}
    weights = {i: draw.integers(1, 100, shape, dtype=np.int8) for i, shape in shapes.items()}
    values = {i: draw.integers(1, 100, shape, dtype=np.int8) for i, shape in shapes.items()}
    scored = {i: np.ones(shape, np.bool_) for i, shape in shapes.items()} if kind is MethodKind.PRIOT_S else None
    learned = values if kind.learns_scores else {i: array.copy() for i, array in weights.items()}
    images = draw.integers(1, 100, (4, *network.input_shape), dtype=np.int8)
    method = Method(kind, theta=0 if kind.learns_scores else None)
    scales = {i: Shifts(9, 9 if i else 0, 9) for i in shapes} if kind is MethodKind.NITI_STATIC else None
    model = Model(network, weights, dict.fromkeys(shapes, -7))
    return Run(model, method, State(learned, 77, scales, scored), images, np.array([0, 1, 2, 4]))


def capsule_of(run: Run, mode: Mode = Mode.TRAIN) -> Capsule:
    """A run as a capsule; an epoch visits its samples from the last to the first."""
    order = np.arange(len(run.images))[::-1].copy() if mode is Mode.EPOCH else None
    return Capsule(run.model, run.method, run.state, run.images, run.labels, mode, order=order)


@pytest.mark.parametrize("kind", MethodKind)
@pytest.mark.parametrize("mode", [Mode.TRAIN, Mode.EPOCH])
def test_a_run_is_cut_to_one_layer_and_one_step(kind: MethodKind, mode: Mode) -> None:
    """One step of a label, and one weight of this label's row, are all that is left of four layers and six classes."""
    run = random_run(kind)
    last = run.model.network.weighted[-1]
    run.model.weights[last][3, 2] = 126
    if not kind.learns_scores:
        run.state.values[last][3, 2] = 126
    run.labels[1] = 3

    def needs(each: Case) -> bool:
        assert isinstance(each, Capsule)
        weights = each.model.weights[each.model.network.weighted[-1]]
        labels = each.labels if each.order is None else each.labels[each.order]
        return any((weights[label] == 126).any() for label in labels)

    found = smaller(capsule_of(run, mode), needs, SECONDS)
    assert isinstance(found, Capsule)
    assert (size_of(found).steps, size_of(found).nonzero, len(found.images)) == (1, 1, 1)
    assert found.model.network.layers[-1] == Linear(1, 2)
    assert len(found.model.network.weighted) == 1
    assert (found.state.rng, found.method.loss_rounding, found.model.input_exponent) == (1, LossRounding.NEAREST, 0)


def test_labels_and_visits_follow_their_samples() -> None:
    """The second visit alone: its image, with its label, which is another number among fewer classes."""
    run = random_run(MethodKind.NITI_DYNAMIC)
    wanted, row = run.images[2].max(), run.model.weights[7][2].copy()

    def needs(each: Case) -> bool:
        assert isinstance(each, Capsule)
        assert each.order is not None
        rows = [each.model.weights[each.model.network.weighted[-1]][each.labels[k]] for k in each.order]
        tops = [each.images[k].max() for k in each.order]
        return any(top == wanted and np.array_equal(r, row) for top, r in zip(tops, rows, strict=True))

    found = smaller(capsule_of(run, Mode.EPOCH), needs, SECONDS)
    assert isinstance(found, Capsule)
    assert (len(found.images), found.model.network.classes, size_of(found).nonzero) == (1, 2, 1 + np.count_nonzero(row))


@pytest.mark.parametrize("kind", [MethodKind.NITI_DYNAMIC, MethodKind.PRIOT_S])
@pytest.mark.parametrize("boundary", [None, 0, 3, 6])
def test_a_channel_goes_with_everything_of_it(kind: MethodKind, boundary: int | None) -> None:
    """Without a channel that nothing behind it takes, the logits are what they were."""
    run = random_run(kind)
    network = run.model.network
    consumer = network.weighted[0 if boundary is None else network.weighted.index(boundary) + 1]
    count = network.input_shape[0] if boundary is None else network.weight_shape(boundary)[0]
    dead = 1
    for edges in (run.model.weights, *([] if kind.learns_scores else [run.state.values])):
        edges[consumer].reshape(len(edges[consumer]), count, -1)[:, dead] = 0
    capsule = capsule_of(run)
    logits = predicted(capsule)
    channels = next(way for way in smaller_runs() if "channels" in way.__name__)(capsule)
    fewer = network.weight_shape(consumer)[1] // count * (count - 1)
    found = [
        each
        for each in channels
        if each.model.network.weight_shape(consumer)[1] == fewer and np.array_equal(predicted(each), logits)
    ]
    assert len(found) == 1


def predicted(capsule: Capsule) -> np.typing.NDArray[np.int8]:
    """The logits of the first image."""
    engine = ReferenceEngine()
    engine.load(capsule.model, capsule.method, capsule.state)
    engine.predict(capsule.images[0])
    return engine.tensor("logits").astype(np.int8)


def stage(kind: MethodKind) -> KernelCase:
    """A convolution with everything behind it and no zero anywhere."""
    draw = np.random.default_rng(1)

    def values(*shape: int) -> np.typing.NDArray[np.int8]:
        return draw.integers(1, 100, shape, dtype=np.int8)

    return KernelCase(
        layer=Conv2d(3, 4, 3, 2, 1),
        behind=(Relu(), MaxPool2d(2), Flatten()),
        input_shape=(3, 9, 7),
        kind=kind,
        theta=0 if kind.learns_scores else None,
        weights=values(4, 3, 3, 3),
        scores=values(4, 3, 3, 3) if kind.learns_scores else None,
        scored=np.ones((4, 3, 3, 3), np.bool_) if kind is MethodKind.PRIOT_S else None,
        image=values(3, 9, 7),
        error=values(16),
        shifts=None,
    )


@pytest.mark.parametrize("kind", MethodKind)
@pytest.mark.parametrize("corner", [(0, 2), (2, 0), (0, 0), (2, 2)])
def test_a_stage_is_cut_to_one_weight(kind: MethodKind, corner: tuple[int, int]) -> None:
    """Wherever in its kernel it is, and nothing else is left."""
    case = stage(kind)
    case.weights[(2, 1, *corner)] = 101

    def needs(each: Case) -> bool:
        assert isinstance(each, KernelCapsule)
        return bool((each.case.weights == 101).any())

    found = smaller(KernelCapsule(case), needs, SECONDS)
    assert isinstance(found, KernelCapsule)
    assert (size_of(found).input_shape, size_of(found).weights, size_of(found).nonzero) == ((1, 1, 1), 1, 1)
    assert (found.case.behind, found.case.layer) == ((), Conv2d(1, 1, 1, 1, 0))


def test_an_input_channel_goes_with_its_weights() -> None:
    """A channel of the image and the weights that it meets, in their pairing."""
    case = stage(MethodKind.PRIOT)
    case.image[1] = 101
    case.weights[:, 1] = 102

    def needs(each: Case) -> bool:
        assert isinstance(each, KernelCapsule)
        image, weights = each.case.image, each.case.weights
        return any((image[k] == 101).any() and (weights[:, k] == 102).any() for k in range(len(image)))

    found = smaller(KernelCapsule(case), needs, SECONDS)
    assert (size_of(found).weights, size_of(found).nonzero) == (1, 2)
    mixed = replace(case, image=case.image[::-1].copy())
    mixed.image[0] = 3
    assert not needs(KernelCapsule(replace(mixed, weights=np.where(case.weights == 102, 5, case.weights))))


@examples(25)
@given(run=runs())
def test_smaller_runs_are_legal_or_refused(run: Run) -> None:
    """Nothing but a sentence comes of a cut that does not fit; of most runs there is one that does."""
    expect_legal(capsule_of(run), smaller_runs(), run.images.size > 8)


@examples(25)
@given(case=kernel_cases())
def test_smaller_stages_are_legal_or_refused(case: KernelCase) -> None:
    """The same for single stages."""
    expect_legal(KernelCapsule(case), smaller_stages(), case.weights.size > 8)


def expect_legal(case: Case, all_ways: Sequence[Callable[[Case], Iterator[Case]]], is_large: bool) -> None:
    """Some cuts of each kind."""
    legal = 0
    for ways in all_ways:
        for _, candidate in zip(range(8), ways(case), strict=False):
            try:
                check_case(candidate)
                legal += 1
            except InputError:
                continue
    assert legal or not is_large


def way_of(name: str) -> Callable[[Case], Iterator[Case]]:
    """One of the ways to make a run smaller."""
    return next(way for way in smaller_runs() if way.__name__ == name)


def test_labels_name_the_same_classes() -> None:
    """Whatever classes go, a sample of one that stays keeps its row of weights."""
    run = random_run(MethodKind.NITI_DYNAMIC)
    rows = {tuple(row): k for k, row in enumerate(run.model.weights[7].tolist())}
    tried = 0
    for each in way_of("_channels")(capsule_of(run)):
        assert isinstance(each, Capsule)
        kept = [rows.get(tuple(row)) for row in each.model.weights[7].tolist()]
        for old, new in zip(run.labels, each.labels, strict=True):
            if len(kept) < 6 and old in kept:
                assert kept[new] == old
                tried += 1
    assert tried > 20


def test_visits_stay_in_their_order() -> None:
    """An epoch with fewer visits shows the same samples one after the other, some left out; unused ones go."""
    capsule = replace(capsule_of(random_run(MethodKind.PRIOT), Mode.EPOCH), order=np.array([3, 1, 1]))
    sums = {int(image.sum()): k for k, image in enumerate(capsule.images)}
    visits = set()
    for each in way_of("_steps")(capsule):
        assert isinstance(each, Capsule)
        assert each.order is not None
        seen = [sums[int(each.images[k].sum())] for k in each.order]
        assert [int(each.labels[k]) for k in each.order] == [int(capsule.labels[k]) for k in seen]
        visits.add((tuple(seen), len(each.images)))
    assert visits == {((1, 1), 4), ((3, 1), 4), ((3, 1, 1), 2)}


def test_an_illegal_cut_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not run, and the next one is tried."""
    case = KernelCapsule(stage(MethodKind.PRIOT))
    illegal = KernelCapsule(replace(case.case, theta=-128))
    legal = KernelCapsule(replace(case.case, theta=1))
    monkeypatch.setattr(
        search, "smaller_stages", lambda: (lambda each: iter([illegal, legal] if each is case else []),)
    )
    asked: list[Case] = []
    assert smaller(case, lambda each: not asked.append(each), SECONDS) is legal
    assert asked == [legal]
