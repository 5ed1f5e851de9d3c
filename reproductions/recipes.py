"""How each network is pre-trained, and what its int8 model must then reach."""

import math
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any


class Optimizer(Enum):
    """What takes the float steps."""

    ADAM = "adam"
    SGD = "sgd with Nesterov's momentum"


@dataclass(frozen=True)
class Recipe:
    """A float training.

    Attributes:
        optimizer: What takes the steps.
        epochs: Passes over the training set.
        batch: Images a step.
        learning_rate: The largest.
        warm_up: Epochs in which the learning rate rises to it in a line; behind them it falls to 0 along a cosine. None
            keeps it as it is.
        weight_decay: Of all weights.
        momentum: Of SGD.
        largest_norm: The gradient of all weights is cut to this Euclidean norm; None leaves it.
        shifted: Pixels by which an image is moved at most, each way, in place of the original.
        mirrored: Whether half of the images are mirrored, left to right.
        is_he_initial: Whether weights begin as He et al. (arXiv 1502.01852) draw them, which keeps the signal alive in
            deep networks without normalisation; else as torch does.
    """

    optimizer: Optimizer
    epochs: int
    batch: int
    learning_rate: float
    warm_up: float | None = None
    weight_decay: float = 0.0
    momentum: float = 0.0
    largest_norm: float | None = None
    shifted: int = 0
    mirrored: bool = False
    is_he_initial: bool = False

    def rate(self, epochs: float) -> float:
        """The learning rate after some epochs, whole or not."""
        if self.warm_up is None:
            return self.learning_rate
        if epochs < self.warm_up:
            return self.learning_rate * epochs / self.warm_up
        return self.learning_rate * (1 + math.cos(math.pi * (epochs - self.warm_up) / (self.epochs - self.warm_up))) / 2

    def to_json(self) -> dict[str, Any]:
        """All that decides the training."""
        return {**asdict(self), "optimizer": self.optimizer.value}


RECIPES = {
    "tiny_cnn": Recipe(Optimizer.ADAM, epochs=4, batch=64, learning_rate=1e-3),
    "vgg11": Recipe(
        Optimizer.SGD,
        epochs=8,
        batch=64,
        learning_rate=0.03,
        warm_up=0.5,
        weight_decay=5e-4,
        momentum=0.9,
        largest_norm=1.0,
        shifted=4,
        mirrored=True,
        is_he_initial=True,
    ),
}
# The update's width mu of dynamic NITI, epoch by epoch.
MU_BY_EPOCH = {"tiny_cnn": (2, 1, 1, 0, 0), "vgg11": (2, 1)}
# Percent of the upright test images that an int8 model must get right, by its network and its way.
FLOORS = {("tiny_cnn", "float"): 97.0, ("tiny_cnn", "niti"): 97.0, ("vgg11", "float"): 74.0, ("vgg11", "niti"): 45.0}
