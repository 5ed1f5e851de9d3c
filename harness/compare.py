"""The first divergence between two engines: step, layer, tensor, element."""

import contextlib
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from priot_hil.reference.engine import Engine, Step
from priot_hil.reference.errors import InputError
from priot_hil.reference.network import Network
from priot_hil.reference.run import Shifts, State

IntArray = npt.NDArray[np.signedinteger]

AT_THE_END = "after the last step"
# What the axes of a tensor are called, by their number.
AXES = {1: "i", 2: "oi", 3: "cyx", 4: ("o", "c", "ky", "kx")}


@dataclass(frozen=True)
class Difference:
    """The first element in which two tensors differ, in row-major order.

    Attributes:
        index: Where; empty for single numbers and for tensors of unlike shape.
        expected: The value, or the shape and dtype where those differ.
        got: Likewise.
        equal_before: Number of equal elements before it.
        differing: Number of elements that differ in all.
        total: Number of elements.
    """

    index: tuple[int, ...]
    expected: int | str
    got: int | str
    equal_before: int = 0
    differing: int = 1
    total: int = 1


@dataclass(frozen=True)
class Divergence:
    """Where an engine first leaves what is expected, with enough to start fixing.

    Attributes:
        engine: Name of the engine that was checked.
        step: Index of the sample, from 0; None for what belongs to none.
        where: The layer, e.g. ``"layer 2 conv2d 8->16 k3"``; empty where it belongs to none.
        tensor: What differs: ``"output"``, ``"error"``, ``"forward shift"``, ``"prediction"``, ``"scores"``, ...
        difference: The first element that differs.
        origin: Where the expected value comes from, e.g. ``"accumulator -1030, shift 8"``; empty if unknown.
        moment: What to say where there is no step.
    """

    engine: str
    step: int | None
    where: str
    tensor: str
    difference: Difference
    origin: str = ""
    moment: str = AT_THE_END

    def __str__(self) -> str:
        found = self.difference
        names = AXES.get(len(found.index), [f"axis{i}=" for i in range(len(found.index))])
        index = " ".join(f"{name}={i}" for name, i in zip(names, found.index, strict=True))
        step = self.moment if self.step is None else f"at step {self.step}"
        parts = [step, self.where, f"tensor {self.tensor}" if index else self.tensor, f"[{index}]" if index else ""]
        origin = f" ({self.origin})" if self.origin else ""
        lines = [
            "first divergence " + ", ".join(part for part in parts if part),
            f"    expected {found.expected}{origin}   {self.engine} {found.got}",
        ]
        if found.total > 1:
            verb = "differs" if found.differing == 1 else "differ"
            lines.append(
                f"    {found.equal_before:,} of {found.total:,} elements equal before it; {found.differing:,} {verb}"
            )
        return "\n".join(lines)


class Mismatch(AssertionError):
    """An engine's integers are not those expected; carries the `Divergence`."""

    def __init__(self, divergence: Divergence):
        super().__init__(str(divergence))
        self.divergence = divergence


def first_difference(expected: IntArray, got: IntArray) -> Difference | None:
    """Find the first element in which two tensors differ.

    Args:
        expected: Integers, any shape.
        got: Should have the same shape and dtype.

    Returns:
        The difference, or None where both are equal in shape, dtype and every element.
    """
    if expected.shape != got.shape or expected.dtype != got.dtype:
        return Difference((), _form(expected), _form(got))
    differing = np.flatnonzero(expected != got)
    if not differing.size:
        return None
    first = int(differing[0])
    index = tuple(int(i) for i in np.unravel_index(first, expected.shape))
    return Difference(index, int(expected[index]), int(got[index]), first, differing.size, expected.size)


def difference_of(expected: int, got: int) -> Difference | None:
    """The difference of two single numbers, or None where they are equal."""
    return None if expected == got else Difference((), expected, got)


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
            with contextlib.suppress(InputError):  # the origin is a courtesy: not every engine keeps accumulators
                found = replace(found, origin=_origin(reference, network, layer, tensor, difference.index, expected))
            return found
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
                return Divergence(engine.name, step, where, "output", difference, moment=moment)
    difference = difference_of(expected, got)
    if difference is None:
        return None
    return Divergence(engine.name, step, "", "prediction", difference, moment=moment)


def compare_state(
    engine: Engine, network: Network, expected: State, learns_scores: bool, when: int | str = AT_THE_END
) -> Divergence | None:
    """Compare an engine's state with the one expected, scores on the scored edges only.

    Args:
        engine: The engine to check.
        network: The run's network.
        expected: The state to believe.
        learns_scores: True where the state's values are scores.
        when: The step after which it is compared, or what to say instead.

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
            return Divergence(engine.name, step, layer_name(network, i), what, difference, moment=moment)
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


def _origin(
    reference: Engine, network: Network, layer: int | None, tensor: str, index: tuple[int, ...], step: Step
) -> str:
    """The accumulator and the shift behind an element of an output or an error, as far as they belong to one sum."""
    if layer is None or not index:
        return ""
    if tensor == "output":
        accumulator, shift = reference.tensor(f"{layer}.accumulator"), step.shifts[layer].forward
    elif tensor == "error" and layer != network.weighted[-1]:
        behind = network.weighted[network.weighted.index(layer) + 1]
        accumulator, shift = reference.tensor(f"{behind}.error_accumulator"), step.shifts[behind].backward
    else:
        return ""
    shape = reference.tensor(f"{layer}.{tensor}").shape
    if accumulator.size != math.prod(shape):  # pooled: the element is the maximum of several sums
        return f"shift {shift}"
    return f"accumulator {int(accumulator.reshape(shape)[index])}, shift {shift}"


def _form(tensor: IntArray) -> str:
    return f"{tensor.dtype} of shape {tensor.shape}"
