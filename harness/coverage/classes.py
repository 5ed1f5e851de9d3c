"""Classes of cases: the shifts, roundings, saturations, sparsities and shapes that have broken kernels."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from priot_hil.harness.compare_kernel import Trace
from priot_hil.harness.strategies import Run
from priot_hil.reference.arithmetic import round_shift
from priot_hil.reference.checks import Int8Array
from priot_hil.reference.engine import KernelCase, KernelResult, Step
from priot_hil.reference.kernel import run_kernel
from priot_hil.reference.network import Conv2d, Flatten, Linear, MaxPool2d, Relu, output_shape, weight_shape
from priot_hil.reference.ranges import CLASSES, EXPONENT, GENERATOR, MU
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reference.run import LossRounding, MethodKind

Classes = dict[str, bool]
"""Whether a case is of a class, by name; every case says so of every class."""
Sums = npt.NDArray[np.int64]
T = TypeVar("T")

SHIFTS = range(32)
ROLES = ("output", "error", "update")
NEAR = 0.9  # of a bound


def tally(cases: Iterable[T], classes_of: Callable[[T], Classes]) -> Counter[str]:
    """How many cases are of each class, 0 included."""
    count: Counter[str] = Counter()
    for case in cases:
        count.update({name: int(is_so) for name, is_so in classes_of(case).items()})
    return count


def static_shift(name: str) -> bool:
    """Whether a class is of one single shift of 32, which is rare."""
    return "static shift" in name


def kernel_classes(case: KernelCase) -> Classes:
    """What a single stage is like: its shapes, its values, and what happens to each sum on its way to int8."""
    result, trace = run_kernel(case), Trace(case)
    sums = sums_of(trace, case)
    return _geometry(case) | _values(case, result) | _shifts(case, sums) | _sums(sums, result) | _choices(case, trace)


def extreme_classes(case: KernelCase) -> Classes:
    """How near to its bound each kind of sum of a stage comes, and to that of int32."""
    trace = Trace(case)
    sums = sums_of(trace, case)
    outputs, *rest = weight_shape(case.layer)
    taps = case.layer.kernel**2 if isinstance(case.layer, Conv2d) else 1
    positions = int(np.prod(output_shape(case.layer, case.input_shape, "layer")[1:]))
    found = [_largest(part) for part in (*sums[:2], trace.tensor("0.gradient").astype(np.int64), sums[2])]
    bounds = (127**2 * int(np.prod(rest)), 127**2 * outputs * taps, 127**2 * positions, 2**31 - 1)
    names = ("sum of an output", "sum of an error", "gradient", "score gradient")
    near = {f"{n}: near its bound": f > NEAR * b for n, f, b in zip(names, found, bounds, strict=True)}
    return near | {names[-1] + ": near its bound": case.kind.learns_scores and found[-1] > NEAR * bounds[-1]}


def run_classes(run: Run) -> Classes:
    """What a run is like: its method, its network, and where the loss is evaluated."""
    engine = ReferenceEngine()
    engine.load(run.model, run.method, run.state)
    return _run(
        run, [engine.train_step(image, int(label)) for image, label in zip(run.images, run.labels, strict=True)]
    )


def _largest(sums: Sums) -> int:
    return int(np.abs(sums).max(initial=0))


def sums_of(trace: Trace, case: KernelCase) -> tuple[Sums, Sums, Sums]:
    """The sums before their shifts: of the output, of the error to the input, and what the update rounds."""
    learned = "0.score_gradient" if case.kind.learns_scores else "0.gradient"
    output, error, update = (trace.tensor(name) for name in ("0.accumulator", "0.error_accumulator", learned))
    return output.astype(np.int64), error.astype(np.int64), update.astype(np.int64)


def _sums(sums: tuple[Sums, Sums, Sums], result: KernelResult) -> Classes:
    """Rounding and saturation in each role."""
    classes = {f"{role}: all zero": not part.any() for role, part in zip(ROLES, sums, strict=True)}
    for role, part, shift in zip(ROLES[:2], sums[:2], result.shifts[:2], strict=True):
        classes |= {f"{role}: {name}": is_so for name, is_so in _rounding(part, shift).items()}
    rounded = _pseudo_rounding(sums[2], result.shifts.gradient)
    return classes | {f"{ROLES[2]}: {name}": is_so for name, is_so in rounded.items()}


def _shifts(case: KernelCase, sums: tuple[Sums, Sums, Sums]) -> Classes:
    classes: Classes = {}
    for role, part, shift in zip(ROLES, sums, case.shifts or (None, None, None), strict=True):
        classes |= {f"{role}: static shift {s}": shift == s and bool(part.any()) for s in SHIFTS}
    return classes


def _rounding(sums: Sums, shift: int) -> Classes:
    """Around the middle between two numbers, and around the ends of int8."""
    rest, half = np.abs(sums) & ((1 << shift) - 1), 1 << max(shift - 1, 0)
    rounded, cut = round_shift(sums, shift), np.abs(sums) >> shift
    is_tie = (rest == half) & (shift > 0)
    return {
        "positive tie": bool((is_tie & (sums > 0)).any()),
        "negative tie": bool((is_tie & (sums < 0)).any()),
        "one below a tie": shift > 1 and bool((rest == half - 1).any()),
        "one above a tie": shift > 1 and bool((rest == half + 1).any()),
        "clipped high": bool((rounded > 127).any()),
        "clipped low": bool((rounded < -127).any()),
        "127 without clipping": bool((np.abs(rounded) == 127).any()),
        "rounded up to 128, then clipped": bool(((cut == 127) & (np.abs(rounded) == 128)).any()),
    }


def _pseudo_rounding(sums: Sums, shift: int) -> Classes:
    """The two halves of the discarded bits, for shifts whose halves both hold bits."""
    h = shift // 2
    rest = np.abs(sums) & ((1 << shift) - 1)
    upper, lower = rest >> h, (rest & ((1 << h) - 1)) << (shift & 1)
    some = (rest > 0) & (h > 0)
    step = np.abs(sums) >> shift
    return {
        "upper half equal to the lower": bool((some & (upper == lower)).any()),
        "upper half one larger": bool((some & (upper == lower + 1)).any()),
        "upper half smaller": bool((some & (upper < lower) & (upper > 0)).any()),
        "step clipped": bool((step > 127).any()),
        "step of a lone rounding": bool(((step == 0) & (upper > lower)).any()),
    }


def _choices(case: KernelCase, trace: Trace) -> Classes:
    """Where a relu or a pool decides on the way of an error that is there."""
    at_zero = tie = False
    for i, layer in enumerate(case.behind):
        x, error = trace.tensor(f"layer{i}.output"), trace.tensor(f"layer{i + 1}.error")
        if isinstance(layer, Relu):
            at_zero |= bool(((x == 0) & (error != 0)).any())
        elif isinstance(layer, MaxPool2d):
            channels, height, width = error.shape
            n = layer.size
            windows = x[:, : height * n, : width * n].reshape(channels, height, n, width, n)
            largest = windows.max(axis=(2, 4), keepdims=True)
            tie |= bool((((windows == largest).sum(axis=(2, 4)) > 1) & (error != 0)).any())
    return {"an error at a relu of exactly 0": at_zero, "an error at a pool with two maxima": tie}


def _saturated(array: Int8Array) -> bool:
    """Whether both ends of the range are there."""
    return {127, -127} <= set(array.ravel().tolist())


def _letters(case: KernelCase) -> str:
    """The layers behind, a letter each."""
    names: dict[type, str] = {Relu: "r", MaxPool2d: "p", Flatten: "f"}
    return "".join(names[type(layer)] for layer in case.behind)


def _geometry(case: KernelCase) -> Classes:
    """Shapes, and what lies behind."""
    conv = case.layer if isinstance(case.layer, Conv2d) else Conv2d(0, 0, 0)
    height, width = case.input_shape[1:] if conv.kernel else (0, 0)
    output = output_shape(case.layer, case.input_shape, "layer")
    orders = ("", "r", "p", "rp", "pr", "pp", "f", "rpf", "ppf", "pfr")
    return {
        "linear": isinstance(case.layer, Linear),
        **{f"kernel {k}": conv.kernel == k for k in range(1, 8)},
        **{f"stride {k}": conv.kernel > 0 and conv.stride == k for k in range(1, 4)},
        "strided and padded": conv.stride > 1 and conv.padding > 0,
        "full padding": conv.kernel > 1 and conv.padding == conv.kernel - 1,
        "columns that the stride leaves out": conv.padding == 0 and (width - conv.kernel) % conv.stride > 0,
        "kernel larger than the image": conv.kernel > max(height, width),
        "one position": output[1:] == (1, 1),
        "many channels": conv.in_channels > 1 and conv.out_channels > 1,
        "not square": height != width,
        "pool that drops a remainder": _letters(case)[:1] == "p" and output[1] % vars(case.behind[0])["size"] > 0,
        **{f"behind: {order}": _letters(case) == order for order in orders},
    }


def _values(case: KernelCase, result: KernelResult) -> Classes:
    """Methods, shifts and values."""
    before = case.weights if case.scores is None else case.scores
    scored = -1.0 if case.scored is None else float(case.scored.mean())
    theta = -128 if case.theta is None else case.theta
    scores = np.full(1, -127, np.int8) if case.scores is None else case.scores
    static = case.shifts is not None
    return {
        **{kind: case.kind is kind for kind in MethodKind},
        "dynamic scores": case.kind.learns_scores and not static,
        "static scores": case.kind.learns_scores and static,
        "none scored": scored == 0,
        "all scored": scored == 1,
        "some scored": 0 < scored < 1,
        "score equal to theta": bool((scores == theta).any()),
        "all pruned": case.kind is MethodKind.PRIOT and bool((scores < theta).all()),
        "theta -127": theta == -127,
        "theta 127": theta == 127,
        "no image": not case.image.any(),
        "no error": not case.error.any(),
        "no weights": not case.weights.any(),
        "sparse error": case.error.size > 20 and 0 < int(np.count_nonzero(case.error)) < case.error.size / 3,
        "saturated output": static and _saturated(result.output),
        "saturated input error": static and _saturated(result.input_error),
        "saturated update": _saturated(result.updated) and not _saturated(before),
        "nothing learned": bool(result.gradient.any()) and np.array_equal(result.updated, before),
        "something learned": not np.array_equal(result.updated, before),
        "shift 31": static and 31 in result.shifts,
        "shift 0": static and 0 in result.shifts,
        "dynamic shifts all above 0": not static and min(result.shifts) > 0,
        "odd update shift": result.shifts.gradient in range(3, 12, 2),
    }


def _run(run: Run, steps: list[Step]) -> Classes:
    """Methods, networks, and where the loss is evaluated."""
    network, method, scales = run.model.network, run.method, run.state.scales
    first, kinds = type(network.layers[0]), [type(layer) for layer in network.layers]
    pools = [sum(kinds[j] is MaxPool2d for j in stage.behind) for stage in network.stages]
    weight_exponents = run.model.weight_exponents.values()
    constant = run.model.input_exponent + sum(weight_exponents)
    exponents = [constant + sum(shifts.forward for shifts in step.shifts.values()) for step in steps]
    right = [step.prediction == label for step, label in zip(steps, run.labels, strict=True)]
    return {
        **{
            f"{kind}, {rounding}, {'dynamic' if dynamic else 'static'}": (
                method.kind is kind and method.loss_rounding is rounding and dynamic is (scales is None)
            )
            for kind in MethodKind
            for rounding in LossRounding
            for dynamic in (True, False)
            if kind.learns_scores or dynamic is (kind is MethodKind.NITI_DYNAMIC)
        },
        "a vector": len(network.input_shape) == 1,
        "an image": len(network.input_shape) == 3,
        **{f"{layer.__name__} first": first is layer for layer in (Conv2d, Linear, Relu, MaxPool2d, Flatten)},
        **{f"{n} layers with weights": len(network.weighted) == n for n in range(1, 6)},
        "three convolutions": kinds.count(Conv2d) == 3,
        "three linear layers": kinds.count(Linear) == 3,
        "two pools behind a convolution": max(pools) == 2,
        **{f"{n} classes": network.classes == n for n in (*range(2, 13), CLASSES.high)},
        "more than 12 classes": network.classes > 12,
        **{f"input exponent {end}": run.model.input_exponent == end for end in (EXPONENT.low, EXPONENT.high)},
        **{f"weight exponent {end}": end in weight_exponents for end in (EXPONENT.low, EXPONENT.high)},
        **{f"mu {end}": scales is None and method.mu == end for end in (MU.low, MU.high)},
        **{f"generator {end}": run.state.rng == end for end in (GENERATOR.low, GENERATOR.high)},
        "wild update": scales is not None and any(shifts.gradient < 4 for shifts in scales.values()),
        "4 steps": len(steps) == 4,
        "exponent clamped from below": min(exponents) < -12,
        "exponent in the series": any(-12 <= e <= -7 for e in exponents),
        "exponent below 0": any(-7 < e < 0 for e in exponents),
        "exponent above 0": any(0 <= e <= 24 for e in exponents),
        "exponent clamped from above": max(exponents) > 24,
        "right": any(right),
        "wrong": not all(right),
    }
