"""What `--device` can name: how such a device opens, whether it is slow, and why it may be missing here."""

from collections.abc import Callable
from dataclasses import dataclass

from . import limits
from .options import BAUD
from .quarantine import Quarantine
from .replay import AnyEngine

OpenedEngine = AnyEngine


@dataclass(frozen=True)
class DeviceOptions:
    """What a user says about devices beside their names.

    Attributes:
        baud: Bits per second of a serial port.
        any_build: Accept another firmware than the one built here.
        quarantine: Remembers boards of a pool that failed, and makes a worker wait for one that another worker has;
            None where each opening is on its own.
    """

    baud: int = BAUD
    any_build: bool = False
    quarantine: Quarantine | None = None

    def __post_init__(self) -> None:
        limits.BAUD.check("baud, bits per second", self.baud)


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
        boards: The names of the boards of which opening takes a free one; none where each opening starts a device anew.
        preset: Of the firmware that opening builds first; "" where it builds none.
    """

    open: Callable[[DeviceOptions], OpenedEngine]
    is_slow: bool = False
    unavailable: Callable[[], str | None] = available
    boards: tuple[str, ...] = ()
    preset: str = ""
