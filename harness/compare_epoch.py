"""The first divergence where a device works on its own: whole epochs, and the calibration step."""

import numpy as np
import numpy.typing as npt

from priot_hil.reference.engine import DatasetEngine, Engine, Observation
from priot_hil.reference.network import Network

from .compare import compare_state, layer_name
from .divergence import Difference, Divergence, difference_of

AFTER = "after the epoch"


def compare_epoch(
    engine: DatasetEngine,
    reference: DatasetEngine,
    network: Network,
    order: npt.NDArray[np.integer],
    learns_scores: bool,
) -> Divergence | None:
    """Let both engines train for an epoch and compare all that it reports and leaves behind.

    Args:
        engine: The engine to check, loaded with run and data.
        reference: The engine to believe, loaded with the same.
        network: The run's network.
        order: Whole numbers, (m,): the samples to visit.
        learns_scores: True where the state's values are scores.

    Returns:
        The first divergence: the state, right predictions in training, then in the test, the state's checksum; or None.
    """
    expected, got = reference.train_epoch(order), engine.train_epoch(order)
    if (found := compare_state(engine, network, reference.state(), learns_scores, AFTER)) is not None:
        return found
    for what, difference in (
        ("right predictions in training", difference_of(expected.correct, got.correct)),
        ("right predictions in the test", difference_of(reference.evaluate(), engine.evaluate())),
        ("checksum of the state", difference_of(reference.state_crc(), engine.state_crc())),
    ):
        if difference is not None:
            return Divergence(engine.name, None, "", what, difference, moment=AFTER)
    return None


def compare_observation(
    engine: Engine, reference: Engine, network: Network, image: npt.NDArray[np.int8], label: int, step: int
) -> Divergence | None:
    """Let both engines observe one sample and compare the shifts they report.

    Args:
        engine: The engine to check, loaded with a run of dynamic shifts.
        reference: The engine to believe, loaded with the same run.
        network: The run's network.
        image: int8, the network's input shape.
        label: 0..K-1.
        step: Index of the sample, for the divergence.

    Returns:
        The first divergence in the order of computation, or None.
    """
    expected, got = reference.observe(image, label), engine.observe(image, label)
    ways = [(i, "forward") for i in network.weighted]
    ways += [(i, way) for i in reversed(network.weighted) for way in ("gradient", "backward")]
    for layer, way in ways:
        wanted, had = (_shift(observed.get(layer), way) for observed in (expected, got))
        if wanted != had:
            where = layer_name(network, layer)
            return Divergence(engine.name, step, where, f"observed {way} shift", Difference((), wanted, had))
    return None


def _shift(observed: Observation | None, way: str) -> int | str:
    """A shift as messages show it."""
    if observed is None:
        return "no report"
    shift: int | None = getattr(observed, way)
    return "none (all zero)" if shift is None else shift
