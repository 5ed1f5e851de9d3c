"""Capsules: what is written is read again, the same to the byte; what is illegal is refused."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from priot_hil.harness.capsule import Expected, Mode, check_capsule, read_capsule, write_capsule
from priot_hil.harness.capsule_archive import CapsuleError
from priot_hil.reference.errors import InputError
from priot_hil.reference.network import Flatten, Linear, Network, Relu
from priot_hil.reference.run import LossRounding

GOLDEN = sorted((Path(__file__).parent.parent / "capsules" / "golden").glob("*.npz"))


def arrays_of(path):
    """The file's arrays, the JSON as a dict."""
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    return arrays | {"meta": json.loads(str(arrays["meta"]))}


def save(path, arrays):
    """Write arrays as they are, legal or not."""
    meta = arrays.get("meta")
    if isinstance(meta, dict):
        arrays = arrays | {"meta": np.array(json.dumps(meta))}
    np.savez(path, **arrays)


@pytest.fixture(scope="module")
def priot_s():
    """A golden PRIOT-S capsule that trains with static scales and has weights in its first layer."""
    for path in GOLDEN:
        arrays = arrays_of(path)
        meta = arrays["meta"]
        if meta["method"]["name"] == "priot_s" and meta["scales"] and meta["mode"] == "train" and "w0" in arrays:
            return path
    raise AssertionError("no such golden capsule")


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_round_trip(path, tmp_path):
    """Reading and writing a golden file keeps every array and the JSON but its format; twice gives the same bytes."""
    capsule = read_capsule(path)
    write_capsule(tmp_path / "a.npz", capsule)
    write_capsule(tmp_path / "b.npz", read_capsule(tmp_path / "a.npz"))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    before, after = arrays_of(path), arrays_of(tmp_path / "a.npz")
    manifest = {"format": after["meta"]["format"], "sha256": after["meta"].pop("sha256")}
    assert before.pop("meta") | manifest == after.pop("meta") | manifest
    assert manifest["format"] == "priot-capsule/3"
    assert before.keys() == after.keys()
    for name, array in before.items():
        assert array.dtype == after[name].dtype
        assert array.tolist() == after[name].tolist(), name
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.npz", "b.npz"]


def test_expectations_are_optional(priot_s, tmp_path):
    """A bug report knows the input only."""
    capsule = replace(read_capsule(priot_s), expected=Expected())
    write_capsule(tmp_path / "folder" / "a.npz", capsule)
    expected = read_capsule(tmp_path / "folder" / "a.npz").expected
    assert (expected.logits, expected.predictions, expected.values, expected.rng) == (None, None, {}, None)
    assert not expected.has_results


def test_the_order_of_memory_does_not_matter(priot_s, tmp_path):
    """A transposed view of the same numbers gives the same bytes."""
    capsule = read_capsule(priot_s)
    write_capsule(tmp_path / "a.npz", capsule)
    write_capsule(tmp_path / "b.npz", replace(capsule, images=np.asfortranarray(capsule.images)))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def spoil(array):
    """The same with one -128."""
    copy = array.copy()
    copy.flat[0] = -128
    return copy


def with_meta(**changes):
    """A change of top-level entries of the JSON."""
    return lambda arrays: arrays | {"meta": arrays["meta"] | changes}


def with_method(**changes):
    """A change of the method's entries."""
    return lambda arrays: arrays | {"meta": arrays["meta"] | {"method": arrays["meta"]["method"] | changes}}


def with_layer(**changes):
    """A change of the first layer's entries."""

    def change(arrays):
        first, *others = arrays["meta"]["layers"]
        return arrays | {"meta": arrays["meta"] | {"layers": [first | changes, *others]}}

    return change


def with_array(name, change):
    """A change of one array."""
    return lambda arrays: arrays | {name: change(arrays[name])}


def without(name):
    """All but one array."""
    return lambda arrays: {key: array for key, array in arrays.items() if key != name}


def without_meta(name):
    """All but one entry of the JSON."""
    return lambda arrays: arrays | {"meta": {key: value for key, value in arrays["meta"].items() if key != name}}


ILLEGAL = {
    "meta missing": (without("meta"), "arrays: expected keys"),
    "meta bytes": (lambda a: a | {"meta": np.array(b"{}")}, "0-d unicode"),
    "meta 1-d": (lambda a: a | {"meta": np.array(["{}"])}, "0-d unicode"),
    "meta no JSON": (lambda a: a | {"meta": np.array("{")}, "meta: expected a JSON object, got no JSON: "),
    "meta a list": (lambda a: a | {"meta": np.array("[]")}, "meta: expected a JSON object"),
    "meta deep": (lambda a: a | {"meta": np.array("[" * 100000)}, "meta: expected a JSON object, got no JSON: "),
    "meta double key": (lambda a: a | {"meta": np.array('{"rng": 1, "rng": 2}')}, "the key .rng. twice in one object"),
    "format": (with_meta(format="priot-capsule/4"), "format: expected 'priot-capsule/1' or .*, got 'priot-capsule/4'"),
    "format no text": (with_meta(format=["priot-capsule/1"]), "format: expected 'priot-capsule/1' or"),
    "manifest missing": (with_meta(format="priot-capsule/3"), "manifest of priot-capsule/3: expected one, got none"),
    "manifest of others": (with_meta(sha256="0"), "contents: expected SHA-256 0"),
    "mode of another format": (with_meta(format="priot-capsule/2"), "mode of priot-capsule/2: .*, got 'train'"),
    "unknown meta key": (with_meta(note="hello"), "meta: expected keys .*'note'"),
    "rng missing": (without_meta("rng"), "meta: expected keys"),
    "rng 0": (with_meta(rng=0), "random generator"),
    "rng float": (with_meta(rng=1.0), "random generator"),
    "rng_after 0": (with_meta(rng_after=0), "rng_after"),
    "mode": (with_meta(mode="kernel"), "mode of priot-capsule/1: expected one of train, predict, got 'kernel'"),
    "rng_after of predict": (with_meta(mode="predict"), "rng_after"),
    "layers no list": (with_meta(layers={}), "layers: expected a list"),
    "layer no object": (with_meta(layers=["relu"]), "layer 0"),
    "layer type": (with_layer(type="conv3d"), "type of layer 0: expected one of conv2d"),
    "layer key": (with_layer(bias=True), "layer 0: expected keys"),
    "layer number": (with_layer(out="8"), "layer 0 .*'8'"),
    "geometry": (with_layer(out=7777), "expected"),
    "no last linear": (with_meta(layers=[{"type": "relu"}]), "last layer"),
    "exponent": (with_meta(input_exponent=64), "input exponent"),
    "exponents no object": (with_meta(weight_exponents=[0]), "weight_exponents: expected a JSON object"),
    "exponents missing": (with_meta(weight_exponents={}), "weight_exponents: expected keys"),
    "exponents unlike": (with_meta(weight_exponents={"00": 0}), "weight_exponents: expected keys"),
    "method name": (with_method(name="sgd"), "method name"),
    "method unknown key": (with_method(lr=1), "method: expected keys"),
    "method mu": (with_method(mu=8), "mu"),
    "method theta null": (with_method(theta=None), "theta"),
    "loss rounding": (with_method(loss_rounding="floor"), "loss_rounding"),
    "arrays of another method": (with_method(name="priot"), "arrays: expected keys"),
    "scales of a layer missing": (with_meta(scales={"0": [0, 0, 0]}), "scales: expected keys"),
    "images missing": (without("images"), "arrays: expected keys"),
    "labels missing": (without("labels"), "arrays: expected keys"),
    "weights missing": (without("w0"), "arrays: expected keys"),
    "unknown array": (lambda a: a | {"w00": a["w0"]}, "arrays: expected keys .*w00"),
    "weights after of scores": (lambda a: a | {"w_after0": a["w0"]}, "arrays: expected keys .*w_after0"),
    "images -128": (with_array("images", spoil), r"images: expected values in -127\.\.127, got -128"),
    "images uint8": (with_array("images", lambda v: v.astype(np.uint8)), "images: expected an int8 array"),
    "no images": (with_array("images", lambda v: v[:0]), "images: expected one or more, got none"),
    "images 0-d": (with_array("images", lambda v: v.flat[0]), "input shape|images"),
    "weights -128": (with_array("w0", spoil), "weights of layer 0: .*-128"),
    "weights shape": (with_array("w0", lambda v: v[None]), "weights of layer 0: expected shape"),
    "scores -128": (with_array("s0", spoil), "scores of layer 0: .*-128"),
    "masks of 2": (with_array("m0", lambda v: v * 2), "m0: expected uint8 zeros and ones, got uint8 up to 2"),
    "masks bool": (with_array("m0", lambda v: v.astype(bool)), "m0: expected uint8"),
    "labels int32": (with_array("labels", lambda v: v.astype(np.int32)), "labels: expected int64"),
    "labels too many": (with_array("labels", lambda v: np.append(v, 0)), "labels: expected int64 of shape"),
    "label -1": (with_array("labels", lambda v: v - 1 - v.max()), "labels: expected a whole number in 0"),
    "label K": (with_array("labels", lambda v: v * 0 + 1024), "labels: expected a whole number in 0"),
    "logits shape": (with_array("logits", lambda v: v[:, 1:]), "logits: expected shape"),
    "predictions K": (with_array("predictions", lambda v: v + 1024), "predictions"),
    "state after": (with_array("s_after0", spoil), "layer 0 after the last step: .*-128"),
}  # fmt: skip


@pytest.mark.parametrize("name", ILLEGAL)
def test_illegal_content_is_refused(priot_s, tmp_path, name):
    """Each single fault, with the path and one sentence."""
    change, match = ILLEGAL[name]
    path = tmp_path / "case.npz"
    arrays = arrays_of(priot_s)
    save(path, arrays)
    read_capsule(path)
    save(path, change(arrays))
    with pytest.raises(CapsuleError, match=match) as refusal:
        read_capsule(path)
    text = str(refusal.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    assert ", got " in text


@pytest.mark.parametrize("three", [[0, 0], [0, 0, 0, 0], "000", [0, 0, 32], [0, 0, 1.5], [0, 1, 0]])
def test_illegal_scales_are_refused(priot_s, tmp_path, three):
    """Three shifts a layer, 0..31, and nothing backward in the first."""
    arrays = arrays_of(priot_s)
    arrays["meta"]["scales"]["0"] = three
    save(tmp_path / "case.npz", arrays)
    with pytest.raises(CapsuleError, match="layer 0"):
        read_capsule(tmp_path / "case.npz")


def test_images_have_the_axes_their_first_layers_want(priot_s):
    """A vector only where a linear layer comes before anything that looks at rows and columns."""
    capsule = replace(read_capsule(priot_s), expected=Expected())
    labels = np.zeros(2, np.int64)
    for shape, layers, legal in (
        ((6,), (Relu(), Linear(6, 2)), True),
        ((6,), (Flatten(), Linear(6, 2)), False),
        ((1, 2, 3), (Relu(), Flatten(), Linear(6, 2)), True),
    ):
        network = Network(shape, layers)
        last = len(layers) - 1
        ones = {last: np.ones((2, 6), np.int8)}
        model = replace(capsule.model, network=network, weights=ones, weight_exponents={last: 0})
        state = replace(capsule.state, values=ones, scales=None, scored={last: np.ones((2, 6), bool)})
        case = replace(capsule, model=model, state=state, labels=labels, images=np.ones((2, *shape), np.int8))
        if legal:
            check_capsule(case)
        else:
            with pytest.raises(CapsuleError, match="images: expected 4 axes, got 2 axes"):
                check_capsule(case)


def test_a_generator_that_nothing_moves_stays(priot_s):
    """Prediction and the nearest rounding draw nothing, so another last state could never come out."""
    capsule = read_capsule(priot_s)
    moved = replace(capsule, expected=Expected(rng=capsule.state.rng ^ 2))
    check_capsule(replace(moved, method=replace(capsule.method, loss_rounding=LossRounding.STOCHASTIC)))
    for quiet in (
        replace(moved, mode=Mode.PREDICT),
        replace(moved, method=replace(capsule.method, loss_rounding=LossRounding.NEAREST)),
    ):
        with pytest.raises(CapsuleError, match="rng_after"):
            check_capsule(quiet)


def test_an_illegal_capsule_is_not_written(priot_s, tmp_path):
    """Nothing appears, and a file that is there stays as it is."""
    capsule = read_capsule(priot_s)
    path = tmp_path / "case.npz"
    write_capsule(path, capsule)
    before = path.read_bytes()
    with pytest.raises(InputError, match="labels"):
        write_capsule(path, replace(capsule, labels=capsule.labels + 1024))
    assert [file.name for file in tmp_path.iterdir()] == ["case.npz"]
    assert path.read_bytes() == before


def test_a_broken_write_leaves_the_old_file(priot_s, tmp_path, monkeypatch):
    """Written aside and renamed: a full disk in the middle costs nothing."""
    capsule = read_capsule(priot_s)
    path = tmp_path / "case.npz"
    write_capsule(path, capsule)
    before = path.read_bytes()

    def full_disk(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full_disk)
    with pytest.raises(InputError, match=r"case\.npz: expected a file that can be written, got no space left"):
        write_capsule(path, capsule)
    assert [file.name for file in tmp_path.iterdir()] == ["case.npz"]
    assert path.read_bytes() == before
