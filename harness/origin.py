"""Where an expected value comes from: the sum, the shift and the value before it, as far as the reference can say."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from priot_hil.reference.arithmetic import INT8_BITS, bit_width
from priot_hil.reference.errors import InputError
from priot_hil.reference.network import Flatten, Layer, MaxPool2d, Relu, Stage

from .divergence import Divergence
from .rounding_words import (
    clip,
    describe_requantized,
    describe_update,
    nearest,
    quotient,
    toward_zero,
    with_mistake,
)

Tensor = npt.NDArray[np.signedinteger]
Lookup = Callable[[str], Tensor]
Index = tuple[int, ...]
LOSS_SHIFT = 4


class Chain(Protocol):
    """What has layers: a network, or a single stage."""

    @property
    def layers(self) -> tuple[Layer, ...]:
        """All of them."""
        ...

    @property
    def weighted(self) -> tuple[int, ...]:
        """The indices of those with weights."""
        ...

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Each layer with weights and those behind it."""
        ...


class Origin(NamedTuple):
    """What stands behind an expected value.

    Attributes:
        parts: The numbers it was made of, e.g. ``"accumulator -1030, shift 8"``; empty if unknown.
        story: What happened to them in words, and which mistake would give what came instead; empty if unknown.
    """

    parts: str = ""
    story: str = ""


def origin_of_output(
    tensor: Lookup, layers: Sequence[Layer], layer: int, behind: Sequence[int], index: Index, shift: int, got: object
) -> Origin:
    """Of an element of a stage's output: the sum that it was requantized from, through relu, pool and flatten.

    Args:
        tensor: Looks up a tensor of the reference's last step by its name.
        layers: All layers.
        layer: The stage's layer with weights.
        behind: The indices of those behind it.
        index: The element.
        shift: The forward shift used.
        got: What came instead.
    """
    expected = int(tensor(f"layer{max((layer, *behind))}.output")[index])
    candidates = 1
    for j in reversed(behind):
        match layers[j]:
            case MaxPool2d(size):
                before = tensor(f"layer{j - 1}.output")
                corner = index[1] * size, index[2] * size
                window = before[index[0], corner[0] : corner[0] + size, corner[1] : corner[1] + size]
                y, x = np.unravel_index(int(window.argmax()), window.shape)
                index, candidates = (index[0], corner[0] + int(y), corner[1] + int(x)), candidates * size * size
            case Flatten():
                shape = tensor(f"layer{j - 1}.output").shape
                flat = int(np.ravel_multi_index(index, tensor(f"layer{j}.output").shape))
                index = tuple(int(i) for i in np.unravel_index(flat, shape))
    accumulator = int(tensor(f"{layer}.accumulator")[index])
    pooled = f" at {list(index)}, the largest of {candidates}" if candidates > 1 else ""
    relu = any(isinstance(layers[j], Relu) for j in behind)
    story = describe_requantized(accumulator, shift, expected, got, relu)
    return Origin(f"accumulator {accumulator}{pooled}, shift {shift}", story)


def origin_of_error(accumulators: Tensor, index: Index, shape: Index, shift: int, expected: int, got: object) -> Origin:
    """Of an element of an error that a layer with weights passes back.

    Args:
        accumulators: int32, the sums, in the shape of that layer's input.
        index: The element, in `shape`.
        shape: Of the error where it arrives; as many elements as sums.
        shift: The backward shift used.
        expected: Its value.
        got: What came instead.
    """
    accumulator = int(accumulators.reshape(shape)[index])
    return Origin(f"accumulator {accumulator}, shift {shift}", describe_requantized(accumulator, shift, expected, got))


def origin_of_loss_error(probability_error: int, expected: int, got: object) -> Origin:
    """Of an element of the loss error: softmax minus one-hot, in units of 2**-11, rounded to 2**-7."""
    down = clip(toward_zero(probability_error, LOSS_SHIFT))
    up = clip(toward_zero(probability_error + (15 if probability_error >= 0 else -15), LOSS_SHIFT))
    other = up if expected == down else down
    mistakes = [
        ("rounded to nearest", clip(nearest(probability_error, LOSS_SHIFT))),
        *([("rounded the other way: by another random number, perhaps", other)] if up != down else []),
        ("with the other sign", -expected),
    ]
    words = quotient(probability_error, LOSS_SHIFT)
    return Origin(f"softmax minus one-hot {probability_error}", with_mistake(words, expected, got, mistakes))


def origin_of_gradient(error: Tensor) -> Origin:
    """Of an element of a gradient: over how many products it sums."""
    positions = error[0].size if error.ndim == 3 else 1
    return Origin(f"the sum of {positions} x error x input" if positions > 1 else "error x input")


def origin_of_update(
    before: int, gradient: int, score_gradient: int | None, shift: int, expected: int, got: object
) -> Origin:
    """Of a weight or a score after a step.

    Args:
        before: The value before it.
        gradient: G.
        score_gradient: P where scores are learned, else None.
        shift: The gradient shift used.
        expected: The value after it.
        got: What came instead.
    """
    if score_gradient is None:
        story = describe_update(before, gradient, shift, expected, got, None)
        return Origin(f"was {before}, G {gradient}, shift {shift}", story)
    if score_gradient:
        product = f"P {score_gradient} = W {score_gradient // gradient} x G {gradient}"
    else:
        product = f"P 0, G {gradient}" + (": W is 0, or the edge is not scored" if gradient else "")
    story = describe_update(before, score_gradient, shift, expected, got, gradient)
    return Origin(f"was {before}, {product}, shift {shift}", story)


def origin_of_shift(values: Tensor, what: str, shift: int, bits: int | None) -> Origin:
    """Of a shift: the largest number that has to fit, or that it is a constant of the run.

    Args:
        values: int32, what is shifted.
        what: What to call them.
        shift: The shift.
        bits: How many bits a dynamic shift keeps; None where that is mu, which is not known here.
    """
    width = bit_width(values)
    if bits is not None and shift != max(0, width - bits):
        return Origin("a static one")
    largest = int(np.abs(values.astype(np.int64)).max(initial=0))
    less = "mu" if bits is None else bits
    return Origin(f"dynamic: {width} bits for the largest {what}, {largest}, less {less}; or static")


def explained(found: Divergence, tensor: Lookup, chain: Chain, layer: int | None) -> Divergence:
    """A divergence with its origin, as far as the engine that is believed keeps what stands behind a value.

    Args:
        found: The divergence.
        tensor: Looks up a tensor of that engine's last step.
        chain: The network, or the layers of a single stage.
        layer: Index of the layer with weights that it is in; None where it is in none.
    """
    try:
        origin = _origin(found, tensor, chain, layer)
    except InputError:  # a courtesy: only the reference keeps accumulators
        return found
    return replace(found, origin=origin.parts, story=origin.story)


def _origin(found: Divergence, tensor: Lookup, chain: Chain, layer: int | None) -> Origin:
    what, index, got = found.tensor, found.difference.index, found.difference.got
    if what == "prediction":
        logits = tensor("logits")
        return Origin(f"logits {' '.join(map(str, logits[:12]))}{' ...' if logits.size > 12 else ''}")
    expected = found.difference.expected
    if layer is None or isinstance(expected, str):
        return Origin()

    def number(name: str) -> int:
        return int(tensor(f"{layer}.{name}"))

    match what:
        case "forward shift":
            return origin_of_shift(tensor(f"{layer}.accumulator"), "accumulator", expected, INT8_BITS)
        case "backward shift":
            return origin_of_shift(tensor(f"{layer}.error_accumulator"), "accumulator", expected, INT8_BITS)
        case "gradient shift":
            learned, values = "G", tensor(f"{layer}.gradient")
            with contextlib.suppress(InputError):
                learned, values = "P", tensor(f"{layer}.score_gradient")
            return origin_of_shift(values, learned, expected, None)
    if not index:
        return Origin()
    match what:
        case "output":
            behind = next(stage.behind for stage in chain.stages if stage.layer == layer)
            return origin_of_output(tensor, chain.layers, layer, behind, index, number("forward_shift"), got)
        case "error" if layer == chain.weighted[-1]:
            return origin_of_loss_error(int(tensor("probability_error")[index]), expected, got)
        case "error":
            after = chain.weighted[chain.weighted.index(layer) + 1]
            sums, shift = tensor(f"{after}.error_accumulator"), int(tensor(f"{after}.backward_shift"))
            return origin_of_error(sums, index, tensor(f"{layer}.error").shape, shift, expected, got)
        case "input error":
            sums = tensor(f"{layer}.error_accumulator")
            return origin_of_error(sums, index, sums.shape, number("backward_shift"), expected, got)
        case "gradient":
            return origin_of_gradient(tensor(f"layer{layer}.error"))
    gradient, scores = int(tensor(f"{layer}.gradient")[index]), None
    if what == "scores":
        scores = int(tensor(f"{layer}.score_gradient")[index])
    before = int(tensor(f"{layer}.before")[index])
    return origin_of_update(before, gradient, scores, number("gradient_shift"), expected, got)
