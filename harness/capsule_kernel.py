"""A single stage as a capsule: what a kernel is given, and what must come out of it.

The same kind of file as a run's capsule, in mode ``kernel``: one layer with weights as layer 0 and those without
weights behind it, with a chosen input, error and shifts.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from priot_hil.reference.checks import Int8Array, Int32Array, check_keys, check_tensor
from priot_hil.reference.engine import KernelCase
from priot_hil.reference.kernel import check_kernel_case
from priot_hil.reference.kinds import MethodKind
from priot_hil.reference.network import Layer, Weighted, output_shape
from priot_hil.reference.ranges import SHIFT
from priot_hil.reference.run import Shifts

from . import capsule_meta
from .capsule_archive import Arrays, CapsuleError, parse_mask

MODE = "kernel"
KEYS = ("format", "mode", "layers", "method", "shifts")
RESULTS = ("output", "input_error", "gradient", "updated")


@dataclass(frozen=True, eq=False)
class ExpectedKernel:
    """What a stage must give; None where the file does not say.

    Attributes:
        output: int8, the stage's output.
        input_error: int8, shape of the input.
        gradient: int32, shape of the weights.
        updated: int8, shape of the weights: the new W (NITI) or S, which counts on the scored edges.
        shifts: Those used.
    """

    output: Int8Array | None = None
    input_error: Int8Array | None = None
    gradient: Int32Array | None = None
    updated: Int8Array | None = None
    shifts: Shifts | None = None

    @property
    def has_results(self) -> bool:
        """True where there is anything to compare."""
        return self.shifts is not None or any(getattr(self, name) is not None for name in RESULTS)


@dataclass(frozen=True, eq=False)
class KernelCapsule:
    """A complete, engine-independent case of one stage.

    Attributes:
        case: The stage.
        expected: What must come out.
    """

    case: KernelCase
    expected: ExpectedKernel = ExpectedKernel()


def check_kernel_capsule(capsule: KernelCapsule) -> None:
    """Refuse a capsule that is not legal in every part.

    Raises:
        InputError: The message says which part, what was expected, what it is and what to do.
    """
    case, expected = capsule.case, capsule.expected
    check_kernel_case(case)
    shape = case.input_shape
    for layer in (case.layer, *case.behind):
        shape = output_shape(layer, shape, f"{layer}")
    for what, wanted in (("output", shape), ("input_error", case.input_shape), ("updated", case.weights.shape)):
        if (tensor := getattr(expected, what)) is not None:
            check_tensor(f"expected {what}", tensor, wanted, CapsuleError)
    gradient = expected.gradient
    if gradient is not None and (gradient.dtype != np.int32 or gradient.shape != case.weights.shape):
        form, got = f"int32 of shape {case.weights.shape}", f"{gradient.dtype} of shape {gradient.shape}"
        raise CapsuleError.about("expected gradient", expected=form, got=got, do="store it as the reference gives it")
    for shift in expected.shifts or ():
        SHIFT.check("expected shift", shift, CapsuleError)


def from_contents(content: dict[str, Any], arrays: Arrays) -> KernelCapsule:
    """The stage that a file's JSON and arrays describe.

    Raises:
        InputError: They are not legal in every part.
    """
    meta = capsule_meta.fields_of("meta", content, KEYS, {"expected_shifts"})
    layer, *behind = _layers(meta["layers"])
    method = capsule_meta.fields_of("method", meta["method"], ("name", "mu", "theta"))
    kind = MethodKind(capsule_meta.choice("method name", method["name"], tuple(MethodKind)))
    required = {"image", "error", "w0"}
    required |= {"s0"} if kind.learns_scores else set()
    required |= {"m0"} if kind is MethodKind.PRIOT_S else set()
    check_keys("arrays", arrays.keys() - set(RESULTS), sorted(required), CapsuleError)
    shifts = (meta["shifts"], meta.get("expected_shifts"))
    given, used = (None if three is None else capsule_meta.parse_shifts("shifts", three) for three in shifts)
    capsule = KernelCapsule(
        KernelCase(
            layer=layer,
            behind=tuple(behind),
            input_shape=arrays["image"].shape,
            kind=kind,
            theta=method["theta"],
            weights=arrays["w0"],
            scores=arrays.get("s0"),
            scored=parse_mask("m0", arrays["m0"]) if "m0" in arrays else None,
            image=arrays["image"],
            error=arrays["error"],
            shifts=given,
            mu=method["mu"],
        ),
        ExpectedKernel(**{name: arrays.get(name) for name in RESULTS}, shifts=used),
    )
    check_kernel_capsule(capsule)
    return capsule


def to_contents(capsule: KernelCapsule) -> tuple[dict[str, Any], Arrays]:
    """The JSON and the arrays of the file of a legal capsule."""
    case, expected = capsule.case, capsule.expected
    arrays: Arrays = {"image": case.image, "error": case.error, "w0": case.weights}
    if case.scores is not None:
        arrays["s0"] = case.scores
    if case.scored is not None:
        arrays["m0"] = case.scored.astype(np.uint8)
    results = {name: tensor for name in RESULTS if (tensor := getattr(expected, name)) is not None}
    return _build_meta(case, expected.shifts), arrays | results


def _layers(listed: Any) -> tuple[Any, ...]:
    """The layers of the JSON, of which the first has weights."""
    layers: tuple[Layer, ...] = capsule_meta.parse_layers(listed)
    if not layers or not isinstance(layers[0], Weighted):
        got = f"{layers[0]}" if layers else "none"
        do = "begin with the stage's conv2d or linear layer"
        raise CapsuleError.about("first layer", expected="one with weights", got=got, do=do)
    return layers


def _build_meta(case: KernelCase, used: Shifts | None) -> dict[str, Any]:
    meta: dict[str, Any] = {
        "format": capsule_meta.FORMAT,
        "mode": MODE,
        "layers": capsule_meta.build_layers((case.layer, *case.behind)),
        "method": {
            "name": str(case.kind),
            "mu": int(case.mu),
            "theta": None if case.theta is None else int(case.theta),
        },
        "shifts": None if case.shifts is None else [int(shift) for shift in case.shifts],
    }
    if used is not None:
        meta["expected_shifts"] = [int(shift) for shift in used]
    return meta
