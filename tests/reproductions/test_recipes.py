"""What each network is pre-trained by."""

from itertools import pairwise, product

import pytest

from priot_hil.reproductions.networks import SUBJECTS
from priot_hil.reproductions.pretrain import WAYS
from priot_hil.reproductions.recipes import FLOORS, MU_BY_EPOCH, RECIPES


def test_every_network_has_one():
    """For both ways, with what it must reach."""
    assert set(RECIPES) == set(MU_BY_EPOCH) == set(SUBJECTS)
    assert set(FLOORS) == set(product(SUBJECTS, WAYS))


def test_a_learning_rate_may_stay():
    """The small network's."""
    recipe = RECIPES["tiny_cnn"]
    assert [recipe.rate(epochs) for epochs in (0, 1.5, 4)] == [1e-3] * 3


def test_a_learning_rate_may_rise_and_fall():
    """In a line to its largest value, and along half a cosine to 0."""
    recipe = RECIPES["vgg11"]
    assert recipe.rate(0) == 0
    assert recipe.rate(recipe.warm_up / 2) == recipe.learning_rate / 2
    assert recipe.rate(recipe.warm_up) == recipe.learning_rate
    assert recipe.rate((recipe.warm_up + recipe.epochs) / 2) == pytest.approx(recipe.learning_rate / 2)
    assert recipe.rate(recipe.epochs) == 0
    falling = [recipe.rate(recipe.warm_up + k * (recipe.epochs - recipe.warm_up) / 10) for k in range(11)]
    assert all(a > b for a, b in pairwise(falling))
