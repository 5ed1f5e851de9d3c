"""Both ends of every range of a run's numbers: taken alike by reference, capsule and device; one beyond, refused alike.

A device is asked twice: through the engine, whose host looks first, and with the number in the bytes that are sent.
"""

import contextlib
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from refusals import sentence_of, status_of

from priot_hil.harness.capsule import Capsule, read_capsule, write_capsule
from priot_hil.harness.capsule_archive import load, save
from priot_hil.harness.description import describe_run
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.example import EXAMPLE, example_run
from priot_hil.harness.failures import expect_equal
from priot_hil.harness.protocol import (
    CommandCode,
    LayerRecord,
    ModelRecord,
    StatusCode,
    TensorCode,
    TrainStepRequest,
    WriteRequest,
)
from priot_hil.harness.strategies import Run
from priot_hil.reference.network import Linear, Network
from priot_hil.reference.ranges import (
    CLASSES,
    COUNT,
    DEVIATION,
    EXPONENT,
    GENERATOR,
    LOGIT_EXPONENT,
    MU,
    PERCENT,
    RANGES,
    SCORED_POSITIONS,
    SEED,
    SHIFT,
    SIZE,
    TERMS,
    THETA,
    VALUE,
    Range,
)
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reference.run import LossRounding, MethodKind, Shifts, initial_state

ALL = tuple(MethodKind)
STATIC = (MethodKind.NITI_STATIC, MethodKind.PRIOT, MethodKind.PRIOT_S)
DYNAMIC = (MethodKind.NITI_DYNAMIC, MethodKind.PRIOT, MethodKind.PRIOT_S)
SCORED = (MethodKind.PRIOT, MethodKind.PRIOT_S)
FIRST, LAST = EXAMPLE.weighted
LABEL = Range(0, EXAMPLE.classes - 1)


class Number(NamedTuple):
    """A number of a run.

    Attributes:
        range: Its legal values.
        kinds: The methods that have it.
        set: The run with the number.
        sent: Changes the number in a description as it is sent; None where it is no part of one.
        stored: Changes the number in a capsule's JSON; None where it is no part of it.
    """

    range: Range
    kinds: tuple[MethodKind, ...]
    set: Callable[[Run, int], Run]
    sent: Callable[[bytes, int], bytes] | None = None
    stored: Callable[[dict[str, Any], int], None] | None = None


def head(data: bytes, **changes: int) -> bytes:
    """A description with a changed head."""
    return ModelRecord.unpack(data)._replace(**changes).pack() + data[ModelRecord.size() :]


def layer(data: bytes, index: int, **changes: int) -> bytes:
    """A description with a changed layer."""
    at = ModelRecord.size() + index * LayerRecord.size()
    return data[:at] + LayerRecord.unpack(data, at)._replace(**changes).pack() + data[at + LayerRecord.size() :]


def weight_exponent(index: int) -> Number:
    """The exponent of a layer's weights."""

    def store(meta: dict[str, Any], value: int) -> None:
        meta["weight_exponents"][str(index)] = value

    return Number(
        EXPONENT,
        ALL,
        lambda run, v: run._replace(
            model=replace(run.model, weight_exponents={**run.model.weight_exponents, index: v})
        ),
        lambda data, v: layer(data, index, exponent=v),
        store,
    )


def shift(index: int, name: str) -> Number:
    """A static shift."""

    def put(run: Run, value: int) -> Run:
        assert run.state.scales is not None
        scales = {**run.state.scales, index: run.state.scales[index]._replace(**{name: value})}
        return run._replace(state=replace(run.state, scales=scales))

    def store(meta: dict[str, Any], value: int) -> None:
        meta["scales"][str(index)][Shifts._fields.index(name)] = value

    return Number(SHIFT, STATIC, put, lambda data, v: layer(data, index, **{name: v}), store)


def dynamic(run: Run) -> Run:
    """The same without static shifts."""
    return run._replace(state=replace(run.state, scales=None))


def with_theta(run: Run, theta: int) -> Run:
    """Scores just below the threshold, at it and above."""
    near = np.clip(np.arange(theta - 2, theta + 3), VALUE.low, VALUE.high).astype(np.int8)
    values = {i: np.resize(near, scores.shape) for i, scores in run.state.values.items()}
    return run._replace(method=replace(run.method, theta=theta), state=replace(run.state, values=values))


def with_classes(run: Run, classes: int) -> Run:
    """Another number of outputs."""
    network = Network(EXAMPLE.input_shape, (*EXAMPLE.layers[:-1], Linear(27, classes)))
    weights = {**run.model.weights, LAST: np.resize(run.model.weights[LAST], (classes, 27))}
    model = replace(run.model, network=network, weights=weights)
    state = initial_state(model, run.method, seed=3, scales=run.state.scales, percent=40)
    return run._replace(model=model, state=state, labels=np.arange(len(run.labels)) * 511 % classes)


def put_first(tensor: np.ndarray, value: int) -> np.ndarray:
    """The same with the value in the first place; what int8 cannot hold comes out as -128."""
    changed = tensor.copy()
    changed.flat[0] = np.int16(value).astype(np.int8)
    return changed


NUMBERS: dict[str, Number] = {
    "input exponent": Number(
        EXPONENT,
        ALL,
        lambda run, v: run._replace(model=replace(run.model, input_exponent=v)),
        lambda data, v: head(data, input_exponent=v),
        lambda meta, v: meta.update(input_exponent=v),
    ),
    "weight exponent of the first layer": weight_exponent(FIRST),
    "weight exponent of the last layer": weight_exponent(LAST),
    "forward shift of the first layer": shift(FIRST, "forward"),
    "forward shift of the last layer": shift(LAST, "forward"),
    "backward shift of the last layer": shift(LAST, "backward"),
    "gradient shift of the first layer": shift(FIRST, "gradient"),
    "gradient shift of the last layer": shift(LAST, "gradient"),
    "mu": Number(
        MU,
        DYNAMIC,
        lambda run, v: dynamic(run._replace(method=replace(run.method, mu=v))),
        lambda data, v: head(data, mu=v),
        lambda meta, v: meta["method"].update(mu=v),
    ),
    "theta": Number(
        THETA,
        SCORED,
        with_theta,
        lambda data, v: head(data, theta=v),
        lambda meta, v: meta["method"].update(theta=v),
    ),
    "generator": Number(
        GENERATOR,
        ALL,
        lambda run, v: run._replace(state=replace(run.state, rng=v)),
        lambda data, v: head(data, rng=v),
        lambda meta, v: meta.update(rng=v),
    ),
    "classes": Number(CLASSES, ALL, with_classes, lambda data, v: layer(data, LAST, out=v, scored=0)),
    "label": Number(LABEL, ALL, lambda run, v: run._replace(labels=np.full(len(run.labels), v, np.int64))),
    "weight": Number(
        VALUE,
        ALL,
        lambda run, v: run._replace(
            model=replace(run.model, weights={i: put_first(w, v) for i, w in run.model.weights.items()})
        ),
    ),
    "score": Number(
        VALUE,
        SCORED,
        lambda run, v: run._replace(
            state=replace(run.state, values={i: put_first(s, v) for i, s in run.state.values.items()})
        ),
    ),
    "trained weight": Number(
        VALUE,
        (MethodKind.NITI_DYNAMIC, MethodKind.NITI_STATIC),
        lambda run, v: run._replace(
            state=replace(run.state, values={i: put_first(s, v) for i, s in run.state.values.items()})
        ),
    ),
    "pixel": Number(VALUE, ALL, lambda run, v: run._replace(images=np.stack([put_first(i, v) for i in run.images]))),
}


ELSEWHERE = {
    LOGIT_EXPONENT,  # below
    *(SIZE, TERMS, SCORED_POSITIONS),  # test_ends_of_networks.py
    *(PERCENT, DEVIATION, COUNT, SEED),  # tests/reference/test_ranges.py
}


def test_every_range_has_cases() -> None:
    """One that is added is missing here."""
    assert {number.range for number in NUMBERS.values()} - {LABEL} == set(RANGES) - ELSEWHERE


def ends() -> Iterator[Any]:
    """Each number of each method at both ends."""
    for name, number in NUMBERS.items():
        for kind in number.kinds:
            for value in (number.range.low, number.range.high):
                yield pytest.param(name, kind, value, id=f"{name} {value}-{kind}")


def beyond() -> Iterator[Any]:
    """Each number below and above, once for each method."""
    for name, number in NUMBERS.items():
        for kind in number.kinds:
            for value in (number.range.low - 1, number.range.high + 1):
                yield pytest.param(name, kind, value, id=f"{name} {value}-{kind}")


def base(name: str, kind: MethodKind) -> Run:
    """A legal run of a method, with dynamic shifts where the number needs them."""
    run = example_run(kind)
    return dynamic(run) if name == "mu" else run


def capsule_of(run: Run) -> Capsule:
    """A run as a case."""
    return Capsule(run.model, run.method, run.state, run.images, run.labels)


@pytest.mark.parametrize(("name", "kind", "value"), list(ends()))
def test_an_end_trains_alike(device_engine: DeviceEngine, name: str, kind: MethodKind, value: int) -> None:
    """Every step at either end of a range is the reference's."""
    expect_equal(capsule_of(NUMBERS[name].set(base(name, kind), value)), device_engine)


@pytest.mark.parametrize(("name", "kind", "value"), list(ends()))
def test_an_end_is_kept(tmp_path: Path, name: str, kind: MethodKind, value: int) -> None:
    """A capsule at either end is written and read, to the byte."""
    first, second = tmp_path / "first.npz", tmp_path / "second.npz"
    write_capsule(first, capsule_of(NUMBERS[name].set(base(name, kind), value)))
    write_capsule(second, read_capsule(first))
    assert first.read_bytes() == second.read_bytes()


def learn(engine: ReferenceEngine | DeviceEngine, run: Run) -> None:
    """Load a run and take its first step."""
    engine.load(run.model, run.method, run.state)
    engine.train_step(run.images[0], int(run.labels[0]))


@pytest.mark.parametrize(("name", "kind", "value"), list(beyond()))
@pytest.mark.parametrize("device_engine", ["host"], indirect=True)
def test_one_beyond_is_refused(
    device_engine: DeviceEngine, tmp_path: Path, name: str, kind: MethodKind, value: int
) -> None:
    """With the range in the sentence, which is the same from the reference, from a device and from a capsule."""
    number = NUMBERS[name]
    if name == "classes":  # a network is refused as soon as it is made
        assert f"{number.range}, got {value};" in sentence_of(number.set, base(name, kind), value)
        return
    run = number.set(base(name, kind), value)
    said = sentence_of(learn, ReferenceEngine(), run)
    assert str(number.range) in said
    assert f"got {value};" in said or "got -128 at" in said
    assert sentence_of(learn, device_engine, run) == said
    path = tmp_path / "case.npz"
    assert str(number.range) in sentence_of(write_capsule, path, capsule_of(run))
    assert not path.exists()


@pytest.mark.parametrize(("name", "kind", "value"), [case for case in beyond() if NUMBERS[case.values[0]].stored])
def test_one_beyond_in_a_file_is_refused(tmp_path: Path, name: str, kind: MethodKind, value: int) -> None:
    """A capsule that somebody else has written."""
    store = NUMBERS[name].stored
    assert store is not None
    path = tmp_path / "case.npz"
    write_capsule(path, capsule_of(base(name, kind)))
    meta, arrays = load(path)
    store(meta, value)
    save(path, meta, arrays)
    assert f"{NUMBERS[name].range}, got {value};" in sentence_of(read_capsule, path)


def descriptions_beyond() -> Iterator[Any]:
    """Descriptions with a number below or above, as far as the record has room for it."""
    for case in beyond():
        name, kind, value = case.values
        run, send = base(name, kind), NUMBERS[name].sent
        if send is None:
            continue
        with contextlib.suppress(struct.error):
            yield pytest.param(name, kind, send(describe_run(run.model, run.method, run.state, 16), value), id=case.id)


@pytest.mark.parametrize(("name", "kind", "description"), list(descriptions_beyond()))
def test_one_beyond_that_is_sent_is_refused(
    device_engine: DeviceEngine, name: str, kind: MethodKind, description: bytes
) -> None:
    """By the firmware itself, which goes on with the run before."""
    run = example_run(kind)
    device_engine.load(run.model, run.method, run.state)
    before = device_engine.state_crc()
    expected = StatusCode.BAD_GEOMETRY if name == "classes" else StatusCode.BAD_MODEL
    assert status_of(device_engine, CommandCode.LOAD, description) == expected
    assert device_engine.state_crc() == before


@pytest.mark.parametrize("rounding", LossRounding)
def test_roundings(device_engine: DeviceEngine, rounding: LossRounding) -> None:
    """Both are taken."""
    run = example_run(MethodKind.PRIOT)
    expect_equal(capsule_of(run._replace(method=replace(run.method, loss_rounding=rounding))), device_engine)


@pytest.mark.parametrize("kind", ALL)
def test_bytes_that_are_sent(device_engine: DeviceEngine, kind: MethodKind) -> None:
    """Tensors take every int8 but -128; a step takes the labels that there are, and observes or does not."""
    run = example_run(kind)
    description = describe_run(run.model, run.method, replace(run.state, scored=None), 16)
    device_engine.device.command(CommandCode.LOAD, description)
    tensors = [(TensorCode.WEIGHTS, FIRST), (TensorCode.WEIGHTS, LAST), (TensorCode.IMAGE, 0)]
    if kind is MethodKind.PRIOT:
        tensors += [(TensorCode.SCORES, FIRST), (TensorCode.SCORES, LAST)]
    for code, index in tensors:
        for value in (VALUE.low, VALUE.high, VALUE.low - 1):
            request = WriteRequest(code, index, 1).pack() + b"\0" + struct.pack("b", value)
            expected = StatusCode.OK if value in range(VALUE.low, VALUE.high + 1) else StatusCode.BAD_VALUE
            assert status_of(device_engine, CommandCode.WRITE, request) == expected, (code, index, value)
    device_engine.device.command(CommandCode.START)
    for label, observe in ((LABEL.low, 0), (LABEL.high, 0), (LABEL.high, 1), (LABEL.high + 1, 0), (0, 2), (0xFFFF, 1)):
        expected = StatusCode.OK if label <= LABEL.high and observe <= 1 else StatusCode.BAD_VALUE
        request = TrainStepRequest(label, observe).pack()
        assert status_of(device_engine, CommandCode.TRAIN_STEP, request) == expected, (label, observe)


LOGITS = (
    range(-174, -172),  # all exponents at their lower end, with the shifts of both layers
    range(LOGIT_EXPONENT.low - 2, LOGIT_EXPONENT.low + 2),
    range(-8, -5),  # between the two forms of the loss
    range(-1, 5),
    range(LOGIT_EXPONENT.high - 1, LOGIT_EXPONENT.high + 2),
    range(206, 208),
)


@pytest.mark.parametrize("exponents", LOGITS, ids=str)
def test_exponents_of_logits(device_engine: DeviceEngine, exponents: range) -> None:
    """Also where the sum of legal exponents is far beyond those of the loss."""
    run = example_run(MethodKind.NITI_STATIC)
    shifts = 9 + 9
    for exponent in exponents:
        left = [EXPONENT.low] * 3
        for place in range(3):
            left[place] += min(exponent - shifts - sum(left), EXPONENT.high - EXPONENT.low)
        first, last, image = left
        assert first + last + image + shifts == exponent
        model = replace(run.model, weight_exponents={FIRST: first, LAST: last}, input_exponent=image)
        expect_equal(capsule_of(run._replace(model=model)), device_engine)
