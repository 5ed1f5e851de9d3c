"""Networks that are the same in another order, sign, shape or size: every number has to follow.

A single stage is taken where the symmetry is that of a layer, whole runs where it goes through several. As in
test_metamorphic.py, an engine is held against itself.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from equivalence.cases import examples
from equivalence.histories import Array, blamed, by_channel, expect_same, expect_tensor, record, with_edges
from hypothesis import assume, given
from hypothesis import strategies as st

from priot_hil.harness.strategies import Run, Sizes, kernel_cases, runs
from priot_hil.reference.engine import Engine, KernelCase, KernelEngine, KernelResult
from priot_hil.reference.network import Conv2d, Linear, MaxPool2d, output_shape
from priot_hil.reference.run import LossRounding

SMALL = Sizes(channels=4, side=6, kernel=4, features=12, weighted=4, linear_weights=150)


@examples(12)
@given(run=runs(sizes=SMALL, steps=2), data=st.data())
@blamed
def test_permuted_channels_permute_the_results(engine: Engine, run: Run, data: st.DataObject) -> None:
    """The channels of the image or of a hidden layer in another order, and the weights that take them: no logit moves.

    The stage's own output and error are permuted, its rows and the next layer's columns learn the same, and the draws
    of the loss stay where they were.
    """
    weighted = run.model.network.weighted
    counts = [run.images.shape[1], *(run.model.weights[i].shape[0] for i in weighted[:-1])]
    place = data.draw(st.sampled_from([place for place, count in enumerate(counts) if count > 1] or [0]))
    row = weighted[place - 1] if place else None
    order = other_order(data, counts[place])

    def permute(layer: int, array: Array) -> Array:
        if layer == row:
            return array[order]
        return by_channel(array, 1, order) if layer == weighted[place] else array

    permuted = with_edges(run, permute)
    if row is None:
        permuted = permuted._replace(images=by_channel(run.images, 1, order))
    expected = []
    for moment in record(engine, run):
        own = {f"{row}.output", f"{row}.error"}
        tensors = {name: by_channel(t, 0, order) if name in own else t for name, t in moment.tensors.items()}
        values = {i: permute(i, array) for i, array in moment.state.values.items()}
        expected.append(replace(moment, tensors=tensors, state=replace(moment.state, values=values)))
    expect_same(record(engine, permuted), expected)


@examples(5)
@given(run=runs(sizes=SMALL, steps=2), data=st.data())
@blamed
def test_permuted_classes_permute_the_results(engine: Engine, run: Run, data: st.DataObject) -> None:
    """The classes in another order, and the labels with them. Rounding to nearest: draws go by the class's number."""
    last, classes = run.model.network.weighted[-1], run.model.network.classes
    order = other_order(data, classes)
    run = run._replace(method=replace(run.method, loss_rounding=LossRounding.NEAREST))

    def permute(layer: int, array: Array) -> Array:
        return array[order] if layer == last else array

    permuted = with_edges(run, permute)._replace(labels=np.argsort(order)[run.labels])
    expected = []
    for moment in record(engine, run):
        own = {f"{last}.output", f"{last}.error"}
        tensors = {name: t[order] if name in own else t for name, t in moment.tensors.items()}
        values = {i: permute(i, array) for i, array in moment.state.values.items()}
        first = int(np.argmax(tensors[f"{last}.output"]))  # of equal logits the lowest number wins, whose it now is
        state = replace(moment.state, values=values)
        expected.append(replace(moment, prediction=first, tensors=tensors, state=state))
    expect_same(record(engine, permuted), expected)


@examples(8)
@given(case=kernel_cases())
@blamed
def test_negated_image_and_weights_give_the_same_sums(engine: KernelEngine, case: KernelCase) -> None:
    """(-W)(-x) = Wx. The error to the input and the gradient change sign and nothing else; so no rounding has a bias.

    NITI's weights learn the negative, scores the same: P = W * G has both signs twice.
    """
    got, expected = engine.run_kernel(replace(case, weights=-case.weights, image=-case.image)), engine.run_kernel(case)
    updated = expected.updated if case.kind.learns_scores else -expected.updated
    expect_result(
        got, replace(expected, input_error=-expected.input_error, gradient=-expected.gradient, updated=updated)
    )


@examples(8)
@given(case=kernel_cases())
@blamed
def test_negated_weights_and_error_give_the_same_error(engine: KernelEngine, case: KernelCase) -> None:
    """(-W)'(-e) = W'e. Without layers behind, the output and the gradient change sign; what is learned as above."""
    case = without(case)
    got, expected = engine.run_kernel(replace(case, weights=-case.weights, error=-case.error)), engine.run_kernel(case)
    updated = expected.updated if case.kind.learns_scores else -expected.updated
    expect_result(got, replace(expected, output=-expected.output, gradient=-expected.gradient, updated=updated))


@examples(8)
@given(case=kernel_cases())
@blamed
def test_padding_is_a_border_of_zeros(engine: KernelEngine, case: KernelCase) -> None:
    """A padded convolution is one without padding on an image with zeros around; the border's error falls away."""
    case = with_its_shifts(engine, case)
    layer = case.layer
    assume(isinstance(layer, Conv2d))
    assert isinstance(layer, Conv2d)
    border = layer.padding
    image = np.pad(case.image, ((0, 0), (border, border), (border, border)))
    wide = replace(case, layer=replace(layer, padding=0), input_shape=image.shape, image=image)
    got, (_, height, width) = engine.run_kernel(wide), case.input_shape
    inner = got.input_error[:, border : border + height, border : border + width]
    expect_result(replace(got, input_error=inner), engine.run_kernel(case))


@examples(8)
@given(case=kernel_cases())
@blamed
def test_linear_is_a_convolution_that_covers_its_image(engine: KernelEngine, case: KernelCase) -> None:
    """A kernel as large as its image meets it once: a linear layer, with 1 x 1 as the smallest of them."""
    layer = case.layer
    assume(isinstance(layer, Linear))
    assert isinstance(layer, Linear)
    side = max(side for side in (1, 2, 3, 4) if layer.in_features % side**2 == 0)
    channels = layer.in_features // side**2
    convolution = Conv2d(channels, layer.out_features, side)
    shape = (layer.out_features, channels, side, side)
    flat = output_shape_of(case)
    conv = replace(case, layer=convolution, input_shape=shape[1:], image=case.image.reshape(shape[1:]))
    conv = reshaped(conv, shape, output_shape_of(conv))
    got = engine.run_kernel(conv)
    assert got.input_error.shape == shape[1:]
    edges = (layer.out_features, layer.in_features)
    expect_result(
        KernelResult(
            got.output.reshape(flat), got.input_error.ravel(), got.gradient.reshape(edges),
            got.updated.reshape(edges), got.shifts,
        ),
        engine.run_kernel(case),
    )  # fmt: skip


@examples(8)
@given(case=kernel_cases())
@blamed
def test_transposed_images_give_transposed_results(engine: KernelEngine, case: KernelCase) -> None:
    """Rows and columns of image, kernel and error exchanged. Without pools: of equal maxima the first in a row wins."""
    case = without(case, MaxPool2d)
    assume(isinstance(case.layer, Conv2d))
    plane = output_shape(case.layer, case.input_shape, "layer")

    def turned(array: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        return np.ascontiguousarray(array.swapaxes(-1, -2))

    def turned_output(array: Array) -> Array:
        rows = np.ascontiguousarray(array.reshape(plane).swapaxes(1, 2))
        return rows.ravel() if array.ndim == 1 else rows

    transposed = replace(
        case,
        input_shape=(case.input_shape[0], case.input_shape[2], case.input_shape[1]),
        image=turned(case.image),
        weights=turned(case.weights),
        scores=None if case.scores is None else turned(case.scores),
        scored=None if case.scored is None else turned(case.scored),
        error=turned_output(case.error),
    )
    got, expected = engine.run_kernel(transposed), engine.run_kernel(case)
    expect_result(
        got,
        KernelResult(
            turned_output(expected.output), turned(expected.input_error), turned(expected.gradient),
            turned(expected.updated), expected.shifts,
        ),
    )  # fmt: skip


@examples(8)
@given(case=kernel_cases(), place=st.integers(0, 24), weight=st.integers(-127, 127))
@blamed
def test_dead_input_is_no_input(engine: KernelEngine, case: KernelCase, place: int, weight: int) -> None:
    """One more channel that is all zero, whatever its weights: no sum moves, and its own weights learn nothing."""
    case = with_its_shifts(engine, case)
    place %= case.weights.shape[1] + 1
    layer: Conv2d | Linear
    if isinstance(case.layer, Conv2d):
        layer = replace(case.layer, in_channels=case.layer.in_channels + 1)
    else:
        layer = replace(case.layer, in_features=case.layer.in_features + 1)
    image = np.insert(case.image, place, 0, axis=0)
    values = {
        name: np.insert(array, place, value, axis=1)
        for name, array, value in (
            ("weights", case.weights, weight), ("scores", case.scores, -weight), ("scored", case.scored, True)
        )
        if array is not None
    }  # fmt: skip
    got = engine.run_kernel(replace(case, layer=layer, input_shape=image.shape, image=image, **values))
    expected = engine.run_kernel(case)
    dead = {"gradient": 0, "updated": -weight if case.kind.learns_scores else weight}
    for name, value in dead.items():
        array = getattr(got, name)
        expect_tensor(array, np.insert(getattr(expected, name), place, value, axis=1), f"{name} with a dead input")
    expect_tensor(got.output, expected.output, "output")
    expect_tensor(np.delete(got.input_error, place, axis=0), expected.input_error, "input error")


def other_order(data: st.DataObject, count: int) -> npt.NDArray[np.intp]:
    """A permutation; turned once, so that the simplest that is drawn is none that leaves all in its place."""
    return np.roll(np.array(data.draw(st.permutations(range(count)))), 1)


def expect_result(got: KernelResult, expected: KernelResult) -> None:
    """Every tensor of a stage, and its shifts."""
    for name in ("output", "input_error", "gradient", "updated"):
        expect_tensor(getattr(got, name), getattr(expected, name), name)
    assert got.shifts == expected.shifts


def output_shape_of(case: KernelCase) -> tuple[int, ...]:
    """The shape of a stage's output."""
    shape = case.input_shape
    for layer in (case.layer, *case.behind):
        shape = output_shape(layer, shape, "layer")
    return shape


def reshaped(case: KernelCase, weights: tuple[int, ...], output: tuple[int, ...]) -> KernelCase:
    """The case with its arrays in other shapes of the same sizes."""
    edges = {name: getattr(case, name) for name in ("weights", "scores", "scored")}
    changed = {name: array.reshape(weights) for name, array in edges.items() if array is not None}
    return replace(case, error=case.error.reshape(output), **changed)


def with_its_shifts(engine: KernelEngine, case: KernelCase) -> KernelCase:
    """The case with the shifts that it finds for itself, where they are dynamic, as static ones."""
    return case if case.shifts else replace(case, shifts=engine.run_kernel(case).shifts)


def without(case: KernelCase, *kinds: type) -> KernelCase:
    """The case without layers of these kinds behind it, or without any; the error repeats as far as it has to."""
    behind = tuple(layer for layer in case.behind if kinds and not isinstance(layer, kinds))
    case = replace(case, behind=behind)
    return replace(case, error=np.resize(case.error, output_shape_of(case)))
