"""Pre-training the usual way: float32 in torch, then each layer's weights to int8 by a power of two."""

import importlib
import math
from typing import Any

import numpy as np

from priot_hil.reference.checks import Int8Array
from priot_hil.reference.errors import InputError
from priot_hil.reference.network import Conv2d, Flatten, Layer, Linear, MaxPool2d, Network
from priot_hil.reference.run import Model

from .checkpoint import Checkpoint
from .data import Samples
from .networks import network

INPUT_EXPONENT = -7
EPOCHS = 4
BATCH = 64
LEARNING_RATE = 1e-3
SEED = 0


def train_float(network_name: str, upright: Samples, epochs: int = EPOCHS) -> Checkpoint:
    """Train a network with Adam and take its weights to int8.

    Float sums differ between machines and versions in their last bits, so this is repeatable only on one machine.

    Args:
        network_name: Name of the network.
        upright: The training set.
        epochs: Passes over it.

    Returns:
        The checkpoint, with the versions that made it.

    Raises:
        InputError: torch is not installed, or the network unknown.
    """
    torch = import_torch()
    net = network(network_name)
    torch.manual_seed(SEED)
    module = float_module(torch, net)
    optimizer = torch.optim.Adam(module.parameters(), lr=LEARNING_RATE)
    images = torch.from_numpy(upright.images).float() * 2.0**INPUT_EXPONENT
    labels = torch.from_numpy(upright.labels)
    for _ in range(epochs):
        for batch in torch.randperm(len(images)).split(BATCH):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(module(images[batch]), labels[batch]).backward()
            optimizer.step()
    weights = {i: module[i].weight.detach().numpy() for i in net.weighted}
    provenance = {
        "trained_by": f"float32 in torch {torch.__version__}, Adam, no bias",
        "data": f"MNIST, {len(images)} training images, upright",
        "epochs": epochs,
        "batch": BATCH,
        "learning_rate": LEARNING_RATE,
        "seed": SEED,
    }
    return Checkpoint(network_name, "float", quantise(net, weights), provenance)


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
        do = "install the extra with `pip install 'priot-hil[float]'`, or use the committed checkpoint"
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
