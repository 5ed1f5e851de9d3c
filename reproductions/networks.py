"""The networks of the tables, by name."""

from priot_hil.reference.errors import InputError
from priot_hil.reference.network import Conv2d, Flatten, Layer, Linear, MaxPool2d, Network, Relu

# Two convolutions and two linear layers for 28 x 28 grey images; 52,040 weights.
TINY_CNN = Network(
    (1, 28, 28),
    (
        Conv2d(1, 8, 3, padding=1),
        Relu(),
        MaxPool2d(2),
        Conv2d(8, 16, 3, padding=1),
        Relu(),
        MaxPool2d(2),
        Flatten(),
        Linear(784, 64),
        Relu(),
        Linear(64, 10),
    ),
)


def _vgg11() -> Network:
    """Configuration A of Simonyan and Zisserman (arXiv 1409.1556) for 32 x 32 colour images; 9,222,848 weights."""
    layers: list[Layer] = []
    channels = 3
    for block in ((64,), (128,), (256, 256), (512, 512), (512, 512)):
        for filters in block:
            layers += [Conv2d(channels, filters, 3, padding=1), Relu()]
            channels = filters
        layers.append(MaxPool2d(2))
    return Network((3, 32, 32), (*layers, Flatten(), Linear(channels, 10)))


VGG11 = _vgg11()

NETWORKS = {"tiny_cnn": TINY_CNN, "vgg11": VGG11}
# What each of them is trained on.
DATA_SETS = {"tiny_cnn": "mnist", "vgg11": "cifar10"}


def network(name: str) -> Network:
    """Look a network up by name.

    Raises:
        InputError: There is none of that name.
    """
    if name not in NETWORKS:
        raise InputError.about(
            "network", expected=f"one of {', '.join(NETWORKS)}", got=repr(name), do="name one of them"
        )
    return NETWORKS[name]
