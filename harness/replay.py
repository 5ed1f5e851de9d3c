"""A capsule on an engine: the first divergence from what the capsule expects, or from the reference."""

import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

from priot_hil.reference.engine import DatasetEngine, Engine, KernelEngine
from priot_hil.reference.reference_engine import ReferenceEngine

from .capsule import Capsule, Expected, Mode
from .capsule_kernel import KernelCapsule
from .cases import Case
from .compare import compare_prediction, compare_state, compare_step, layer_name
from .compare_epoch import compare_epoch, compare_observation
from .compare_kernel import compare_kernel
from .divergence import Divergence, difference_of, first_difference

AFTERWARDS = "in a prediction after the last step"


class AnyEngine(DatasetEngine, KernelEngine, Protocol):
    """What a capsule of any mode can run on."""


def replay(case: Case, engine: AnyEngine) -> Divergence | None:
    """Run a capsule and find the first divergence.

    The results stored in the capsule are believed; where it stores none, the reference runs beside the engine. A stored
    last state of the generator is compared in any case. Stored results and epochs show only that an engine is wrong: to
    say where, the reference then runs beside it, step by step.

    Args:
        case: A legal capsule of any mode.
        engine: The engine to check; it is loaded with the capsule's run.

    Returns:
        The first divergence, or None where all is equal.

    Raises:
        InputError: The engine refuses the run.
    """
    if isinstance(case, KernelCapsule):
        return compare_kernel(engine, case)
    engine.load(case.model, case.method, case.state)
    found = _against_results(case, engine) if case.expected.has_results else _against_reference(case, engine)
    divergence = next((divergence for divergence in found if divergence is not None), None)
    if divergence is not None and (closer := _closer(case)) is not None:
        return replay(closer, engine) or divergence
    return divergence


def _closer(capsule: Capsule) -> Capsule | None:
    """The same run, looked at more closely: each tensor beside the reference, and an epoch in single steps."""
    if capsule.order is None and not capsule.expected.has_results:
        return None
    order = slice(None) if capsule.order is None else capsule.order
    mode = capsule.mode if capsule.order is None else Mode.TRAIN
    images, labels = capsule.images[order], capsule.labels[order]
    return replace(capsule, mode=mode, order=None, images=images, labels=labels, expected=Expected())


def _against_results(capsule: Capsule, engine: DatasetEngine) -> Iterator[Divergence | None]:
    if capsule.order is not None:
        _load_data(capsule, engine)
        engine.train_epoch(capsule.order)
    else:
        for step in range(len(capsule.images)):
            yield _compare_results(capsule, engine, step)
    state = engine.state()
    values = {i: capsule.expected.values.get(i, value) for i, value in state.values.items()}
    rng = state.rng if capsule.expected.rng is None else capsule.expected.rng
    expected = replace(capsule.state, values=values, rng=rng)
    yield compare_state(engine, capsule.model.network, expected, capsule.method.kind.learns_scores)


def _compare_results(capsule: Capsule, engine: Engine, step: int) -> Divergence | None:
    """Run one step; compare its logits and its prediction with those stored."""
    network, expected = capsule.model.network, capsule.expected
    image, label = capsule.images[step], int(capsule.labels[step])
    last = network.weighted[-1]
    crc = prediction = None
    match capsule.mode:
        case Mode.TRAIN:
            report = engine.train_step(image, label)
            prediction, crc = report.prediction, report.crcs.get(f"{last}.output")
        case Mode.PREDICT:
            prediction = engine.predict(image)
        case Mode.OBSERVE:
            engine.observe(image, label)
    if expected.logits is not None and crc != zlib.crc32(expected.logits[step].tobytes()):
        difference = first_difference(expected.logits[step], engine.tensor("logits"))
        if difference is not None:
            return Divergence(engine.name, step, layer_name(network, last), "logits", difference)
    if expected.predictions is not None and prediction is not None:
        difference = difference_of(int(expected.predictions[step]), prediction)
        if difference is not None:
            return Divergence(engine.name, step, "", "prediction", difference)
    return None


def _against_reference(capsule: Capsule, engine: DatasetEngine) -> Iterator[Divergence | None]:
    network, learns_scores = capsule.model.network, capsule.method.kind.learns_scores
    reference = ReferenceEngine()
    reference.load(capsule.model, capsule.method, capsule.state)
    if capsule.order is not None:
        for either in (engine, reference):
            _load_data(capsule, either)
        yield compare_epoch(engine, reference, network, capsule.order, learns_scores)
    else:
        for step, (image, label) in enumerate(zip(capsule.images, capsule.labels, strict=True)):
            match capsule.mode:
                case Mode.TRAIN:
                    yield compare_step(engine, reference, network, image, int(label), step)
                    yield compare_state(engine, network, reference.state(), learns_scores, step, reference)
                case Mode.PREDICT:
                    yield compare_prediction(engine, reference, network, image, step)
                case Mode.OBSERVE:
                    yield compare_observation(engine, reference, network, image, int(label), step)
    expected = reference.state()
    if capsule.expected.rng is not None:
        expected = replace(expected, rng=capsule.expected.rng)
    yield compare_state(engine, network, expected, learns_scores)
    if capsule.mode is Mode.TRAIN:  # what was learned is used
        yield compare_prediction(engine, reference, network, capsule.images[0], AFTERWARDS)


def _load_data(capsule: Capsule, engine: DatasetEngine) -> None:
    """The samples as training and as test set."""
    labels = capsule.labels
    engine.load_data(capsule.images, labels, capsule.images, labels)
