"""Static scales: the shifts that a method most often needs, found by running it dynamically without learning."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from .checks import Int8Array
from .engine import Engine
from .errors import InputError
from .kinds import MethodKind
from .ranges import COUNT, SHIFT
from .run import Method, Model, Shifts, State, run_rng
from .streams import stream

CALIBRATION_SAMPLES = 1000


def calibration_run(method: Method, state: State) -> tuple[Method, State]:
    """What to load an engine with to calibrate a run: dynamic shifts, and a generator of its own from seed 0.

    Args:
        method: The method of the run.
        state: Its initial state; its scales, if any, are left out.

    Returns:
        The method (dynamic NITI for static) and the state.
    """
    if method.kind is MethodKind.NITI_STATIC:
        method = replace(method, kind=MethodKind.NITI_DYNAMIC)
    return method, State(state.values, run_rng(0), None, state.scored)


def calibration_order(seed: int, count: int, samples: int = CALIBRATION_SAMPLES) -> npt.NDArray[np.int64]:
    """The samples that calibrate a run: the first min(samples, count) of the stream *calibration*.

    Args:
        seed: 0..2**32-1, the run's.
        count: Number of samples of the pre-training set, 1 or more.
        samples: How many to take, 1 or more.

    Returns:
        int64 indices.

    Raises:
        InputError: A number is out of range.
    """
    COUNT.check("number of samples", count)
    COUNT.check("number of calibration samples", samples)
    return stream(seed, "calibration").permutation(count)[:samples]


def calibrate(
    engine: Engine,
    images: Int8Array,
    labels: Sequence[int] | npt.NDArray[np.integer],
    zeros_count: bool = False,
) -> dict[int, Shifts]:
    """Observe every sample and take each layer's most frequent shifts.

    All-zero tensors do not count: on a well-trained network most errors are zero, and would drive every shift to 0.
    That can be seen with `zeros_count`.

    Args:
        engine: Loaded with a `calibration_run`.
        images: int8, (n, *input shape), n >= 1.
        labels: (n,), 0..K-1.
        zeros_count: Count an all-zero tensor after all, with the shift 0 that the dynamic step has for it.

    Returns:
        The static shifts by layer; 0, 0 and 31, the smallest updates there are, where nothing was counted.

    Raises:
        InputError: No samples, unlike numbers of images and labels, or the engine was loaded with static scales.
    """
    if len(images) != len(labels) or not len(images):
        got = f"{len(images)} images and {len(labels)} labels"
        raise InputError.about(
            "calibration", expected="as many labels as images", got=got, do="give one or more of both"
        )

    def counted(shifts: Iterable[int | None]) -> list[int]:
        return [shift or 0 for shift in shifts if shift is not None or zeros_count]

    seen = [engine.observe(image, int(label)) for image, label in zip(images, labels, strict=True)]
    return {
        i: Shifts(
            _mode(counted(one[i].forward for one in seen), 0),
            _mode(counted(one[i].backward for one in seen), 0),
            _mode(counted(one[i].gradient for one in seen), SHIFT.high),
        )
        for i in seen[0]
    }


def logit_exponent(model: Model, forward_shifts: Mapping[int, int]) -> int:
    """The exponent of the logits: the input's plus each layer's weight exponent and forward shift.

    Args:
        model: The exponents.
        forward_shifts: By layer; a sample's with dynamic scales, the network's with static ones.

    Returns:
        Any whole number; the loss clamps it.
    """
    return model.input_exponent + sum(model.weight_exponents[i] + forward_shifts[i] for i in model.network.weighted)


def _mode(shifts: Sequence[int], nothing: int) -> int:
    """The most frequent shift, the larger of equals; `nothing` if none was counted."""
    counts = Counter(shifts)
    return max(counts, key=lambda shift: (counts[shift], shift), default=nothing)
