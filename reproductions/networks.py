"""The networks of the tables, by name."""

from dataclasses import dataclass

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


@dataclass(frozen=True)
class Subject:
    """A network of the tables, and what goes with it.

    Attributes:
        network: Its layers.
        data_set: What it learns from, by its name in `data.LOADERS`.
        engine: The one that is the fastest with it.
        board: One that takes one run of each row in step with it; None where the network is too large for boards.
        probed: Images that `probe.py` looks at after each epoch; so many cost about a tenth of an epoch.
    """

    network: Network
    data_set: str
    engine: str
    board: str | None = None
    probed: int = 16


SUBJECTS = {
    "tiny_cnn": Subject(TINY_CNN, "mnist", "host", "emulator"),
    "vgg11": Subject(VGG11, "cifar10", "torch", probed=8),
}


def subject(name: str) -> Subject:
    """Look a network up by name, with what goes with it.

    Raises:
        InputError: There is none of that name.
    """
    if name not in SUBJECTS:
        known = ", ".join(SUBJECTS)
        raise InputError.about("network", expected=f"one of {known}", got=repr(name), do="name one of them")
    return SUBJECTS[name]


def network(name: str) -> Network:
    """The layers of a network; see `subject`."""
    return subject(name).network
