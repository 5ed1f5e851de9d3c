"""Bytes to a device and back; what they mean is the link's business."""

from typing import Protocol


class Transport(Protocol):
    """A connection to one device. Deadlines are ``time.monotonic()`` values; a lost device raises ``LinkLost``."""

    @property
    def name(self) -> str:
        """What errors and transcripts call this connection."""
        ...

    def write(self, data: bytes, deadline: float) -> None:
        """Send all of ``data``, or raise ``LinkLost``: how much of it arrived is then unknown."""
        ...

    def read(self, deadline: float) -> bytes:
        """Return some bytes as soon as there are any; ``b""`` when the deadline passed or no more will come unasked."""
        ...

    def reset(self) -> None:
        """Restart the device; bytes under way are lost."""
        ...

    def close(self) -> None:
        """Give the device up; may be called twice."""
        ...
