"""The oracle reproduces the golden capsules: logits, predictions, final state and generator."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oracle.step import Oracle
from oracle.tensors import flat
from priot_hil.reference.network import Conv2d, Flatten, Layer, Linear, MaxPool2d, Network, Relu
from priot_hil.reference.run import LossRounding, Method, MethodKind, Model, Shifts, State, check_run

GOLDEN = Path(__file__).parents[1] / "capsules" / "golden"
CAPSULES = sorted(GOLDEN.glob("*.npz"))


def parse_layer(entry: dict[str, Any]) -> Layer:
    """One entry of the layer list."""
    match entry:
        case {"type": "conv2d", "in": inputs, "out": outputs, "k": kernel, "stride": stride, "padding": padding}:
            return Conv2d(inputs, outputs, kernel, stride, padding)
        case {"type": "linear", "in": inputs, "out": outputs}:
            return Linear(inputs, outputs)
        case {"type": "relu"}:
            return Relu()
        case {"type": "maxpool2d", "n": size}:
            return MaxPool2d(size)
        case {"type": "flatten"}:
            return Flatten()
    raise ValueError(entry)


@pytest.mark.parametrize("path", CAPSULES, ids=lambda path: path.stem)
def test_oracle_reproduces_golden_capsule(path: Path) -> None:
    """Two independent programs wrote these; the oracle is a third."""
    with np.load(path, allow_pickle=False) as file:
        data = {key: file[key] for key in file.files}
    meta = json.loads(str(data["meta"]))
    images, named = data["images"], meta["method"]
    network = Network(images.shape[1:], tuple(parse_layer(entry) for entry in meta["layers"]))
    method = Method(MethodKind(named["name"]), named["mu"], named["theta"], LossRounding(named["loss_rounding"]))
    scores = method.kind.learns_scores
    weights = {i: data[f"w{i}"] for i in network.weighted}
    exponents = {int(i): e for i, e in meta["weight_exponents"].items()}
    model = Model(network, weights, exponents, meta["input_exponent"])
    scales = meta["scales"] and {int(i): Shifts(*shifts) for i, shifts in meta["scales"].items()}
    scored = {i: data[f"m{i}"] != 0 for i in network.weighted} if method.kind is MethodKind.PRIOT_S else None
    values = {i: data[f"s{i}"] if scores else weights[i] for i in network.weighted}
    state = State(values, meta["rng"], scales, scored)
    check_run(model, method, state)

    oracle = Oracle(model, method, state)
    for n, (image, label) in enumerate(zip(images, data["labels"], strict=True)):
        trace = oracle.train_step(image, int(label)) if meta["mode"] == "train" else oracle.predict(image)
        assert trace.tensors["logits"] == data["logits"][n].tolist(), f"logits of sample {n}"
        assert trace.prediction == data["predictions"][n], f"prediction of sample {n}"
    for i in network.weighted:
        mask = np.ones(weights[i].size, bool) if scored is None else scored[i].ravel()
        expected = data[f"{'s' if scores else 'w'}_after{i}"].ravel()[mask]
        got = np.array(list(flat(oracle.edges[i].learned)))[mask]
        assert np.array_equal(got, expected), f"state of layer {i}"
    assert oracle.generator.state == meta["rng_after"]


def test_there_are_golden_capsules() -> None:
    """An empty folder would pass in silence."""
    assert len(CAPSULES) >= 80
