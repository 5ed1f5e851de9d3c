"""A booted RP2040 as a transport."""

import time
from typing import Literal

from priot_hil.harness.booted import BootedRp2040
from priot_hil.harness.booted.uart import UartLine
from priot_hil.harness.booted.usb_port import UsbPort

Line = Literal["uart", "usb"]


class Rp2040pyTransport:
    """Bytes to and from a ``BootedRp2040`` in this process, over one of its lines; it runs while the host reads."""

    def __init__(self, machine: BootedRp2040, line: Line = "uart") -> None:
        """Plug a cable into a machine, which boots with the first read; another line may have a cable of its own."""
        self.machine = machine
        self.line: UartLine | UsbPort = UartLine(self.machine) if line == "uart" else UsbPort(self.machine)

    @property
    def name(self) -> str:
        """The line and the image's file name."""
        return f"rp2040py:{self.machine.name}"

    def write(self, data: bytes, deadline: float) -> None:
        """Queue ``data``; nothing can block, so the deadline never passes."""
        self.line.feed(data)

    def read(self, deadline: float) -> bytes:
        """Run until the firmware waits and return what it sent; ``b""`` when it has nothing to say.

        What is left until the deadline is what the firmware may take of the chip's time, as on a board.

        Raises:
            DeviceFault: The core locked up.
            EmulationStuck: The firmware took longer.
        """
        if not (data := self.line.take()):
            self.machine.run(max(0.0, deadline - time.monotonic()))
            data = self.line.take()
        return data

    def reset(self) -> None:
        """Reset the chip as its RUN pin does; memory stays."""
        self.machine.reset()

    def close(self) -> None:
        """Nothing is held."""
