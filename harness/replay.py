"""A capsule on an engine: the first divergence from what the capsule expects, or from the reference."""

import zlib
from dataclasses import replace

from priot_hil.reference.engine import Engine
from priot_hil.reference.reference_engine import ReferenceEngine

from .capsule import Capsule, Mode
from .compare import (
    Divergence,
    compare_prediction,
    compare_state,
    compare_step,
    difference_of,
    first_difference,
    layer_name,
)


def replay(capsule: Capsule, engine: Engine) -> Divergence | None:
    """Run a capsule and find the first divergence.

    The results stored in the capsule are believed; where it stores none, the reference runs beside the engine. A stored
    last state of the generator is compared in any case.

    Args:
        capsule: A legal capsule.
        engine: The engine to check; it is loaded with the capsule's run.

    Returns:
        The first divergence, or None where all is equal.

    Raises:
        InputError: The engine refuses the run.
    """
    engine.load(capsule.model, capsule.method, capsule.state)
    if capsule.expected.has_results:
        return _against_results(capsule, engine)
    return _against_reference(capsule, engine)


def _against_results(capsule: Capsule, engine: Engine) -> Divergence | None:
    for step in range(len(capsule.images)):
        divergence = _compare_results(capsule, engine, step)
        if divergence is not None:
            return divergence
    state = engine.state()
    values = {i: capsule.expected.values.get(i, value) for i, value in state.values.items()}
    rng = state.rng if capsule.expected.rng is None else capsule.expected.rng
    expected = replace(capsule.state, values=values, rng=rng)
    return compare_state(engine, capsule.model.network, expected, capsule.method.kind.learns_scores)


def _compare_results(capsule: Capsule, engine: Engine, step: int) -> Divergence | None:
    """Run one step; compare its logits and its prediction with those stored."""
    network, expected = capsule.model.network, capsule.expected
    image, label = capsule.images[step], int(capsule.labels[step])
    last = network.weighted[-1]
    crc = None
    if capsule.mode is Mode.TRAIN:
        report = engine.train_step(image, label)
        prediction, crc = report.prediction, report.crcs.get(f"{last}.output")
    else:
        prediction = engine.predict(image)
    if expected.logits is not None and crc != zlib.crc32(expected.logits[step].tobytes()):
        difference = first_difference(expected.logits[step], engine.tensor("logits"))
        if difference is not None:
            return Divergence(engine.name, step, layer_name(network, last), "logits", difference)
    if expected.predictions is not None:
        difference = difference_of(int(expected.predictions[step]), prediction)
        if difference is not None:
            return Divergence(engine.name, step, "", "prediction", difference)
    return None


def _against_reference(capsule: Capsule, engine: Engine) -> Divergence | None:
    network = capsule.model.network
    reference = ReferenceEngine()
    reference.load(capsule.model, capsule.method, capsule.state)
    for step, (image, label) in enumerate(zip(capsule.images, capsule.labels, strict=True)):
        if capsule.mode is Mode.TRAIN:
            divergence = compare_step(engine, reference, network, image, int(label), step)
        else:
            divergence = compare_prediction(engine, reference, network, image, step)
        if divergence is not None:
            return divergence
    expected = reference.state()
    if capsule.expected.rng is not None:
        expected = replace(expected, rng=capsule.expected.rng)
    return compare_state(engine, network, expected, capsule.method.kind.learns_scores)
