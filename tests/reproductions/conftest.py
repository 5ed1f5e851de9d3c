"""A small stand-in for MNIST, packed as it is, and runs small enough for the reference."""

import gzip
import io
import re
import struct
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from rich.console import Console

from priot_hil.harness.archive import unpack
from priot_hil.harness.manifest import contents_of
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reproductions.checkpoint import committed_models, sums_by_pretraining
from priot_hil.reproductions.data import ImageSet, load_mnist
from priot_hil.reproductions.experiment import parse_experiment, read_experiment
from priot_hil.reproductions.files import sha256
from priot_hil.reproductions.material import MaterialLoader
from priot_hil.reproductions.mnist_sources import decode
from priot_hil.reproductions.performance import Material
from priot_hil.reproductions.plan import plan
from priot_hil.reproductions.runner import Reproduction

CHECKPOINT, CODE = "c" * 64, "d" * 64
MADE = {
    "git": {"commit": "a" * 40, "is_dirty": False},
    "packages": {"numpy": "2.0", "ziglang": "0.1", "unicorn": "2.1"},
    "engines": {},
}
MACHINE = {"system": "one", "processor": "it", "python": "3"}


class FakeSource:
    """Serves the four files that it was given, and counts how often."""

    def __init__(self, packed, name="the fake"):
        self.name = name
        self.packed = packed
        self.served = 0

    def fetch(self, folder):
        """Unpack the files."""
        self.served += 1
        return decode(self.packed)


def idx(array):
    """An array as a gzip file in the IDX format."""
    head = b"\0\0\x08" + bytes([array.ndim]) + b"".join(struct.pack(">I", size) for size in array.shape)
    return gzip.compress(head + array.tobytes(), mtime=0)


@pytest.fixture(scope="session")
def arrays():
    """48 + 24 images that look as sparse as digits do."""
    draws = np.random.Generator(np.random.PCG64(1))

    def images(count):
        drawn = draws.integers(0, 256, (count, 28, 28), np.uint8)
        return drawn * (draws.random((count, 28, 28)) < 0.2)

    def labels(count):
        return draws.integers(0, 10, count, np.uint8)

    return {"x_train": images(48), "y_train": labels(48), "x_test": images(24), "y_test": labels(24)}


@pytest.fixture(scope="session")
def sums(arrays):
    """Their sums."""
    return {name: sha256(array.tobytes()) for name, array in arrays.items()}


@pytest.fixture(scope="session")
def packed(arrays):
    """The four files that a source serves."""
    return {name: idx(array) for name, array in arrays.items()}


@pytest.fixture
def source(packed):
    """A source of them."""
    return FakeSource(packed)


@pytest.fixture(scope="session")
def material(arrays):
    """Data and model of a run."""
    return Material(ImageSet(**arrays), committed_models("tiny_cnn", ["float"]), MADE, MACHINE)


@pytest.fixture(scope="session")
def loader(tmp_path_factory, packed, sums):
    """How worker processes come by the same."""
    folder = tmp_path_factory.mktemp("data")
    load_mnist(folder, [FakeSource(packed)], sums)
    checkpoints = sums_by_pretraining("tiny_cnn", ["float"])
    return MaterialLoader(partial(load_mnist, folder, (), sums), "tiny_cnn", checkpoints)


@pytest.fixture(scope="session")
def experiment():
    """The table of accuracies in the small: 2 epochs of 16 images, one seed, one angle."""
    ((name, text),) = read_experiment("accuracy").sources
    for old, new in (
        ("train_samples = 1024", "train_samples = 16"),
        ("test_samples = 1024", "test_samples = 8"),
        ("angles = [30, 45]", "angles = [30]"),
        ("seeds = [10, 11, 12, 13, 14, 15, 16, 17, 18, 19]", "seeds = [10]"),
        ("epochs = 30", "epochs = 2"),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    return parse_experiment("accuracy", {name: text})


@pytest.fixture(scope="session")
def runs(experiment):
    """Its runs by the name of their row."""
    return {run.row.name: run for run in plan(experiment, "reference", None, {"float": CHECKPOINT}, CODE)}


@pytest.fixture
def small_table(experiment, loader, tmp_path):
    """Makes a table of three rows, two angles and one seed; `changes` go to the experiment."""
    rows = tuple(row for row in experiment.rows if row.name in ("before transfer", "static NITI", "PRIOT"))

    def make(out="out", loader=loader, scheduler=None, **changes):
        console = Console(file=io.StringIO(), width=130)
        ((name, text),) = experiment.sources
        for key, value in {"angles": [30, 45], **changes}.items():
            text = re.sub(f"(?m)^{key} = .*$", f"{key} = {value}", text, count=1)
        small = replace(parse_experiment("accuracy", {name: text}), rows=rows)
        runs = plan(small, "reference", None, {"float": CHECKPOINT}, CODE)
        arguments = (small, runs, loader, tmp_path / out, "reference", "host", 2, console)
        return Reproduction(*arguments, scheduler=scheduler)

    return make


@pytest.fixture
def lasting():
    """Reads of a kept run all that must be the same each time: its bytes, but for times and machine."""

    def read(path):
        contents = contents_of(unpack(path.read_bytes(), "it", "do"))
        assert set(contents.meta.pop("beside")) == {"finished", "seconds", "machine"}
        return contents.meta, {name: array.tobytes() for name, array in contents.arrays.items()}

    return read


@pytest.fixture
def reference():
    """An engine."""
    return ReferenceEngine()
