"""The JSON part of a capsule: layers, exponents, method, scales, mode."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from priot_hil.reference.checks import check_keys
from priot_hil.reference.errors import InputError
from priot_hil.reference.network import Conv2d, Flatten, Layer, Linear, MaxPool2d, Relu
from priot_hil.reference.run import LossRounding, Method, MethodKind, Model, Shifts, State

UNVOUCHED = {
    "priot-capsule/1": ("train", "predict"),
    "priot-capsule/2": ("observe", "epoch", "kernel"),
}
"""The modes of the formats without a manifest, which are read and no longer written."""

FORMAT = "priot-capsule/3"
FORMATS = {**UNVOUCHED, FORMAT: tuple(mode for modes in UNVOUCHED.values() for mode in modes)}
"""The modes of each format; a mode that comes later gets a number of its own."""

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


def first_format(mode: str) -> str:
    """The format that had a mode first."""
    return next(name for name, modes in FORMATS.items() if mode in modes)


def check_format(meta: dict[str, Any], is_vouched_for: bool) -> None:
    """Refuse JSON whose format, mode and manifest do not belong together; all else is not looked at.

    Args:
        meta: The JSON of any mode, without its manifest.
        is_vouched_for: Whether it had one.

    Raises:
        InputError: Another format or mode, a manifest that the format has not, or none where it has one.
    """
    found = meta.get("format")
    if not isinstance(found, str) or found not in FORMATS:
        do = "read it with a version that knows its format"
        expected = " or ".join(map(repr, FORMATS))
        raise InputError.about("format", expected=expected, got=repr(found), do=do)
    if is_vouched_for != (found not in UNVOUCHED):
        expected, got = ("none", "one") if is_vouched_for else ("one", "none")
        do = f"take a whole copy of the file, or write it as {FORMAT} with one"
        raise InputError.about(f"manifest of {found}", expected=expected, got=got, do=do)
    choice(f"mode of {found}", meta.get("mode"), FORMATS[found])


def parse(meta: dict[str, Any]) -> Meta:
    """Read the JSON of a run.

    Args:
        meta: It, after `check_format`.

    Returns:
        Its parts; numbers are not yet checked, names and keys are.

    Raises:
        InputError: Not a run's, or an unknown or missing key.
    """
    choice("mode of a run", meta["mode"], [mode for mode in FORMATS[FORMAT] if mode != "kernel"])
    meta = fields_of("meta", meta, KEYS, {"rng_after"})
    return Meta(
        parse_layers(meta["layers"]),
        meta["input_exponent"],
        meta["weight_exponents"],
        _parse_method(meta["method"]),
        meta["rng"],
        meta["scales"],
        meta["mode"],
        meta.get("rng_after"),
    )


def build(model: Model, method: Method, state: State, mode: str, rng_after: int | None) -> dict[str, Any]:
    """Write the JSON of a legal capsule.

    Args:
        model: Its model.
        method: Its method.
        state: The state it starts from.
        mode: What is done with the samples.
        rng_after: The generator after the last step, or None to leave it out.

    Returns:
        The JSON without its manifest; equal capsules give equal text.
    """
    weighted = model.network.weighted
    scales = state.scales
    meta: dict[str, Any] = {
        "format": FORMAT,
        "layers": build_layers(model.network.layers),
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
    return meta


def by_layer(what: str, values: Any, weighted: Collection[int]) -> dict[int, Any]:
    """Turn a JSON object with one entry for each layer with weights into a dict by layer.

    Raises:
        InputError: Not an object, or not exactly those layers.
    """
    fields = fields_of(what, values, [str(i) for i in weighted])
    return {i: fields[str(i)] for i in weighted}


def parse_scales(scales: Any, weighted: Collection[int]) -> dict[int, Shifts] | None:
    """The static shifts by layer, or None for dynamic ones.

    Raises:
        InputError: Not exactly three shifts for each layer with weights.
    """
    if scales is None:
        return None
    shifts = by_layer("scales", scales, weighted)
    return {i: parse_shifts(f"scales of layer {i}", three) for i, three in shifts.items()}


def parse_shifts(what: str, three: Any) -> Shifts:
    """Three shifts; their ranges are not yet checked.

    Raises:
        InputError: Not a list of three.
    """
    if not isinstance(three, list) or len(three) != 3:
        do = "give them as [forward, backward, gradient]"
        raise InputError.about(what, expected="three shifts", got=repr(three), do=do)
    return Shifts(*three)


def parse_layers(layers: Any) -> tuple[Layer, ...]:
    """The layers of a JSON list, each with its keys; numbers are not yet checked.

    Raises:
        InputError: Not a list, or an unknown type or key.
    """
    if not isinstance(layers, list):
        do = "list the layers from the input on"
        raise InputError.about("layers", expected="a list", got=repr(layers), do=do)
    return tuple(_parse_layer(i, layer) for i, layer in enumerate(layers))


def build_layers(layers: Iterable[Layer]) -> list[dict[str, Any]]:
    """Layers as JSON objects."""
    return [_build_layer(layer) for layer in layers]


def _parse_layer(index: int, layer: Any) -> Layer:
    name = layer.get("type") if isinstance(layer, dict) else layer
    kind = choice(f"type of layer {index}", name, tuple(LAYER_KEYS))
    keys = LAYER_KEYS[kind]
    fields = fields_of(f"layer {index}", layer, ("type", *keys))
    return LAYER_TYPES[kind](*(fields[key] for key in keys))


def _build_layer(layer: Layer) -> dict[str, Any]:
    name = next(name for name, kind in LAYER_TYPES.items() if isinstance(layer, kind))
    return {"type": name} | dict(zip(LAYER_KEYS[name], (int(value) for value in vars(layer).values()), strict=True))


def _parse_method(method: Any) -> Method:
    fields = fields_of("method", method, ("name", "mu", "theta", "loss_rounding"))
    kind = choice("method name", fields["name"], tuple(MethodKind))
    rounding = choice("loss_rounding", fields["loss_rounding"], tuple(LossRounding))
    return Method(MethodKind(kind), fields["mu"], fields["theta"], LossRounding(rounding))


def choice(what: str, value: object, names: Collection[str]) -> str:
    """One of a few names.

    Raises:
        InputError: Another one, or no name.
    """
    if not isinstance(value, str) or value not in names:
        do = "choose one of them"
        raise InputError.about(what, expected=f"one of {', '.join(names)}", got=repr(value), do=do)
    return value


def fields_of(what: str, value: Any, required: Collection[str], optional: Collection[str] = ()) -> dict[str, Any]:
    """A JSON object with all the required keys and, beside the optional ones, no other.

    Raises:
        InputError: Not an object, or not those keys.
    """
    if not isinstance(value, dict):
        raise InputError.about(what, expected="a JSON object", got=repr(value), do=f"give {', '.join(required)}")
    check_keys(what, [key for key in value if key not in optional], required, InputError)
    return value
