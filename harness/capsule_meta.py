"""The JSON part of a capsule: layers, exponents, method, scales, mode."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from priot_hil.reference.checks import check_keys
from priot_hil.reference.errors import InputError
from priot_hil.reference.network import Conv2d, Flatten, Layer, Linear, MaxPool2d, Relu
from priot_hil.reference.run import LossRounding, Method, MethodKind, Model, Shifts, State

FORMAT = "priot-capsule/1"
KEYS = ("format", "layers", "input_exponent", "weight_exponents", "method", "rng", "scales", "mode")
LAYER_KEYS = {
    "conv2d": ("in", "out", "k", "stride", "padding"),
    "linear": ("in", "out"),
    "relu": (),
    "maxpool2d": ("n",),
    "flatten": (),
}
LAYER_TYPES: dict[str, type[Layer]] = {
    "conv2d": Conv2d,
    "linear": Linear,
    "relu": Relu,
    "maxpool2d": MaxPool2d,
    "flatten": Flatten,
}


@dataclass(frozen=True)
class Meta:
    """What the JSON says, layer by layer not yet checked against the network."""

    layers: tuple[Layer, ...]
    input_exponent: int
    weight_exponents: dict[str, int]
    method: Method
    rng: int
    scales: dict[str, list[int]] | None
    mode: str
    rng_after: int | None


def parse(array: npt.NDArray[Any]) -> Meta:
    """Read the JSON.

    Args:
        array: 0-d unicode.

    Returns:
        Its parts; numbers are not yet checked, names and keys are.

    Raises:
        InputError: Not such an array, not JSON, another format, or an unknown, missing or doubled key.
    """
    if array.ndim != 0 or array.dtype.kind != "U":
        got = f"{array.dtype} of shape {array.shape}"
        raise InputError.about("meta", expected="a 0-d unicode array", got=got, do="store the JSON text as one string")
    try:
        meta = json.loads(str(array), object_pairs_hook=_without_doubles)
    except (json.JSONDecodeError, RecursionError) as error:
        got = f"{error}".rstrip(".")
        raise InputError.about("meta", expected="JSON", got=got, do="write the capsule again") from error
    if isinstance(meta, dict) and meta.get("format") != FORMAT:
        do = "read it with a version that knows its format"
        raise InputError.about("format", expected=repr(FORMAT), got=repr(meta.get("format")), do=do)
    meta = _fields("meta", meta, KEYS, {"rng_after"})
    if not isinstance(meta["layers"], list):
        do = "list the layers from the input on"
        raise InputError.about("layers", expected="a list", got=repr(meta["layers"]), do=do)
    _choice("mode", meta["mode"], ("train", "predict"))
    return Meta(
        tuple(_parse_layer(i, layer) for i, layer in enumerate(meta["layers"])),
        meta["input_exponent"],
        meta["weight_exponents"],
        _parse_method(meta["method"]),
        meta["rng"],
        meta["scales"],
        meta["mode"],
        meta.get("rng_after"),
    )


def build(model: Model, method: Method, state: State, mode: str, rng_after: int | None) -> npt.NDArray[np.str_]:
    """Write the JSON of a legal capsule.

    Args:
        model: Its model.
        method: Its method.
        state: The state it starts from.
        mode: ``"train"`` or ``"predict"``.
        rng_after: The generator after the last step, or None to leave it out.

    Returns:
        0-d unicode; equal capsules give equal text.
    """
    weighted = model.network.weighted
    scales = state.scales
    meta: dict[str, Any] = {
        "format": FORMAT,
        "layers": [_build_layer(layer) for layer in model.network.layers],
        "input_exponent": int(model.input_exponent),
        "weight_exponents": {str(i): int(model.weight_exponents[i]) for i in weighted},
        "method": {
            "name": str(method.kind),
            "mu": int(method.mu),
            "theta": None if method.theta is None else int(method.theta),
            "loss_rounding": str(method.loss_rounding),
        },
        "rng": int(state.rng),
        "scales": None if scales is None else {str(i): [int(shift) for shift in scales[i]] for i in weighted},
        "mode": mode,
    }
    if rng_after is not None:
        meta["rng_after"] = int(rng_after)
    return np.array(json.dumps(meta))


def by_layer(what: str, values: Any, weighted: Collection[int]) -> dict[int, Any]:
    """Turn a JSON object with one entry for each layer with weights into a dict by layer.

    Raises:
        InputError: Not an object, or not exactly those layers.
    """
    fields = _fields(what, values, [str(i) for i in weighted])
    return {i: fields[str(i)] for i in weighted}


def parse_scales(scales: Any, weighted: Collection[int]) -> dict[int, Shifts] | None:
    """The static shifts by layer, or None for dynamic ones.

    Raises:
        InputError: Not exactly three shifts for each layer with weights.
    """
    if scales is None:
        return None
    shifts = by_layer("scales", scales, weighted)
    for i, three in shifts.items():
        if not isinstance(three, list) or len(three) != 3:
            do = "give them as [forward, backward, gradient]"
            raise InputError.about(f"scales of layer {i}", expected="three shifts", got=repr(three), do=do)
    return {i: Shifts(*three) for i, three in shifts.items()}


def _parse_layer(index: int, layer: Any) -> Layer:
    name = layer.get("type") if isinstance(layer, dict) else layer
    kind = _choice(f"type of layer {index}", name, tuple(LAYER_KEYS))
    keys = LAYER_KEYS[kind]
    fields = _fields(f"layer {index}", layer, ("type", *keys))
    return LAYER_TYPES[kind](*(fields[key] for key in keys))


def _build_layer(layer: Layer) -> dict[str, Any]:
    name = next(name for name, kind in LAYER_TYPES.items() if isinstance(layer, kind))
    return {"type": name} | dict(zip(LAYER_KEYS[name], (int(value) for value in vars(layer).values()), strict=True))


def _parse_method(method: Any) -> Method:
    fields = _fields("method", method, ("name", "mu", "theta", "loss_rounding"))
    kind = _choice("method name", fields["name"], tuple(MethodKind))
    rounding = _choice("loss_rounding", fields["loss_rounding"], tuple(LossRounding))
    return Method(MethodKind(kind), fields["mu"], fields["theta"], LossRounding(rounding))


def _choice(what: str, value: object, names: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in names:
        do = "choose one of them"
        raise InputError.about(what, expected=f"one of {', '.join(names)}", got=repr(value), do=do)
    return value


def _fields(what: str, value: Any, required: Collection[str], optional: Collection[str] = ()) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError.about(what, expected="a JSON object", got=repr(value), do=f"give {', '.join(required)}")
    check_keys(what, [key for key in value if key not in optional], required, InputError)
    return value


def _without_doubles(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        got = f"{[key for key, _ in pairs]}"
        raise InputError.about("keys of a JSON object", expected="each key once", got=got, do="remove the double")
    return fields
