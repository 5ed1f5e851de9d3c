"""The C loss over all pairs of logits: the error at two classes, against exact fractions."""

import zlib
from collections.abc import Iterator

import numpy as np
import pytest

from oracle import exact
from priot_hil.harness.device import LibraryDevice
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.firmware import HostFirmware
from priot_hil.reference.kinds import LossRounding, MethodKind
from priot_hil.reference.network import Linear, Network
from priot_hil.reference.run import Method, Model, Shifts, State

IDENTITY = np.eye(2, dtype=np.int8)
NETWORK = Network((2,), (Linear(2, 2),))
NO_UPDATE = {0: Shifts(0, 0, 31)}  # what is below 2**15 is rounded to 0


@pytest.fixture
def library(host: HostFirmware) -> Iterator[DeviceEngine]:
    """The library, without frames: a step takes microseconds."""
    assert host.library is not None
    opened = DeviceEngine(LibraryDevice(host.library))
    yield opened
    opened.close()


def expect_exact(library: DeviceEngine, exponent: int, values: range) -> None:
    """All pairs of these logits, the label in turn: an identity for a network makes logits of an image."""
    method = Method(MethodKind.NITI_STATIC, loss_rounding=LossRounding.NEAREST)
    library.load(Model(NETWORK, {0: IDENTITY}, {0: 0}, exponent), method, State({0: IDENTITY}, 1, NO_UPDATE))
    for first in values:
        for second in values:
            label = (first + second) % 2
            step = library.train_step(np.array([first, second], np.int8), label)
            expected = np.array(exact.loss_error((first, second), exponent, label), np.int8)
            if step.crcs["0.error"] != zlib.crc32(expected.tobytes()):
                got = library.tensor("loss_error").tolist()
                pytest.fail(f"logits {first}, {second}, label {label}: expected {expected.tolist()}, got {got}")
    assert (library.state().values[0] == IDENTITY).all()


@pytest.mark.parametrize("exponent", [-12, -7, -6, 0, 2])
def test_loss_of_some_pairs(library: DeviceEngine, exponent: int) -> None:
    """Each 23rd logit, at both ends and the middle."""
    expect_exact(library, exponent, range(-127, 128, 23))


@pytest.mark.slow
@pytest.mark.parametrize("exponent", [-12, -7, -6, 0, 1])
def test_loss_of_all_pairs(library: DeviceEngine, exponent: int) -> None:
    """All 255 x 255, on both sides of each branch and clamp."""
    expect_exact(library, exponent, range(-127, 128))
