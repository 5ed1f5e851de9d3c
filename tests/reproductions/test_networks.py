"""The networks of the tables: their sizes, and how far they are from overflow."""

import math

import pytest

from priot_hil.reference.errors import IllegalNetwork, InputError
from priot_hil.reference.kinds import MethodKind
from priot_hil.reference.network import Network
from priot_hil.reproductions.networks import SUBJECTS, VGG11, network


@pytest.mark.parametrize(("name", "size", "layers"), [("tiny_cnn", 52040, 4), ("vgg11", 9222848, 9)])
def test_sizes(name, size, layers):
    """The number of weights that the tables name."""
    net = network(name)
    assert len(net.weighted) == layers
    assert sum(math.prod(net.weight_shape(i)) for i in net.weighted) == size


@pytest.mark.parametrize("kind", MethodKind)
@pytest.mark.parametrize("name", SUBJECTS)
def test_none_overflows(name, kind):
    """With any method."""
    network(name).check_overflow(kind)


def test_32_x_32_positions_are_just_legal():
    """Of PRIOT's score gradient: one row and column more is refused, while NITI still takes it."""
    wider = Network((3, 33, 33), VGG11.layers)
    wider.check_overflow(MethodKind.NITI_STATIC)
    with pytest.raises(IllegalNetwork, match="score gradient"):
        wider.check_overflow(MethodKind.PRIOT)


def test_no_such_network():
    """One sentence that lists those there are."""
    with pytest.raises(InputError, match=r"expected one of tiny_cnn, vgg11, got 'vgg'"):
        network("vgg")
