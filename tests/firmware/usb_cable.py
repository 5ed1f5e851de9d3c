"""A booted chip on a USB cable, and on its UART, for the tests of the firmware's USB."""

import contextlib
from dataclasses import dataclass

from priot_hil.harness.booted import BootedRp2040
from priot_hil.harness.booted.uart import UartLine
from priot_hil.harness.booted.usb_bus import Request, Script, Stalled
from priot_hil.harness.booted.usb_port import UsbPort
from priot_hil.harness.errors import EmulationStuck
from priot_hil.harness.firmware import Image
from priot_hil.harness.link import Link
from priot_hil.harness.transports.rp2040py import Rp2040pyTransport

SECONDS = 2.0  # of the chip


@dataclass
class Cable:
    """Both lines of one chip, which has booted and has been enumerated and opened."""

    machine: BootedRp2040
    port: UsbPort
    usb: Link
    uart: Link

    def run(self) -> None:
        """Run until the chip waits and the host has nothing more to say."""
        self.machine.run(SECONDS)

    def run_for(self, seconds: float) -> None:
        """Run a core that need not come to rest."""
        with contextlib.suppress(EmulationStuck):
            self.machine.run(seconds)

    def ask(self, *requests: Request) -> list[bytes | None]:
        """Do control transfers; None for one that the device refuses."""
        answers: list[bytes | None] = []

        def script() -> Script:
            for request in requests:
                try:
                    answers.append((yield request))
                except Stalled:
                    answers.append(None)

        self.port.bus.start(script())
        self.run()
        assert len(answers) == len(requests), "a control transfer did not end"
        return answers


def plug_in(flash: Image) -> Cable:
    """Power, a USB cable and a UART."""
    machine = BootedRp2040(flash.uf2)
    usb, uart = Rp2040pyTransport(machine, "usb"), Rp2040pyTransport(machine, "uart")
    assert isinstance(usb.line, UsbPort)
    assert isinstance(uart.line, UartLine)
    machine.run(SECONDS)
    return Cable(machine, usb.line, Link(usb), Link(uart))
