"""The networks of the tables, by name."""

from priot_hil.reference.errors import InputError
from priot_hil.reference.network import Conv2d, Flatten, Linear, MaxPool2d, Network, Relu

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

NETWORKS = {"tiny_cnn": TINY_CNN}


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
