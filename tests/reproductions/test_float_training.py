"""Float pre-training, where torch is installed: it learns, varies its images, and goes on where it stopped."""

import random
from dataclasses import replace

import numpy as np
import pytest

from priot_hil.reference.errors import InputError
from priot_hil.reproductions.data import Samples
from priot_hil.reproductions.float_training import FloatTraining, float_accuracy, train_float
from priot_hil.reproductions.networks import TINY_CNN
from priot_hil.reproductions.pretrain import upright_accuracy
from priot_hil.reproductions.recipes import RECIPES, Optimizer

torch = pytest.importorskip("torch")
# Everything that the large network's recipe has, on the small one.
VARIED = replace(RECIPES["vgg11"], epochs=3, warm_up=1, batch=4)


@pytest.fixture(scope="module")
def upright(material):
    """Twelve images."""
    return material.images.upright_train().take(12)


@pytest.mark.parametrize(
    "recipe",
    [
        replace(RECIPES["tiny_cnn"], epochs=60),
        replace(VARIED, epochs=60, shifted=0, mirrored=False),
    ],
    ids=lambda recipe: recipe.optimizer.name,
)
def test_it_learns(recipe, upright, reference, tmp_path):
    """Twelve images by heart, in float and in int8."""
    checkpoint, module = train_float("tiny_cnn", recipe, upright, tmp_path / "part", print)
    assert float_accuracy(module, upright) == 100
    assert upright_accuracy(checkpoint, upright, reference) == 100


class Interrupt:
    """Stops when it was told of some epochs."""

    def __init__(self, epochs):
        self.left = epochs

    def __call__(self, line):
        """Count."""
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("optimizer", Optimizer)
def test_interrupted_it_goes_on(optimizer, upright, tmp_path):
    """Behind its last whole epoch, to the same bytes: weights, momentum and draws are kept."""
    recipe, said = replace(VARIED, optimizer=optimizer), []
    whole, _ = train_float("tiny_cnn", recipe, upright, tmp_path / "whole", print)
    with pytest.raises(KeyboardInterrupt):
        train_float("tiny_cnn", recipe, upright, tmp_path / "part", Interrupt(2))
    torch.manual_seed(99)
    resumed, _ = train_float("tiny_cnn", recipe, upright, tmp_path / "part", said.append)
    assert [line.split(":")[0] for line in said] == ["epoch 3 of 3"]
    assert resumed.content() == whole.content()


def test_another_recipe_begins_anew(upright, tmp_path):
    """What was kept is not taken for it, and stays beside it."""
    said = []
    train_float("tiny_cnn", VARIED, upright, tmp_path / "part", print)
    before = (tmp_path / "part").read_bytes()
    train_float("tiny_cnn", replace(VARIED, weight_decay=1e-3), upright, tmp_path / "part", said.append)
    assert len(said) == 4
    assert (tmp_path / "part-earlier-1").read_bytes() == before


def test_a_damaged_kept_training_is_refused(upright, tmp_path):
    """With its name."""
    (tmp_path / "part").write_bytes(b"no training")
    with pytest.raises(InputError, match=f"kept training {tmp_path / 'part'}"):
        train_float("tiny_cnn", VARIED, upright, tmp_path / "part", print)


def test_a_flipped_bit_in_a_kept_training_is_refused(upright, tmp_path):
    """Wherever it is: in a weight, whose checksum torch does not look at, in a momentum, in the number of epochs."""
    path, draw = tmp_path / "part", random.Random(1)
    with pytest.raises(KeyboardInterrupt):
        train_float("tiny_cnn", VARIED, upright, path, Interrupt(2))
    content = path.read_bytes()
    # Behind the first member's description and in front of the directory, in both of which a few bits mean nothing.
    for place in draw.sample(range(100, len(content) - 300), 40):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1 << draw.randrange(8)]) + content[place + 1 :])
        with pytest.raises(InputError, match=f"kept training {path}"):
            train_float("tiny_cnn", VARIED, upright, path, print)


def test_what_torch_alone_kept_is_refused(upright, tmp_path):
    """By an earlier version, with nothing that vouches for it: the file stays, and the sentence names it."""
    torch.save({"key": "a key", "epochs": 1}, tmp_path / "part")
    with pytest.raises(InputError, match=f"kept training {tmp_path / 'part'}: .*; delete it and give the same command"):
        train_float("tiny_cnn", VARIED, upright, tmp_path / "part", print)
    assert (tmp_path / "part").exists()


def test_images_are_moved_and_mirrored():
    """Each drawn image is one of the shifts and mirrorings of the original, and not always the same."""
    original = np.zeros((1, 1, 28, 28), np.int8)
    original[0, 0, 10:15, 12] = 64
    original[0, 0, 14, 13] = 32
    recipe = replace(VARIED, shifted=2)
    training = FloatTraining(torch, TINY_CNN, recipe, Samples(original, np.zeros(1, np.int64)))
    seen = {image.numpy().tobytes() for image in training.drawn(torch.zeros(400, dtype=torch.int64))}
    rolled = [np.roll(original[0], shift, (1, 2)) for shift in np.ndindex(5, 5)]
    rolled = [np.roll(each, (-2, -2), (1, 2)) for each in rolled]
    possible = {
        (each.astype(np.float32) / 128).tobytes()
        for image in rolled
        for each in (image, np.ascontiguousarray(image[..., ::-1]))
    }
    assert len(possible) == 50
    assert seen == possible
