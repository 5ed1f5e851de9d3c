"""Two engines side by side: their steps, predictions and states, and the first divergence of each."""

import zlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from priot_hil.reference.engine import Engine, Step
from priot_hil.reference.network import Network
from priot_hil.reference.run import Shifts, State

from .divergence import AT_THE_END, Difference, Divergence, difference_of, first_difference
from .origin import explained


def compare_step(
    engine: Engine, reference: Engine, network: Network, image: npt.NDArray[np.int8], label: int, step: int
) -> Divergence | None:
    """Let both engines learn from one sample and compare all that the step reports.

    CRCs are compared first; tensors are asked for only where a CRC differs.

    Args:
        engine: The engine to check, loaded.
        reference: The engine to believe, loaded with the same run and at the same step.
        network: The run's network.
        image: int8, the network's input shape.
        label: 0..K-1.
        step: Index of the sample, for the divergence.

    Returns:
        The first divergence in the order of computation, or None.
    """
    expected = reference.train_step(image, label)
    got = engine.train_step(image, label)
    for tensor, layer, difference in _step_differences(engine, reference, network, expected, got):
        if difference is not None:
            found = Divergence(engine.name, step, layer_name(network, layer), tensor, difference)
            return explained(found, reference.tensor, network, layer)
    return None


def compare_prediction(
    engine: Engine, reference: Engine, network: Network, image: npt.NDArray[np.int8], when: int | str
) -> Divergence | None:
    """Let both engines classify one sample; compare logits and prediction, and look inside only where they differ.

    Args:
        engine: The engine to check, loaded.
        reference: The engine to believe, loaded with the same run.
        network: The run's network.
        image: int8, the network's input shape.
        when: Index of the sample, or what to say instead, for the divergence.

    Returns:
        The first divergence in the order of computation, or None.
    """
    step, moment = (when, AT_THE_END) if isinstance(when, int) else (None, when)
    expected, got = reference.predict(image), engine.predict(image)
    if first_difference(reference.tensor("logits"), engine.tensor("logits")) is not None:
        for stage in network.stages:
            name = f"{stage.layer}.output"
            difference = first_difference(reference.tensor(name), engine.tensor(name))
            if difference is not None:
                where = layer_name(network, stage.layer)
                found = Divergence(engine.name, step, where, "output", difference, moment=moment)
                return explained(found, reference.tensor, network, stage.layer)
    difference = difference_of(expected, got)
    if difference is None:
        return None
    found = Divergence(engine.name, step, "", "prediction", difference, moment=moment)
    return explained(found, reference.tensor, network, None)


def compare_state(
    engine: Engine,
    network: Network,
    expected: State,
    learns_scores: bool,
    when: int | str = AT_THE_END,
    reference: Engine | None = None,
) -> Divergence | None:
    """Compare an engine's state with the one expected, scores on the scored edges only.

    Args:
        engine: The engine to check.
        network: The run's network.
        expected: The state to believe.
        learns_scores: True where the state's values are scores.
        when: The step after which it is compared, or what to say instead.
        reference: The engine to believe where only its last step can have changed what differs; says what stands behind
            the value.

    Returns:
        The first divergence in network order, the generator last, or None.
    """
    step, moment = (when, AT_THE_END) if isinstance(when, int) else (None, when)
    got = engine.state()
    what = "scores" if learns_scores else "weights"
    for i in network.weighted:
        values = got.values[i]
        if expected.scored is not None and values.shape == expected.values[i].shape:
            values = np.where(expected.scored[i], values, expected.values[i])
        difference = first_difference(expected.values[i], values)
        if difference is not None:
            found = Divergence(engine.name, step, layer_name(network, i), what, difference, moment=moment)
            return found if reference is None else explained(found, reference.tensor, network, i)
    difference = difference_of(expected.rng, got.rng)
    if difference is None:
        return None
    return Divergence(engine.name, step, "", "random generator", difference, moment=moment)


def layer_name(network: Network, layer: int | None) -> str:
    """How messages name a layer, e.g. ``"layer 2 conv2d 8->16 k3"``; empty for None."""
    return "" if layer is None else f"layer {layer} {network.layers[layer]}"


def _step_differences(
    engine: Engine, reference: Engine, network: Network, expected: Step, got: Step
) -> Iterator[tuple[str, int | None, Difference | None]]:
    """Each comparison of a step in the order of computation: what, of which layer, and its result."""

    def shift(layer: int, which: str) -> tuple[str, int, Difference | None]:
        none = Shifts(-1, -1, -1)
        pair = (getattr(step.shifts.get(layer, none), which) for step in (expected, got))
        return f"{which} shift", layer, difference_of(*pair)

    def tensor(layer: int, what: str) -> tuple[str, int, Difference | None]:
        name = f"{layer}.{what}"
        if expected.crcs[name] == got.crcs.get(name):
            return what, layer, None
        wanted, had = reference.tensor(name), engine.tensor(name)
        # Equal tensors under unlike CRCs: the engine's checksum itself is wrong.
        crc = Difference((), f"CRC {zlib.crc32(wanted.tobytes()):08x}", f"CRC {got.crcs.get(name, 0):08x}")
        return what, layer, first_difference(wanted, had) or crc

    for stage in network.stages:
        yield shift(stage.layer, "forward")
        yield tensor(stage.layer, "output")
    yield "prediction", None, difference_of(expected.prediction, got.prediction)
    for stage in reversed(network.stages):
        yield tensor(stage.layer, "error")
        yield shift(stage.layer, "gradient")
        yield shift(stage.layer, "backward")
