"""Pre-training the usual way: float32 in torch, then each layer's weights to int8 by a power of two."""

import importlib
import io
import json
import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from priot_hil.harness.archive import pack, unpack
from priot_hil.harness.files import read_whole, write_aside
from priot_hil.harness.manifest import OF_ANOTHER_FORM, contents_of, of_another_form, vouched
from priot_hil.harness.outputs import set_aside
from priot_hil.harness.progress import counted, shown
from priot_hil.reference.checks import Int8Array
from priot_hil.reference.errors import InputError
from priot_hil.reference.network import Conv2d, Flatten, Layer, Linear, MaxPool2d, Network
from priot_hil.reference.run import Model

from .checkpoint import Checkpoint
from .data import TITLES, Samples
from .files import sha256
from .networks import network, subject
from .recipes import Optimizer, Recipe

INPUT_EXPONENT = -7
SEED = 0
TEST_BATCH = 500
OTHERS = "holds another training: another recipe, data or code"
DO = "delete it and give the same command again"


def train_float(
    network_name: str, recipe: Recipe, upright: Samples, kept: Path, say: Callable[[str], None]
) -> tuple[Checkpoint, Any]:
    """Train a network and take its weights to int8.

    Float sums differ between machines and versions in their last bits, so this is repeatable only on one machine.

    Args:
        network_name: Name of the network.
        recipe: How.
        upright: The training set.
        kept: The training after each epoch is kept here, so that an interrupted command goes on; the caller removes it
            when the checkpoint is safe.
        say: Told of each epoch.

    Returns:
        The checkpoint, with the versions that made it; and the float module that it was made from.

    Raises:
        InputError: torch is not installed, the network unknown, or what was kept is damaged.
    """
    torch = import_torch()
    training = FloatTraining(torch, network(network_name), recipe, upright)
    key = _key(network_name, recipe, upright)
    done = _read_kept(torch, kept, key, training, say)
    images = len(upright.images)
    with shown(counted("training images", images * recipe.epochs, images * done)) as work:
        for epoch in range(done, recipe.epochs):
            loss, right = training.epoch(epoch, work.advance)
            _keep(torch, kept, key, epoch + 1, training)
            say(f"epoch {epoch + 1} of {recipe.epochs}: loss {loss:.3f}, {right:.1f} % right while training")
    provenance = {
        "trained_by": f"float32 in torch {torch.__version__}, no bias",
        "data": f"{TITLES[subject(network_name).data_set]}, {len(upright.images)} training images, upright",
        "recipe": recipe.to_json(),
        "seed": SEED,
    }
    weights = {i: training.module[i].weight.detach().contiguous().numpy() for i in training.net.weighted}
    return Checkpoint(network_name, "float", quantise(training.net, weights), provenance), training.module


class FloatTraining:
    """A float network in training.

    Args:
        torch: The package.
        net: The network.
        recipe: How it is trained.
        upright: The training set.
    """

    def __init__(self, torch: Any, net: Network, recipe: Recipe, upright: Samples) -> None:
        self.torch, self.net, self.recipe = torch, net, recipe
        torch.manual_seed(SEED)
        # torch's convolutions take less time with the channels innermost.
        self.module = float_module(torch, net).to(memory_format=torch.channels_last)
        if recipe.is_he_initial:
            for i in net.weighted:
                torch.nn.init.kaiming_normal_(self.module[i].weight, nonlinearity="relu")
        self.optimizer = _optimizer(torch, self.module, recipe)
        # Moved images show black behind their edges, as rotated ones do.
        self.images = torch.nn.functional.pad(torch.from_numpy(upright.images), (recipe.shifted,) * 4)
        self.labels = torch.from_numpy(upright.labels)
        self.size = upright.images.shape[2:]

    def epoch(self, index: int, done: Callable[[float], None]) -> tuple[float, float]:
        """Pass once over the training set: the mean loss, and the percentage that was right.

        Args:
            index: Of the epoch, from 0.
            done: Told how many images more were trained on.
        """
        torch, recipe = self.torch, self.recipe
        self.module.train()
        loss_sum = right = 0.0
        batches = torch.randperm(len(self.images)).split(recipe.batch)
        for k, batch in enumerate(batches):
            for group in self.optimizer.param_groups:
                group["lr"] = recipe.rate(index + (k + 1) / len(batches))
            labels = self.labels[batch]
            logits = self.module(self.drawn(batch))
            loss = torch.nn.functional.cross_entropy(logits, labels)
            self.optimizer.zero_grad()
            loss.backward()
            if recipe.largest_norm is not None:
                torch.nn.utils.clip_grad_norm_(self.module.parameters(), recipe.largest_norm)
            self.optimizer.step()
            loss_sum += float(loss.detach()) * len(batch)
            right += int((logits.argmax(1) == labels).sum())
            done(len(batch))
        return loss_sum / len(self.images), 100 * right / len(self.images)

    def drawn(self, batch: Any) -> Any:
        """The images of a batch as float, moved and mirrored by chance."""
        torch, (height, width) = self.torch, self.size
        span = 2 * self.recipe.shifted + 1
        corners = torch.randint(span, (len(batch), 2)).tolist()
        crops = zip(batch.tolist(), corners, strict=True)
        images = torch.stack([self.images[i, :, y : y + height, x : x + width] for i, (y, x) in crops])
        if self.recipe.mirrored:
            turned = torch.rand(len(batch)) < 0.5
            images[turned] = images[turned].flip(-1)
        return images.float().contiguous(memory_format=torch.channels_last) * 2.0**INPUT_EXPONENT


def float_accuracy(module: Any, test: Samples) -> float:
    """Percent that a float module gets right."""
    torch = import_torch()
    module.eval()
    right = 0
    with torch.no_grad():
        for begin in range(0, len(test.labels), TEST_BATCH):
            images = torch.from_numpy(test.images[begin : begin + TEST_BATCH]).float() * 2.0**INPUT_EXPONENT
            right += int((module(images).argmax(1).numpy() == test.labels[begin : begin + TEST_BATCH]).sum())
    return 100 * right / len(test.labels)


def float_module(torch: Any, net: Network) -> Any:
    """A network as torch has it, with torch's own initial weights."""
    return torch.nn.Sequential(*(_module(torch, layer) for layer in net.layers))


def quantise(net: Network, weights: dict[int, Any]) -> Model:
    """Take float weights to int8, with the smallest power of two a layer that clips none.

    Args:
        net: The network.
        weights: Float arrays by layer, none of them all zero.

    Returns:
        The int8 model; each weight is ``int8 * 2**exponent``, off by at most half a step.
    """
    whole: dict[int, Int8Array] = {}
    exponents = {}
    for i in net.weighted:
        largest = float(np.abs(weights[i]).max())
        exponents[i] = math.ceil(math.log2(largest / 127))
        whole[i] = np.clip(np.rint(weights[i] * 2.0 ** -exponents[i]), -127, 127).astype(np.int8)
    return Model(net, whole, exponents, INPUT_EXPONENT)


def import_torch() -> Any:
    """Import torch, which is an extra.

    Raises:
        InputError: It is not installed.
    """
    try:
        return importlib.import_module("torch")
    except ImportError as error:
        do = "ask for it: PRIOT_EXTRAS=float ./run invoke TASK, with the same options"
        raise InputError.about("torch", expected="an installed torch", got=str(error), do=do) from error


def _module(torch: Any, layer: Layer) -> Any:
    """The torch module of a layer."""
    nn = torch.nn
    match layer:
        case Conv2d(inputs, outputs, kernel, stride, padding):
            return nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        case Linear(inputs, outputs):
            return nn.Linear(inputs, outputs, bias=False)
        case MaxPool2d(size):
            return nn.MaxPool2d(size)
        case Flatten():
            return nn.Flatten()
    return nn.ReLU()


def _optimizer(torch: Any, module: Any, recipe: Recipe) -> Any:
    if recipe.optimizer is Optimizer.ADAM:
        return torch.optim.Adam(module.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    return torch.optim.SGD(
        module.parameters(),
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=True,
    )


def _key(network_name: str, recipe: Recipe, upright: Samples) -> str:
    data = sha256(upright.images.tobytes() + upright.labels.tobytes())
    return json.dumps([network_name, data, recipe.to_json()])


def _keep(torch: Any, path: Path, key: str, epochs: int, training: FloatTraining) -> None:
    content = io.BytesIO()
    kept = {
        "module": training.module.state_dict(),
        "optimizer": training.optimizer.state_dict(),
        "draws": torch.get_rng_state(),
    }
    torch.save(kept, content)
    # In an archive with a manifest, since torch.load does not look at the checksums of its own.
    arrays = {"torch": np.frombuffer(content.getvalue(), np.uint8)}
    write_aside(path, pack(vouched({"key": key, "epochs": epochs}, arrays)))


def _read_kept(torch: Any, path: Path, key: str, training: FloatTraining, say: Callable[[str], None]) -> int:
    """Put the training where it was left, and say how many epochs that was behind; 0 where nothing of it is kept."""
    if not path.exists():
        return 0
    what = f"kept training {path}"
    arrays = unpack(read_whole(path, what, DO), what, DO)
    try:
        contents = contents_of(arrays)
        if contents.meta["key"] != key:
            set_aside(path, OTHERS, say)
            return 0
        kept = torch.load(io.BytesIO(contents.arrays["torch"].tobytes()), weights_only=True)
        training.module.load_state_dict(kept["module"])
        training.optimizer.load_state_dict(kept["optimizer"])
        torch.set_rng_state(kept["draws"])
        return int(contents.meta["epochs"])
    except (*OF_ANOTHER_FORM, OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise of_another_form(what, "a state", error, DO) from error
