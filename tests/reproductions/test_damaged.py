"""Files that are kept between commands, damaged: refused in one sentence or read as they were, and nothing else."""

import json

import numpy as np
import pytest
from damage import cuts, flips, shifts, sweep

from priot_hil.harness.archive import pack, unpack
from priot_hil.harness.manifest import contents_of
from priot_hil.harness.paths import ROOT
from priot_hil.reference.errors import InputError
from priot_hil.reference.network import Linear, Network
from priot_hil.reference.run import Model, Shifts, State
from priot_hil.reproductions import checkpoint, integer_training
from priot_hil.reproductions.chain import read_chain
from priot_hil.reproductions.checkpoint import Checkpoint, read_checkpoint
from priot_hil.reproductions.data import load_mnist
from priot_hil.reproductions.files import sha256
from priot_hil.reproductions.records import keep, kept, record_from_json

NETWORK = Network((3,), (Linear(3, 2),))
VALUES = {0: np.arange(-3, 3, dtype=np.int8).reshape(2, 3)}
STATE = State(VALUES, 77, {0: Shifts(8, 0, 12)}, {0: VALUES[0] > 0})
IMAGES = {
    "x_train": np.resize(np.arange(256, dtype=np.uint8), (2, 28, 28)),
    "y_train": np.array([1, 2], np.uint8),
    "x_test": np.ones((1, 28, 28), np.uint8),
    "y_test": np.array([3], np.uint8),
}


def listed(arrays):
    """Arrays, to be compared."""
    return {name: (array.dtype, array.tolist()) for name, array in (arrays or {}).items()}


def a_kept_run(path, monkeypatch):
    """A run of PRIOT-S behind its first epoch."""
    entries = read_chain(ROOT / "docs" / "results" / "accuracy.jsonl")
    entry = next(entry for entry in entries if entry.body.get("method") == "priot_s")
    behind_first = record_from_json(entry.body, entry.beside).upto(1)
    keep(path, behind_first, STATE)

    def read(file):
        record, state = kept(file, behind_first.key)
        return record, record.beside, listed(state.values), listed(state.scored), state.rng, state.scales

    return read


def a_kept_training(path, monkeypatch):
    """A pre-training on integers behind 5,000 steps."""
    integer_training._keep(path, "a key", 5000, State(VALUES, 77))

    def read(file):
        found = integer_training._read_kept(file, "a key", NETWORK, print)
        return found and (found[0], listed(found[1].values), found[1].rng)

    return read


def a_checkpoint(path, monkeypatch):
    """Of a network smaller than those there are."""
    names = {"tiny": NETWORK}
    monkeypatch.setattr(checkpoint, "network", names.__getitem__)
    Checkpoint("tiny", "float", Model(NETWORK, VALUES, {0: -7}, -7), {"by": "hand"}).write(path)

    def read(file):
        found = read_checkpoint(file)
        model = found.model
        exponents = dict(model.weight_exponents), model.input_exponent
        return found.network, found.pretraining, found.provenance, listed(model.weights), exponents

    return read


def a_cache(path, monkeypatch):
    """A data set, which no source serves again."""
    sums = {name: sha256(array.tobytes()) for name, array in IMAGES.items()}
    path.write_bytes(pack(IMAGES))

    def read(file):
        said = []
        try:
            return listed(vars(load_mnist(file.parent, (), sums, said.append)))
        except InputError:
            assert said == [f"MNIST: {file} is damaged; fetching it again"]
            raise

    return read


FILES = {
    "a kept run": a_kept_run,
    "a kept training": a_kept_training,
    "a checkpoint": a_checkpoint,
    "a data set's cache": a_cache,
}


@pytest.fixture(params=FILES)
def file(request, tmp_path, monkeypatch):
    """Its name, where it is, and how it is read."""
    path = tmp_path / "mnist.npz"
    return request.param, path, FILES[request.param](path, monkeypatch)


@pytest.mark.parametrize("stride", [23, pytest.param(1, marks=pytest.mark.slow)], ids=["some", "all"])
def test_no_flipped_bit_gives_another(file, stride):
    """Every single one, or every 23rd."""
    name, path, read = file
    content = path.read_bytes()
    count = sweep(path, read, flips(content, stride))
    print(f"{name}, {len(content):,} bytes, every bit flipped: {count}")
    assert count.other == []
    assert count.tried == -(-8 * len(content) // stride)
    assert count.refused > 8 * count.same > 0


@pytest.mark.parametrize("damages", [cuts, shifts], ids=["cut", "shifted"])
@pytest.mark.parametrize("stride", [29, pytest.param(1, marks=pytest.mark.slow)], ids=["some", "all"])
def test_no_other_length_gives_any(file, damages, stride):
    """Cut anywhere, a byte more or less anywhere, junk in front or behind."""
    _, path, read = file
    content = path.read_bytes()
    count = sweep(path, read, damages(content, stride))
    assert count.tried > len(content) // stride
    assert (count.same, count.other) == (0, [])


@pytest.mark.parametrize("name", ["a kept run", "a kept training"])
def test_each_array_is_vouched_for(name, tmp_path, monkeypatch):
    """A mask or the weights of a layer that went missing in an archive that is whole in itself."""
    path = tmp_path / "file"
    read = FILES[name](path, monkeypatch)
    arrays = unpack(path.read_bytes(), "it", "do")
    for missing in arrays.keys() - {"meta"}:
        path.write_bytes(pack({other: array for other, array in arrays.items() if other != missing}))
        with pytest.raises(
            InputError, match=f"^kept .* {path}: .*got contents: expected SHA-256 .*; delete it and give"
        ):
            read(path)


@pytest.mark.parametrize("name", ["a kept run", "a kept training"])
def test_what_was_kept_without_a_manifest_is_read(name, tmp_path, monkeypatch):
    """By an earlier version: the hours in it count."""
    path = tmp_path / "file"
    read = FILES[name](path, monkeypatch)
    whole, contents = read(path), contents_of(unpack(path.read_bytes(), "it", "do"))
    path.write_bytes(pack({"meta": np.array(json.dumps(contents.meta)), **contents.arrays}))
    assert read(path) == whole


@pytest.mark.parametrize("name", [name for name in FILES if name != "a data set's cache"])
def test_a_folder_is_refused(name, tmp_path, monkeypatch):
    """In the place of the file."""
    path = tmp_path / "file"
    read = FILES[name](path, monkeypatch)
    path.unlink()
    path.mkdir()
    with pytest.raises(InputError, match=f"{path}: expected a file, got a folder"):
        read(path)
