"""A booted RP2040 as a transport."""

from pathlib import Path

from priot_hil.harness.booted import BootedRp2040
from priot_hil.harness.booted.uart import UartLine


class Rp2040pyTransport:
    """Bytes to and from a ``BootedRp2040`` in this process, over its UART0; it runs while the host reads."""

    def __init__(self, uf2: Path) -> None:
        """Make the machine; it boots with the first read.

        Raises:
            InputError: The file is no flash image.
        """
        self.machine = BootedRp2040(uf2)
        self._line = UartLine(self.machine)

    @property
    def name(self) -> str:
        """The image's file name."""
        return f"rp2040py:{self.machine.name}"

    def write(self, data: bytes, deadline: float) -> None:
        """Queue ``data``; nothing can block, so the deadline never passes."""
        self._line.feed(data)

    def read(self, deadline: float) -> bytes:
        """Run until the firmware waits and return what it sent; ``b""`` when it has nothing to say.

        Raises:
            DeviceFault: The core locked up.
            EmulationStuck: The deadline passed while the core was busy.
        """
        if not (data := self._line.take()):
            self.machine.run(deadline)
            data = self._line.take()
        return data

    def reset(self) -> None:
        """Reset the chip as its RUN pin does; memory stays."""
        self.machine.reset()

    def close(self) -> None:
        """Nothing is held."""
