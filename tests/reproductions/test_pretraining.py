"""Pre-training: integers alone to the byte, float to int8 by powers of two, and both held to what is declared."""

import io
import math
import sys

import numpy as np
import pytest
from rich.console import Console

from priot_hil.reference.errors import InputError
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reference.streams import order
from priot_hil.reproductions import integer_training
from priot_hil.reproductions import pretrain as pretraining
from priot_hil.reproductions.checkpoint import committed_checkpoint, read_checkpoint
from priot_hil.reproductions.data import Samples
from priot_hil.reproductions.files import sha256
from priot_hil.reproductions.float_training import import_torch, quantise
from priot_hil.reproductions.integer_training import random_model, train_niti, xavier_limit
from priot_hil.reproductions.networks import TINY_CNN
from priot_hil.reproductions.pretrain import TooInaccurate, comparison, pretrain, upright_accuracy


@pytest.fixture(scope="module")
def upright(material):
    """Twelve images."""
    return material.images.upright_train().take(12)


class Stops(ReferenceEngine):
    """A reference that is interrupted in an epoch."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch, self.visited = epoch, []

    def train_epoch(self, visits):
        """Train, or stop."""
        self.visited.append(visits.tolist())
        self.epoch -= 1
        if self.epoch < 0:
            raise KeyboardInterrupt
        return super().train_epoch(visits)


def test_every_epoch_has_an_order_of_its_own(upright, tmp_path):
    """Those of seed 0."""
    engine = Stops(9)
    train_niti("tiny_cnn", upright, engine, tmp_path / "part", print, (2, 1))
    assert engine.visited == [order(0, 0, 12).tolist(), order(0, 1, 12).tolist()]


@pytest.mark.parametrize("fans", [(9, 72), (72, 144), (784, 64), (64, 10), (1, 1), (3, 3), (4096, 4096)])
def test_initial_limits_are_xavier_s(fans):
    """As large an int8 as the bound allows: within one step below it, and more than half of the range."""
    limit, exponent = xavier_limit(*fans)
    bound = math.sqrt(6 / sum(fans))
    assert 64 <= limit <= 127
    assert limit * 2.0**exponent <= bound < (limit + 1) * 2.0**exponent


def test_initial_weights_are_pinned():
    """NumPy may change its streams; then the committed checkpoint could not be made anew."""
    model = random_model(TINY_CNN)
    drawn = b"".join(model.weights[i].tobytes() for i in TINY_CNN.weighted)
    assert sha256(drawn) == "b41adb14066fbf505ccca090ff7c210608f5bc1642ae02357baa2fc897b60101"
    assert [int(np.abs(model.weights[i]).max()) for i in TINY_CNN.weighted] == [66, 85, 86, 72]
    assert model.weight_exponents == {0: -8, 3: -9, 7: -10, 9: -8}


def test_integer_training_is_the_same_every_time(upright, tmp_path, reference):
    """Equal bytes."""
    said = []
    first = train_niti("tiny_cnn", upright, reference, tmp_path / "part", said.append, (2, 1))
    again = train_niti("tiny_cnn", upright, ReferenceEngine(), tmp_path / "again", said.append, (2, 1))
    assert first.content() == again.content()
    assert said[1].startswith("epoch 2 of 2, mu 1: ")
    assert first.model.weight_exponents == random_model(TINY_CNN).weight_exponents
    assert first.content() != train_niti("tiny_cnn", upright, reference, tmp_path / "part", print, (2, 2)).content()


def test_interrupted_integer_training_goes_on(upright, tmp_path, reference, works):
    """Behind its last whole epoch, to the same bytes."""
    whole = train_niti("tiny_cnn", upright, reference, tmp_path / "a", print, (2, 1, 0))
    with pytest.raises(KeyboardInterrupt):
        train_niti("tiny_cnn", upright, Stops(2), tmp_path / "b", print, (2, 1, 0))
    said = []
    resumed = train_niti("tiny_cnn", upright, reference, tmp_path / "b", said.append, (2, 1, 0))
    assert len(said) == 1
    assert resumed.content() == whole.content()
    images = len(upright.images)
    assert [(work.done, work.total) for work in works] == [(n * images, 3 * images) for n in (3, 2, 3)]


def test_a_long_epoch_is_kept_in_parts(upright, tmp_path, reference, monkeypatch):
    """To the same bytes; an interrupted one goes on behind its last part."""
    whole, said = train_niti("tiny_cnn", upright, reference, tmp_path / "a", print, (2, 1)), []
    monkeypatch.setattr(integer_training, "PART", 5)
    with pytest.raises(KeyboardInterrupt):
        train_niti("tiny_cnn", upright, Stops(4), tmp_path / "b", print, (2, 1))
    resumed = train_niti("tiny_cnn", upright, reference, tmp_path / "b", said.append, (2, 1))
    assert [line.split(":")[0] for line in said] == ["epoch 2 of 2, mu 1, image 10 of 12", "epoch 2 of 2, mu 1"]
    assert resumed.content() == whole.content()


def test_what_another_training_left_is_not_taken(upright, tmp_path, reference):
    """Other images: from the beginning, and what may have taken hours is kept beside it."""
    with pytest.raises(KeyboardInterrupt):
        train_niti("tiny_cnn", upright, Stops(1), tmp_path / "part", print, (2, 1))
    before, said = (tmp_path / "part").read_bytes(), []
    train_niti("tiny_cnn", upright.take(10), reference, tmp_path / "part", said.append, (2, 1))
    assert said[0].endswith(f"another recipe, data or code; it is kept as {tmp_path / 'part-earlier-1'}.")
    assert len(said) == 3
    assert (tmp_path / "part-earlier-1").read_bytes() == before


def test_a_damaged_kept_training_is_refused(upright, tmp_path, reference):
    """With its name."""
    with pytest.raises(KeyboardInterrupt):
        train_niti("tiny_cnn", upright, Stops(1), tmp_path / "part", print, (2, 1))
    content = bytearray((tmp_path / "part").read_bytes())
    content[-5000] ^= 1
    (tmp_path / "part").write_bytes(content)
    with pytest.raises(InputError, match=f"kept training {tmp_path / 'part'}"):
        train_niti("tiny_cnn", upright, reference, tmp_path / "part", print, (2, 1))


def test_float_weights_become_int8_by_a_power_of_two():
    """The finest step that clips nothing; an exact power of two fits exactly."""
    draws = np.random.default_rng(0)
    weights = {i: draws.normal(0, 0.1, TINY_CNN.weight_shape(i)) for i in TINY_CNN.weighted}
    weights[9][0, 0] = -127 / 64
    weights[7][0, 0] = 127.9 / 64
    model = quantise(TINY_CNN, weights)
    assert (model.weight_exponents[7], model.weight_exponents[9]) == (-5, -6)
    assert model.weights[9][0, 0] == -127
    for i in TINY_CNN.weighted:
        step = 2.0 ** model.weight_exponents[i]
        assert np.abs(model.weights[i] * step - weights[i]).max() <= step / 2
        assert 64 <= np.abs(model.weights[i].astype(int)).max() <= 127


def test_float_training_without_torch_is_refused(monkeypatch):
    """With the extra to install."""
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match=r"ask for it: PRIOT_EXTRAS=float \./run invoke"):
        import_torch()


def test_accuracy_is_that_of_the_dynamic_model(material, reference):
    """Right predictions among all, in percent."""
    images = material.images.upright_test().images
    checkpoint = committed_checkpoint("tiny_cnn", "float")
    labels = np.zeros(len(images), np.int64)
    always_right = upright_accuracy(checkpoint, Samples(images, labels), reference)
    predictions = [reference.predict(image) for image in images]
    assert always_right == 100 * predictions.count(0) / len(images)
    assert upright_accuracy(checkpoint, Samples(images, np.array(predictions)), reference) == 100


def test_comparison_with_the_committed_one():
    """The same, another, or none there."""
    checkpoint = committed_checkpoint("tiny_cnn", "niti")
    assert comparison(checkpoint, "tiny_cnn_niti.npz") == "the same bytes as the committed checkpoint"
    assert "the committed one has" in comparison(checkpoint, "tiny_cnn_float.npz")
    assert "none is committed" in comparison(checkpoint, "other.npz")


def test_unknown_ways_and_devices_are_refused():
    """Before anything is fetched."""
    with pytest.raises(InputError, match="expected one of float, niti, got 'magic'"):
        pretrain("magic")
    with pytest.raises(InputError, match=r"device: expected one of .*, got 'toaster'"):
        pretrain("niti", device="toaster")


def test_pretrain_writes_what_reaches_the_floor_and_nothing_else(material, tmp_path, monkeypatch):
    """From the data to the file, on twelve images."""

    def few(way, upright, engine, kept, *_):
        kept.write_bytes(b"all epochs")
        return committed_checkpoint("tiny_cnn", "niti")

    monkeypatch.setattr(pretraining, "LOADERS", {"mnist": lambda say: material.images})
    monkeypatch.setattr(pretraining, "train_niti", few)
    shown = io.StringIO()
    console = Console(file=shown, width=200)
    with pytest.raises(TooInaccurate, match=r"declared are 97\.0 %; not written"):
        pretrain("niti", device="reference", out=tmp_path, console=console)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny_cnn_niti.part"]
    monkeypatch.setitem(pretraining.FLOORS, ("tiny_cnn", "niti"), 0.0)
    path = pretrain("niti", device="reference", out=tmp_path, console=console)
    assert read_checkpoint(path).content() == committed_checkpoint("tiny_cnn", "niti").content()
    assert list(tmp_path.iterdir()) == [path]
    assert "the same bytes as the committed checkpoint" in shown.getvalue()
