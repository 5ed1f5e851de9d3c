"""The emulated RP2040 as a transport."""

import time
from pathlib import Path
from typing import Final

from priot_hil.harness.emulator import Rp2040, Stop
from priot_hil.harness.errors import EmulationStuck

DATASET_FLASH_OFFSET: Final = 0x60000  # where firmware/boards/rp2040 looks for a transfer set


class EmulatorTransport:
    """Bytes to and from an ``Rp2040`` in this process; it runs while the host reads."""

    def __init__(self, elf: Path):
        """Make the machine; its firmware boots with the first read.

        Raises:
            InputError: the file is no RP2040 image.
        """
        self.machine = Rp2040(elf)

    @property
    def name(self) -> str:
        """The image's file name."""
        return f"emulator:{self.machine.elf.name}"

    def write(self, data: bytes, deadline: float) -> None:
        """Queue ``data``; nothing can block, so the deadline never passes."""
        self.machine.feed(data)

    def read(self, deadline: float) -> bytes:
        """Run until the firmware waits and return what it sent; ``b""`` when it has nothing to say.

        A firmware that restarts itself goes on here with its start-up.

        Raises:
            DeviceFault: the core locked up.
            EmulationStuck: the deadline passed while the core was busy, or restarted time and again.
        """
        while not (data := self.machine.take()) and self.machine.run(deadline, until_output=True) is Stop.RESET:
            if time.monotonic() >= deadline:
                raise EmulationStuck(f"{self.name} keeps restarting; its last fault: {self.machine.last_fault}.")
        return data or self.machine.take()

    def reset(self) -> None:
        """Reset the core and its peripherals; memory and counts stay."""
        self.machine.reset()

    def close(self) -> None:
        """Free the machine."""
        self.machine.close()
