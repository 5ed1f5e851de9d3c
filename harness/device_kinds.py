"""What `--device` can name: how such a device opens, whether it is slow, and why it may be missing here."""

from collections.abc import Callable
from dataclasses import dataclass

from priot_hil.reference.reference_engine import ReferenceEngine

from .engines import DeviceEngine

BAUD = 115200

OpenedEngine = DeviceEngine | ReferenceEngine


@dataclass(frozen=True)
class DeviceOptions:
    """What a user says about devices beside their names.

    Attributes:
        baud: Bits per second of a serial port.
        any_build: Accept another firmware than the one built here.
    """

    baud: int = BAUD
    any_build: bool = False


DEFAULT_OPTIONS = DeviceOptions()


def available() -> None:
    """Nothing is missing."""
    return None


@dataclass(frozen=True)
class DeviceKind:
    """One entry of the registry.

    Attributes:
        open: Opens the engine. May raise InputError and LinkLost.
        is_slow: Runs the tests marked `short` only.
        unavailable: The reason why this machine has no such device; None where it has. Quick, and opens nothing.
    """

    open: Callable[[DeviceOptions], OpenedEngine]
    is_slow: bool = False
    unavailable: Callable[[], str | None] = available
