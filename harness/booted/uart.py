"""A serial line into the chip's UART0, at the rate that the firmware sets."""

from collections import deque
from typing import Final

from rp2040py.rp2040 import RP2040

from priot_hil.harness.booted.chip import BootedRp2040

BITS_PER_BYTE: Final = 10  # start, eight, stop
BURST_BYTES: Final = 16  # half a FIFO, where the chip raises its interrupt; the emulator would at each byte


class UartLine:
    """The other end of UART0: bytes reach it at the line's rate, half a FIFO at a time; what it sends comes at once."""

    def __init__(self, machine: BootedRp2040) -> None:
        self._rp2040: RP2040 = machine.rp2040
        self._input: deque[int] = deque()
        self._output = bytearray()
        self._next = machine.clock.create_alarm(self._deliver)
        self._rp2040.uart[0].on_byte = self._output.append
        machine.wires.append(self)

    @property
    def busy(self) -> bool:
        """Whether bytes are on their way to the chip."""
        return bool(self._input)

    def feed(self, data: bytes) -> None:
        """Queue bytes for the chip."""
        was_busy = self.busy
        self._input += data
        if self._input and not was_busy:
            self._schedule()

    def take(self) -> bytes:
        """Return what the chip has sent since the last call."""
        output = bytes(self._output)
        self._output.clear()
        return output

    def unplugged(self) -> None:
        """Forget what was on its way to the chip; what it has sent has arrived."""
        self._input.clear()

    def _schedule(self) -> None:
        divider = max(1.0, self._rp2040.uart[0].baud_divider)
        seconds_per_byte = BITS_PER_BYTE * 16 * divider / self._rp2040.clk_peri
        self._next.schedule(min(BURST_BYTES, len(self._input)) * seconds_per_byte * 1e9)

    def _deliver(self) -> None:
        uart = self._rp2040.uart[0]
        for _ in range(min(BURST_BYTES, len(self._input))):
            byte = self._input.popleft()
            if uart.enabled and uart.rx_enabled:
                uart.feed_byte(byte)
        if self._input:
            self._schedule()
