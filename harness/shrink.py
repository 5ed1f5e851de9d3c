"""A failing case made smaller in its own terms: layers, channels, rows and values, where hypothesis got stuck.

Hypothesis shrinks the choices behind a case and may not find that a channel can go with everything that belongs to it.
Here each step is a legal case with something less; it is kept if it fails still.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from priot_hil.reference.checks import Int8Array
from priot_hil.reference.engine import KernelCase
from priot_hil.reference.errors import InputError
from priot_hil.reference.kernel import check_kernel_case
from priot_hil.reference.network import Conv2d, Flatten, Linear, Weighted, output_shape

from .capsule import Capsule
from .capsule_kernel import ExpectedKernel, KernelCapsule
from .cases import Case

SECONDS = 5.0
Fails = Callable[[Case], bool]


def smaller(case: Case, fails: Fails, seconds: float = SECONDS) -> Case:
    """Take away from a case whatever it fails without.

    Args:
        case: A case that fails.
        fails: Whether another one does.
        seconds: After which the smallest so far has to do.

    Returns:
        The smallest found; the case itself where nothing can go.
    """
    end = time.monotonic() + seconds
    is_smaller = True
    while is_smaller:
        is_smaller = False
        for candidate in _candidates(case):
            if time.monotonic() >= end:
                return case
            if fails(candidate):
                case, is_smaller = candidate, True
                break
    return case


def _candidates(case: Case) -> Iterator[Case]:
    """Cases with something less, the largest cuts first."""
    if isinstance(case, Capsule):
        yield from _runs(case)
        return
    for stage in (*_shapes(case.case), *_values(case.case)):
        try:
            check_kernel_case(stage)
        except InputError:
            continue  # the cut left no legal stage
        yield KernelCapsule(stage, ExpectedKernel())


def _shapes(case: KernelCase) -> Iterator[KernelCase]:
    """Stages with a layer, channels, rows or columns less."""
    for i in range(len(case.behind)):
        yield _fitted(replace(case, behind=case.behind[:i] + case.behind[i + 1 :]))
    for kept in _fewer(len(case.weights)):
        yield _with_outputs(case, kept)
    for kept in _fewer(case.weights.shape[1]):
        yield _with_inputs(case, kept)
    if isinstance(case.layer, Conv2d):
        for axis in (1, 2):
            for kept in _fewer(case.input_shape[axis]):
                image = case.image.take(kept, axis)
                yield _fitted(replace(case, image=image, input_shape=image.shape))
        layer, size = case.layer, case.layer.kernel
        for less in ({"padding": layer.padding - 1}, {"stride": layer.stride - 1}):
            if min(less.values()) >= (1 if "stride" in less else 0):
                yield _fitted(replace(case, layer=replace(layer, **less)))
        for start in (0, 1) if size > 1 else ():
            piece = np.s_[:, :, start : start + size - 1, start : start + size - 1]
            smaller_kernel = replace(layer, kernel=size - 1, padding=min(layer.padding, size - 2))
            yield _fitted(_with_weights(replace(case, layer=smaller_kernel), piece))


def _values(case: KernelCase) -> Iterator[KernelCase]:
    """Stages with zeros, or smaller numbers, in place of others."""
    for name in ("error", "image", "weights", "scores"):
        if (values := getattr(case, name)) is not None:
            for simpler in _simpler(values):
                changes: dict[str, Any] = {name: simpler}
                yield replace(case, **changes)


def _runs(capsule: Capsule) -> Iterator[Capsule]:
    """Runs with steps less, or zeros in place of other numbers."""
    if capsule.order is None:
        for kept in _fewer(len(capsule.images)):
            yield replace(capsule, images=capsule.images[kept], labels=capsule.labels[kept])
    for images in _simpler(capsule.images):
        yield replace(capsule, images=images)
    state, model = capsule.state, capsule.model
    for i in model.network.weighted:
        for simpler in _simpler(state.values[i]):
            yield replace(capsule, state=replace(state, values={**state.values, i: simpler}))
        if capsule.method.kind.learns_scores:
            for simpler in _simpler(model.weights[i]):
                yield replace(capsule, model=replace(model, weights={**model.weights, i: simpler}))


def _fewer(count: int) -> Iterator[list[int]]:
    """Indices to keep: without one half, without a quarter, ..., without a single one; at least one is kept."""
    piece = (count + 1) // 2
    while piece and count > 1:
        for start in range(0, count, piece):
            kept = [*range(start), *range(start + piece, count)]
            if kept:
                yield kept
        piece //= 2


def _simpler(values: Int8Array) -> Iterator[Int8Array]:
    """The same with zeros in all, half, a quarter, ... of its places, then with single numbers nearer to 0."""
    places = np.flatnonzero(values)
    piece = len(places)
    while piece:
        for start in range(0, len(places), piece):
            zeroed = values.copy()
            zeroed.flat[places[start : start + piece]] = 0
            yield zeroed
        piece //= 2
    for place in places:
        old = int(values.flat[place])
        for new in dict.fromkeys((1, -1, int(old / 2), old - (1 if old > 0 else -1))):
            if abs(new) < abs(old) or (new == 1 and old == -1):
                changed = values.copy()
                changed.flat[place] = new
                yield changed


def _with_outputs(case: KernelCase, kept: list[int]) -> KernelCase:
    """A stage with some of its output channels or features only."""
    layer, count = case.layer, len(kept)
    fewer: Weighted = (
        Linear(layer.in_features, count) if isinstance(layer, Linear) else replace(layer, out_channels=count)
    )
    error = case.error.reshape(_before_flatten(case))[kept]
    stage = _with_weights(replace(case, layer=fewer), np.s_[kept])
    return _fitted(replace(stage, error=error))


def _with_inputs(case: KernelCase, kept: list[int]) -> KernelCase:
    """A stage with some of its input channels or features only."""
    layer, count, image = case.layer, len(kept), case.image[kept]
    fewer: Weighted = (
        Linear(count, layer.out_features) if isinstance(layer, Linear) else replace(layer, in_channels=count)
    )
    stage = _with_weights(replace(case, layer=fewer), np.s_[:, kept])
    return replace(stage, image=image, input_shape=image.shape)


def _with_weights(case: KernelCase, piece: Any) -> KernelCase:
    """A stage with a piece of its weights, scores and mask."""
    parts = {name: getattr(case, name) for name in ("weights", "scores", "scored")}
    cut: dict[str, Any] = {name: np.ascontiguousarray(part[piece]) for name, part in parts.items() if part is not None}
    return replace(case, **cut)


def _before_flatten(case: KernelCase) -> tuple[int, ...]:
    """The shape of a stage's output, not flattened."""
    shape = case.input_shape
    for layer in (case.layer, *case.behind):
        if not isinstance(layer, Flatten):
            shape = output_shape(layer, shape, "layer")
    return shape


def _fitted(case: KernelCase) -> KernelCase:
    """A stage whose error has the shape of its output: cut where it is too large, zeros where it was too small."""
    try:
        shape = _before_flatten(case)
    except InputError:
        return case  # to be refused as a whole
    error = case.error
    if isinstance(case.layer, Linear) or error.ndim == 3:
        fitted = np.zeros(shape, np.int8)
        common = tuple(slice(min(a, b)) for a, b in zip(error.shape, shape, strict=True))
        fitted[common] = error[common]
    else:  # flattened: its first numbers
        fitted = np.zeros(int(np.prod(shape)), np.int8)
        count = min(fitted.size, error.size)
        fitted[:count] = error[:count]
    is_flat = any(isinstance(layer, Flatten) for layer in case.behind)
    return replace(case, error=fitted.reshape(-1 if is_flat else shape))
