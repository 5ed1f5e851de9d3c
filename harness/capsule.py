"""One case as one plain file: golden vector, bug report and regression test.

`capsule_archive` reads and writes the file, `capsule_meta` its JSON. Whatever is not exactly as the format
says is refused with the reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from priot_hil.reference.checks import Int8Array, check_keys, check_range, check_tensor
from priot_hil.reference.errors import InputError
from priot_hil.reference.network import Conv2d, Flatten, Layer, Linear, MaxPool2d, Network
from priot_hil.reference.ranges import GENERATOR
from priot_hil.reference.run import LossRounding, Method, MethodKind, Model, State, check_run

from . import capsule_meta
from .capsule_archive import Arrays, CapsuleError, load, parse_mask, save

__all__ = [
    "Capsule",
    "CapsuleError",
    "Expected",
    "Mode",
    "check_capsule",
    "image_rank",
    "read_capsule",
    "write_capsule",
]

Int64Array = npt.NDArray[np.int64]


class Mode(StrEnum):
    """What is done with the samples."""

    TRAIN = "train"
    PREDICT = "predict"
    OBSERVE = "observe"
    EPOCH = "epoch"

    @property
    def has_steps(self) -> bool:
        """True where each sample in turn gives logits and a prediction, which a capsule may then expect."""
        return self in (Mode.TRAIN, Mode.PREDICT)


@dataclass(frozen=True, eq=False)
class Expected:
    """What a run of the capsule must give; None or left out where the file does not say.

    Attributes:
        logits: int8, (n, K), before each step's update.
        predictions: int64, (n,).
        values: int8, by layer: W or S after the last step; S counts on the scored edges.
        rng: The generator after the last step.
    """

    logits: Int8Array | None = None
    predictions: Int64Array | None = None
    values: Mapping[int, Int8Array] = field(default_factory=dict)
    rng: int | None = None

    @property
    def has_results(self) -> bool:
        """True where there is more to compare than the generator."""
        return self.logits is not None or self.predictions is not None or bool(self.values)


@dataclass(frozen=True, eq=False)
class Capsule:
    """A complete, engine-independent case.

    Attributes:
        model: The network. For NITI, which starts from the state's weights, its weights are not stored.
        method: The method.
        state: The state to start from.
        images: int8, (n, *input shape), n >= 1.
        labels: int64, (n,), 0..K-1.
        mode: What is done with the samples.
        expected: What must come out.
        order: int64, (m,), 0..n-1: the samples that an epoch visits, in this order; None in every other mode.
    """

    model: Model
    method: Method
    state: State
    images: Int8Array
    labels: Int64Array
    mode: Mode = Mode.TRAIN
    expected: Expected = Expected()
    order: Int64Array | None = None


def check_capsule(capsule: Capsule) -> None:
    """Refuse a capsule that is not legal in every part.

    Raises:
        InputError: The message says which part, what was expected, what it is and what to do.
    """
    network, expected = capsule.model.network, capsule.expected
    check_run(capsule.model, capsule.method, capsule.state)
    if not isinstance(capsule.mode, Mode):
        names = f"one of {', '.join(Mode)}"
        raise CapsuleError.about("mode", expected=names, got=repr(capsule.mode), do="choose one of them")
    if len(network.input_shape) != image_rank(network.layers) - 1:
        do = "use (n, features) where a linear layer comes before any conv2d, maxpool2d and flatten, else (n, c, h, w)"
        axes = f"{image_rank(network.layers)} axes"
        raise CapsuleError.about("images", expected=axes, got=f"{len(network.input_shape) + 1} axes", do=do)
    count = len(capsule.images)
    if count < 1:
        raise CapsuleError.about("images", expected="one or more", got="none", do="add a sample")
    check_tensor("images", capsule.images, (count, *network.input_shape), CapsuleError)
    _check_numbers("labels", capsule.labels, count, network.classes)
    _check_mode(capsule)
    if expected.logits is not None:
        check_tensor("logits", expected.logits, (count, network.classes), CapsuleError)
    if expected.predictions is not None:
        _check_numbers("predictions", expected.predictions, count, network.classes)
    for i, values in expected.values.items():
        check_tensor(f"state of layer {i} after the last step", values, network.weight_shape(i), CapsuleError)
    if expected.rng is not None:
        GENERATOR.check("rng_after", expected.rng, CapsuleError)
        draws = capsule.mode is not Mode.PREDICT and capsule.method.loss_rounding is LossRounding.STOCHASTIC
        if not draws and expected.rng != capsule.state.rng:
            do = "set it to rng, since nothing draws, or leave it out"
            raise CapsuleError.about("rng_after", expected=capsule.state.rng, got=expected.rng, do=do)


def _check_mode(capsule: Capsule) -> None:
    """What a mode asks for and what it rules out."""
    if (capsule.order is None) != (capsule.mode is not Mode.EPOCH):
        expected, got = ("none", "one") if capsule.order is not None else ("one", "none")
        do = "give the order of the samples in mode epoch, and only there"
        raise CapsuleError.about(f"order of mode {capsule.mode}", expected=expected, got=got, do=do)
    if capsule.order is not None:
        _check_numbers("order", capsule.order, len(capsule.order) or 1, len(capsule.images))
    if capsule.mode is Mode.OBSERVE and capsule.state.scales is not None:
        do = "set scales to null: only dynamic shifts can be observed"
        raise CapsuleError.about("scales of mode observe", expected="none", got="static scales", do=do)
    for what in ("logits", "predictions"):
        if getattr(capsule.expected, what) is not None and not capsule.mode.has_steps:
            do = "leave them out: that mode gives none"
            raise CapsuleError.about(f"{what} of mode {capsule.mode}", expected="none", got="some", do=do)


def image_rank(layers: tuple[Layer, ...]) -> int:
    """The number of axes of a capsule's images: 2 where the first linear layer takes the image itself, else 4."""
    for layer in layers:
        match layer:
            case Conv2d() | MaxPool2d() | Flatten():
                return 4
            case Linear():
                return 2
    return 4


def read_capsule(path: Path | str) -> Capsule:
    """Read a run's capsule and check it; `cases.read_case` reads a kernel's too.

    Args:
        path: The ``.npz`` file.

    Returns:
        A legal capsule.

    Raises:
        CapsuleError: The file is missing, damaged, not a capsule or not legal; the message starts with its path.
    """
    try:
        return from_contents(*load(Path(path)))
    except InputError as error:
        raise CapsuleError(f"{path}: {error}") from error


def write_capsule(path: Path | str, capsule: Capsule) -> None:
    """Check a capsule and write it: the same capsule gives the same bytes, and a broken write leaves no file.

    Args:
        path: The file to write or replace; its folder is made if need be.
        capsule: A legal capsule.

    Raises:
        InputError: The capsule is not legal, or the file cannot be written; nothing is.
    """
    check_capsule(capsule)
    save(Path(path), *to_contents(capsule))


def from_contents(content: dict[str, Any], arrays: Arrays) -> Capsule:
    """The run that a file's JSON and arrays describe.

    Raises:
        InputError: They are not legal in every part.
    """
    meta = capsule_meta.parse(content)
    check_keys("arrays", arrays.keys() & {"images"}, {"images"}, CapsuleError)
    images = arrays["images"]
    network = Network(images.shape[1:], meta.layers)
    kind = meta.method.kind
    after = "s_after" if kind.learns_scores else "w_after"
    required = {"images", "labels"} | ({"order"} if meta.mode == Mode.EPOCH else set())
    required |= {f"{prefix}{i}" for prefix in _prefixes(kind) for i in network.weighted}
    optional = {"logits", "predictions"} | {f"{after}{i}" for i in network.weighted}
    check_keys("arrays", arrays.keys() - optional, sorted(required), CapsuleError)
    weights = {i: arrays[f"w{i}"] for i in network.weighted}
    values = {i: arrays[f"s{i}"] for i in network.weighted} if kind.learns_scores else weights
    scored = None
    if kind is MethodKind.PRIOT_S:
        scored = {i: parse_mask(f"m{i}", arrays[f"m{i}"]) for i in network.weighted}
    exponents = capsule_meta.by_layer("weight_exponents", meta.weight_exponents, network.weighted)
    capsule = Capsule(
        Model(network, weights, exponents, meta.input_exponent),
        meta.method,
        State(values, meta.rng, capsule_meta.parse_scales(meta.scales, network.weighted), scored),
        images,
        arrays["labels"],
        Mode(meta.mode),
        Expected(
            arrays.get("logits"),
            arrays.get("predictions"),
            {i: arrays[f"{after}{i}"] for i in network.weighted if f"{after}{i}" in arrays},
            meta.rng_after,
        ),
        arrays.get("order"),
    )
    check_capsule(capsule)
    return capsule


def to_contents(capsule: Capsule) -> tuple[dict[str, Any], Arrays]:
    """The JSON and the arrays of the file of a legal capsule."""
    state, expected, network = capsule.state, capsule.expected, capsule.model.network
    learns_scores = capsule.method.kind.learns_scores
    meta = capsule_meta.build(capsule.model, capsule.method, state, str(capsule.mode), expected.rng)
    arrays: Arrays = {"images": capsule.images, "labels": capsule.labels}
    for i in network.weighted:
        arrays[f"w{i}"] = capsule.model.weights[i] if learns_scores else state.values[i]
        if learns_scores:
            arrays[f"s{i}"] = state.values[i]
        if state.scored is not None:
            arrays[f"m{i}"] = state.scored[i].astype(np.uint8)
        if i in expected.values:
            arrays[f"{'s' if learns_scores else 'w'}_after{i}"] = expected.values[i]
    if capsule.order is not None:
        arrays["order"] = capsule.order
    if expected.logits is not None:
        arrays["logits"] = expected.logits
    if expected.predictions is not None:
        arrays["predictions"] = expected.predictions
    return meta, arrays


def _prefixes(kind: MethodKind) -> str:
    """The first letters of the arrays that each layer with weights has."""
    return {MethodKind.PRIOT: "ws", MethodKind.PRIOT_S: "wsm"}.get(kind, "w")


def _check_numbers(what: str, numbers: npt.NDArray[Any], count: int, classes: int) -> None:
    if not isinstance(numbers, np.ndarray) or numbers.dtype != np.int64 or numbers.shape != (count,):
        got = f"{numbers.dtype} of shape {numbers.shape}" if isinstance(numbers, np.ndarray) else type(numbers).__name__
        do = "give one for each image"
        raise CapsuleError.about(what, expected=f"int64 of shape ({count},)", got=got, do=do)
    for number in np.unique(numbers):
        check_range(what, number, 0, classes - 1, CapsuleError)
