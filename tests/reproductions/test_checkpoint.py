"""Checkpoints: the committed ones are whole, and a changed one is refused."""

import json

import numpy as np
import pytest

from priot_hil.harness.archive import pack, unpack
from priot_hil.reference.errors import InputError
from priot_hil.reference.run import MethodKind, initial_state
from priot_hil.reproductions.checkpoint import (
    COMMITTED,
    Checkpoint,
    committed_checkpoint,
    committed_sums,
    read_checkpoint,
)
from priot_hil.reproductions.files import sha256
from priot_hil.reproductions.networks import network


@pytest.fixture
def committed():
    """A committed checkpoint."""
    return committed_checkpoint("tiny_cnn", "float")


@pytest.mark.parametrize(
    ("name", "pretraining", "edges", "least"),
    [("tiny_cnn", "float", 52_040, 80), ("tiny_cnn", "niti", 52_040, 80), ("vgg11", "float", 9_222_848, 64)],
)
def test_committed_checkpoints_are_whole(name, pretraining, edges, least):
    """All weights, which training has left inside the int8 range, and no legal method overflows on them."""
    checkpoint = committed_checkpoint(name, pretraining)
    assert (checkpoint.network, checkpoint.pretraining) == (name, pretraining)
    assert sum(weights.size for weights in checkpoint.model.weights.values()) == edges
    assert all(least <= np.abs(weights).max() <= 127 for weights in checkpoint.model.weights.values())
    for kind in MethodKind:
        network(name).check_overflow(kind)


def test_readme_lists_every_file_and_no_other():
    """With the sum it has."""
    found = {path.name: sha256(path.read_bytes()) for path in COMMITTED.glob("*.npz")}
    assert committed_sums() == found


def test_written_and_read_back(committed, tmp_path):
    """The same bytes again."""
    committed.write(tmp_path / "a.npz")
    again = read_checkpoint(tmp_path / "a.npz")
    assert again.content() == committed.content() == (COMMITTED / "tiny_cnn_float.npz").read_bytes()
    assert again.provenance == committed.provenance


def test_a_checkpoint_that_the_readme_does_not_name_is_refused(committed, tmp_path):
    """One changed weight, in a file that is whole in itself."""
    committed.model.weights[9][0, 0] ^= 1
    committed.write(tmp_path / "tiny_cnn_float.npz")
    (tmp_path / "README.md").write_text((COMMITTED / "README.md").read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(InputError, match=r"expected sha256 \w{64}, got \w{64}; restore the committed file"):
        committed_checkpoint("tiny_cnn", "float", tmp_path)


@pytest.mark.parametrize("position", [60, 20000, -30])
def test_a_flipped_bit_is_refused(committed, tmp_path, position):
    """Also where no sum is known."""
    content = bytearray(committed.content())
    content[position] ^= 4
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"checkpoint {path}"):
        read_checkpoint(path)


def _without(key):
    return lambda arrays, meta: (arrays.pop(key, None), meta.pop(key, None))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_without("w7"), "w7"),
        (_without("input_exponent"), "input_exponent"),
        (lambda arrays, meta: meta.update(format="priot-checkpoint/9"), "expected priot-checkpoint/1"),
        (lambda arrays, meta: meta.update(network="huge_cnn"), "expected one of tiny_cnn"),
        (lambda arrays, meta: meta["weight_exponents"].pop("3"), "3"),
        (lambda arrays, meta: arrays["w9"].__setitem__((0, 0), -128), "-128"),
        (lambda arrays, meta: arrays.update(w9=arrays["w9"].T), "shape"),
        (lambda arrays, meta: arrays.update(w8=arrays["w9"]), "arrays: expected keys"),
        (lambda arrays, meta: meta.update(sha256="0" * 64), "contents: expected SHA-256 0000000000000000"),
        (lambda arrays, meta: arrays.update(w9=arrays["w9"].astype(np.int16)), "int16"),
    ],
)
def test_what_is_no_checkpoint_is_refused(committed, tmp_path, change, reason):
    """With the reason in one sentence."""
    arrays = unpack(committed.content(), "it", "do")
    meta = json.loads(str(arrays["meta"]))
    change(arrays, meta)
    path = tmp_path / "a.npz"
    path.write_bytes(pack({**arrays, "meta": np.array(json.dumps(meta))}))
    with pytest.raises(InputError, match=reason) as refusal:
        read_checkpoint(path)
    assert str(refusal.value).startswith(f"checkpoint {path}: expected a legal priot-checkpoint/1")


def test_missing_ones_are_refused(tmp_path):
    """A file, a way of pre-training, a README."""
    with pytest.raises(InputError, match="No such file"):
        read_checkpoint(tmp_path / "a.npz")
    with pytest.raises(InputError, match=r"got tiny_cnn_magic\.npz"):
        committed_checkpoint("tiny_cnn", "magic")
    with pytest.raises(InputError, match=r"README\.md"):
        committed_sums(tmp_path)


def test_a_damaged_readme_is_refused(tmp_path):
    """A flipped bit in a sum, in a name, or in any other text, which need not be UTF-8 any more."""
    content = bytearray((COMMITTED / "README.md").read_bytes())
    name = content.index(b"tiny_cnn_float.npz` | `")
    for place, said in ((0, None), (name, "checkpoint: expected one of"), (name + 25, "expected sha256 ")):
        damaged = content.copy()
        damaged[place] ^= 0x80 if said is None else 1
        (tmp_path / "README.md").write_bytes(damaged)
        (tmp_path / "tiny_cnn_float.npz").write_bytes((COMMITTED / "tiny_cnn_float.npz").read_bytes())
        if said is None:
            assert committed_sums(tmp_path) == committed_sums()
        else:
            with pytest.raises(InputError, match=said):
                committed_checkpoint("tiny_cnn", "float", tmp_path)


def test_provenance_is_part_of_the_bytes(committed):
    """So that two files with the same bytes have the same history."""
    other = Checkpoint(committed.network, committed.pretraining, committed.model, {"by": "hand"})
    assert other.content() != committed.content()


def test_runs_can_start_from_it(committed, reference, material):
    """Upright digits apart, it is a legal model for every method."""
    from priot_hil.reference.run import Method

    for kind in (MethodKind.NITI_DYNAMIC, MethodKind.PRIOT, MethodKind.PRIOT_S):
        method = Method(kind, theta=kind.default_theta)
        reference.load(committed.model, method, initial_state(committed.model, method, 0))
