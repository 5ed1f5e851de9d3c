"""Cases of every kind, a run's or a single stage's: read, written, named and measured alike."""

import hashlib
import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from priot_hil.reference.errors import InputError
from priot_hil.reference.reference_engine import ReferenceEngine

from . import capsule, capsule_kernel, capsule_meta
from .capsule import Capsule, Expected, Mode
from .capsule_archive import Arrays, CapsuleError, load, save
from .capsule_kernel import RESULTS, ExpectedKernel, KernelCapsule

Case = Capsule | KernelCapsule


@dataclass(frozen=True)
class Size:
    """How small a case is.

    Attributes:
        input_shape: Of the network or of the stage.
        weights: Number of weights.
        steps: Samples learned from, observed or classified; None for a single stage.
        nonzero: Numbers other than 0 in weights, scores, inputs and a stage's error.
        mode: What is done.
    """

    input_shape: tuple[int, ...]
    weights: int
    steps: int | None
    nonzero: int
    mode: str

    def __str__(self) -> str:
        parts = ["x".join(map(str, self.input_shape)) + " input", _counted(self.weights, "weight")]
        if self.steps is not None:
            noun = {Mode.PREDICT: "prediction", Mode.OBSERVE: "observation"}.get(Mode(self.mode), "step")
            parts.append(_counted(self.steps, noun))
        return ", ".join([*parts, _counted(self.nonzero, "number") + " not 0"])


def read_case(path: Path | str) -> Case:
    """Read a capsule of any mode and check it.

    Raises:
        CapsuleError: The file is missing, damaged, not a capsule or not legal; the message starts with its path.
    """
    try:
        meta, arrays = load(Path(path))
        is_kernel = meta["mode"] == capsule_kernel.MODE
        return capsule_kernel.from_contents(meta, arrays) if is_kernel else capsule.from_contents(meta, arrays)
    except InputError as error:
        raise CapsuleError(f"{path}: {error}") from error


def write_case(path: Path | str, case: Case) -> None:
    """Check a capsule of any mode and write it; see `capsule.write_capsule`.

    Raises:
        InputError: The capsule is not legal, or the file cannot be written; nothing is.
    """
    save(Path(path), *contents_of(case))


def contents_of(case: Case) -> tuple[dict[str, Any], Arrays]:
    """The JSON and the arrays of a case's file.

    Raises:
        InputError: The case is not legal.
    """
    check_case(case)
    return capsule_kernel.to_contents(case) if isinstance(case, KernelCapsule) else capsule.to_contents(case)


def check_case(case: Case) -> None:
    """Refuse a case that is not legal in every part.

    Raises:
        InputError: The message says which part, what was expected, what it is and what to do.
    """
    if isinstance(case, KernelCapsule):
        capsule_kernel.check_kernel_capsule(case)
    else:
        capsule.check_capsule(case)


def case_id(case: Case) -> str:
    """Eight hexadecimal digits that depend on nothing but the case: the same case has the same name everywhere.

    The format that its file has is no part of it: a case's name stays when the format gets another number.
    """
    meta, arrays = contents_of(case)
    arrays["meta"] = np.array(json.dumps({**meta, "format": capsule_meta.first_format(meta["mode"])}))
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape} ".encode() + array.tobytes())
    return digest.hexdigest()[:8]


def size_of(case: Case) -> Size:
    """How small a case is."""
    if isinstance(case, KernelCapsule):
        stage = case.case
        arrays = [stage.weights, stage.image, stage.error, *([] if stage.scores is None else [stage.scores])]
        return Size(stage.input_shape, stage.weights.size, None, _nonzero(arrays), capsule_kernel.MODE)
    network, learns_scores = case.model.network, case.method.kind.learns_scores
    weights = [(case.model.weights if learns_scores else case.state.values)[i] for i in network.weighted]
    scores = [case.state.values[i] for i in network.weighted] if learns_scores else []
    steps = len(case.images) if case.order is None else len(case.order)
    count = sum(math.prod(network.weight_shape(i)) for i in network.weighted)
    return Size(network.input_shape, count, steps, _nonzero([*weights, *scores, case.images]), case.mode)


def with_results(case: Case) -> Case:
    """The case with what the reference computes of it, to be stored."""
    engine = ReferenceEngine()
    if isinstance(case, KernelCapsule):
        result = engine.run_kernel(case.case)
        expected = ExpectedKernel(**{name: getattr(result, name) for name in RESULTS}, shifts=result.shifts)
        return replace(case, expected=expected)
    engine.load(case.model, case.method, case.state)
    logits, predictions = [], []
    if case.order is not None:
        engine.load_data(case.images, case.labels, case.images, case.labels)
        engine.train_epoch(case.order)
    else:
        for image, label in zip(case.images, case.labels, strict=True):
            if case.mode is Mode.OBSERVE:
                engine.observe(image, int(label))
                continue
            is_step = case.mode is Mode.TRAIN
            prediction = engine.train_step(image, int(label)).prediction if is_step else engine.predict(image)
            predictions.append(prediction)
            logits.append(engine.tensor("logits").astype(np.int8))
    state = engine.state()
    results = Expected(values=state.values, rng=state.rng)
    if logits:
        results = replace(results, logits=np.stack(logits), predictions=np.array(predictions, np.int64))
    return replace(case, expected=results)


def _nonzero(arrays: list[np.typing.NDArray[np.int8]]) -> int:
    return sum(int(np.count_nonzero(array)) for array in arrays)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
