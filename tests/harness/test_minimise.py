"""Cases are cut down to what a failure needs, and stay legal on the way."""

from dataclasses import replace

import numpy as np
import pytest
from equivalence.cases import examples
from hypothesis import given

from priot_hil.harness.capsule import Capsule, Mode
from priot_hil.harness.capsule_kernel import ExpectedKernel, KernelCapsule
from priot_hil.harness.cases import Case, arrays_of, size_of
from priot_hil.harness.compare import Mismatch
from priot_hil.harness.failures import smallest
from priot_hil.harness.minimise import minimise
from priot_hil.harness.minimise.search import passes
from priot_hil.harness.replay import replay
from priot_hil.harness.strategies import Run, kernel_cases, runs
from priot_hil.reference.engine import KernelCase, KernelResult
from priot_hil.reference.errors import InputError
from priot_hil.reference.network import Conv2d, Flatten, Linear, MaxPool2d, Network, Relu
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reference.run import Method, MethodKind, Model, Shifts, State

SECONDS = 60.0
LARGE = Network(
    (2, 11, 9),
    (Conv2d(2, 3, 3, 2, 1), Relu(), MaxPool2d(2), Conv2d(3, 4, 2), Relu(), Flatten(), Linear(8, 5), Linear(5, 6)),
)


def capsule_of(run: Run, mode: Mode = Mode.TRAIN) -> Capsule:
    """A run as a capsule."""
    order = np.arange(len(run.images))[::-1].copy() if mode is Mode.EPOCH else None
    return Capsule(run.model, run.method, run.state, run.images, run.labels, mode, order=order)


def stage(kind: MethodKind = MethodKind.PRIOT_S) -> KernelCase:
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
def test_a_stage_is_cut_to_one_weight(kind: MethodKind) -> None:
    """Where the failure takes no more than one weight of one value, nothing else is left."""
    case = stage(kind)
    case.weights[2, 1, 0, 2] = 101
    found = minimise(KernelCapsule(case), lambda smaller: bool((smaller.case.weights == 101).any()), SECONDS)
    assert isinstance(found, KernelCapsule)
    arrays_of(found)
    size = size_of(found)
    assert (size.input_shape, size.weights, size.nonzero) == ((1, 1, 1), 1, 1)
    assert found.case.behind == ()
    assert found.case.layer == Conv2d(1, 1, 1, 1, 0)


def test_what_belongs_together_stays_together() -> None:
    """An error that sits at the end of a channel keeps its place relative to the weights of its row."""
    case = stage()
    case.error[15] = 101
    case.weights[3] = 102

    def needs_both(smaller: Case) -> bool:
        assert isinstance(smaller, KernelCapsule)
        rows = smaller.case.error.reshape(len(smaller.case.weights), -1)
        both = zip(rows, smaller.case.weights, strict=True)
        return any((errors == 101).any() and (weights == 102).any() for errors, weights in both)

    found = minimise(KernelCapsule(case), needs_both, SECONDS)
    assert (size_of(found).weights, size_of(found).nonzero) == (1, 2)


@pytest.mark.parametrize("kind", MethodKind)
@pytest.mark.parametrize("mode", [Mode.TRAIN, Mode.EPOCH])
def test_a_run_is_cut_to_one_layer_and_step(kind: MethodKind, mode: Mode) -> None:
    """One label of six classes and one weight of the last layer: two classes, one step and that weight remain."""
    run = _random_run(kind)
    last = run.model.network.weighted[-1]
    run.model.weights[last][3, 2] = 126
    if not kind.learns_scores:
        run.state.values[last][3, 2] = 126

    def needs(smaller: Case) -> bool:
        assert isinstance(smaller, Capsule)
        network = smaller.model.network
        weights = smaller.model.weights[network.weighted[-1]]
        labels = smaller.labels if smaller.order is None else smaller.labels[smaller.order]
        return any((weights[label] == 126).any() for label in labels)

    run.labels[1] = 3
    found = minimise(capsule_of(run, mode), needs, SECONDS)
    assert isinstance(found, Capsule)
    arrays_of(found)
    size = size_of(found)
    assert (size.steps, size.nonzero) == (1, 1)
    assert len(found.images) == 1
    assert found.model.network.layers[-1] == Linear(1, 2)
    assert len(found.model.network.weighted) == 1


def _random_run(kind: MethodKind) -> Run:
    """A run on LARGE whose values are all other than 0."""
    draw = np.random.default_rng(2)
    shapes = {i: LARGE.weight_shape(i) for i in LARGE.weighted}
    weights = {i: draw.integers(1, 100, shape, dtype=np.int8) for i, shape in shapes.items()}
    values = {i: draw.integers(1, 100, shape, dtype=np.int8) for i, shape in shapes.items()}
    scored = {i: np.ones(shape, np.bool_) for i, shape in shapes.items()} if kind is MethodKind.PRIOT_S else None
    learned = values if kind.learns_scores else {i: array.copy() for i, array in weights.items()}
    images = draw.integers(1, 100, (4, *LARGE.input_shape), dtype=np.int8)
    method = Method(kind, theta=0 if kind.learns_scores else None)
    model = Model(LARGE, weights, dict.fromkeys(shapes, -7))
    scales = {i: Shifts(9, 9 if i else 0, 9) for i in shapes} if kind is MethodKind.NITI_STATIC else None
    return Run(model, method, State(learned, 77, scales, scored), images, np.array([0, 1, 2, 4]))


@examples(40)
@given(run=runs())
def test_smaller_runs_are_legal_or_refused(run: Run) -> None:
    """Nothing but a sentence comes of a candidate that does not fit; of most runs there is one that does."""
    _expect_legal(capsule_of(run), run.images.size > 8)


@examples(40)
@given(case=kernel_cases())
def test_smaller_stages_are_legal_or_refused(case: KernelCase) -> None:
    """The same for single stages."""
    _expect_legal(KernelCapsule(case), case.weights.size > 8)


def _expect_legal(case: Case, is_large: bool) -> None:
    legal = 0
    for candidates in passes(case):
        for _, candidate in zip(range(12), candidates(case), strict=False):
            try:
                arrays_of(candidate)
                legal += 1
            except InputError:
                continue
    assert legal or not is_large


class ClipsEarly(ReferenceEngine):
    """Clips outputs of stages at 126."""

    def run_kernel(self, case: KernelCase) -> KernelResult:
        """The reference's result, but for the largest outputs."""
        result = super().run_kernel(case)
        return replace(result, output=np.clip(result.output, -127, 126))


def test_the_smallest_fails_alike() -> None:
    """A real divergence, made by an engine with a bug: one product that is just large enough remains."""
    case = replace(stage(), kind=MethodKind.NITI_STATIC, theta=None, scores=None, scored=None, shifts=Shifts(1, 9, 9))
    engine = ClipsEarly()
    divergence = replay(KernelCapsule(case), engine)
    assert divergence is not None
    assert divergence.tensor == "output"
    found = smallest(KernelCapsule(case), Mismatch(divergence), engine)
    assert isinstance(found, KernelCapsule)
    assert size_of(found).weights == 1
    assert int(found.case.weights.item()) * int(found.case.image.item()) >= 126.5 * 2**found.case.shifts.forward
    assert not found.case.error.any()
    assert replay(found, engine) is not None
    assert replay(found, ReferenceEngine()) is None


def test_stored_results_stay_with_their_case() -> None:
    """They would be wrong for any other."""
    case = KernelCapsule(stage(), ExpectedKernel(output=np.zeros(16, np.int8)))
    assert minimise(case, lambda _: True, SECONDS) is case


def test_the_time_is_kept() -> None:
    """The smallest so far comes back when the time is over; without any time it is the case itself."""
    case = KernelCapsule(stage())
    assert minimise(case, lambda _: True, -1.0) is case


@pytest.mark.parametrize("error", [InputError("no"), ZeroDivisionError()])
def test_what_the_search_makes_of_exceptions(error: Exception) -> None:
    """A refusal is a candidate less; anything else is the caller's."""
    case = KernelCapsule(stage())

    def fails(_: Case) -> bool:
        raise error

    if isinstance(error, InputError):
        assert minimise(case, fails, SECONDS) is case
    else:
        with pytest.raises(ZeroDivisionError):
            minimise(case, fails, SECONDS)
