"""The serial port that a host makes of the chip's USB: enumeration, opening and closing, bytes."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rp2040py.usb.cdc import extract_control_interface_number, extract_endpoint_numbers

from priot_hil.harness.booted.chip import BootedRp2040
from priot_hil.harness.booted.usb_bus import PACKET_BYTES, SET_ADDRESS, Request, Script, Stalled, UsbBus

TO_HOST: Final = 0x80
CLASS_INTERFACE: Final = 0x21
GET_DESCRIPTOR, SET_CONFIGURATION = 6, 9
SET_LINE_CODING, SET_CONTROL_LINE_STATE = 0x20, 0x22
DEVICE, CONFIGURATION, STRING = 1, 2, 3
ENGLISH: Final = 0x0409
DTR_AND_RTS: Final = 3
ADDRESS: Final = 7


def get_descriptor(kind: int, index: int = 0, language: int = 0, length: int = 255) -> Request:
    """The request for a descriptor."""
    return Request(TO_HOST, GET_DESCRIPTOR, kind << 8 | index, language, length)


def line_coding(baud: int) -> bytes:
    """SET_LINE_CODING's data: the rate, one stop bit, no parity, eight bits."""
    return struct.pack("<IBBB", baud, 0, 0, 8)


@dataclass(frozen=True)
class Identity:
    """What a device says of itself: its descriptors as they came, and its three strings."""

    device: bytes
    configuration: bytes
    maker: str
    product: str
    serial: str

    @property
    def vendor_and_product(self) -> tuple[int, int]:
        """The numbers by which a host finds a driver."""
        vendor, product = struct.unpack_from("<HH", self.device, 8)
        return vendor, product


class UsbPort:
    """A host's side of the cable: it enumerates whatever joins the bus, and opens it if it is a serial port.

    Args:
        machine: Where the cable ends.
        baud: Of the line coding, which means nothing on USB but the touch at 1200.
    """

    def __init__(self, machine: BootedRp2040, baud: int = 115200) -> None:
        self.bus = UsbBus(machine)
        self.baud = baud
        self.identity: Identity | None = None
        self.is_open = False
        self.wants_open = True
        self._in = self._out = self._interface = -1
        self._output = bytearray()
        self._waiting = bytearray()
        self.bus.on_reset = lambda: self.bus.start(self._enumerate())
        self.bus.on_gone = self._gone
        self.bus.on_packet = self._packet
        machine.wires.append(self)

    @property
    def busy(self) -> bool:
        """Whether something is on its way to the chip."""
        return self.bus.busy

    def feed(self, data: bytes) -> None:
        """Send bytes; those for a port that is not open yet wait for it."""
        if self.is_open:
            self.bus.send(self._out, data)
        else:
            self._waiting += data

    def take(self) -> bytes:
        """Return what has come since the last call."""
        output = bytes(self._output)
        self._output.clear()
        return output

    def close(self) -> None:
        """Close the port as a program does: DTR falls."""
        self.is_open = self.wants_open = False
        self.bus.start(self._set_lines(0))

    def open(self, baud: int = 115200) -> None:
        """Open the port of an enumerated device."""
        self.baud, self.wants_open = baud, True
        self.bus.start(self._open())

    def unplugged(self) -> None:
        """The device is gone; it will join the bus anew."""
        self.bus.forget()
        self._output.clear()
        self._waiting.clear()

    def _gone(self) -> None:
        self.identity, self.is_open = None, False

    def _packet(self, endpoint: int, packet: bytes) -> None:
        if endpoint == self._in:
            self._output += packet

    def _enumerate(self) -> Script:
        """What Linux asks a device that appears, in its order."""
        first = yield get_descriptor(DEVICE, length=PACKET_BYTES)
        yield Request(*SET_ADDRESS, ADDRESS)
        device = yield get_descriptor(DEVICE, length=first[0])
        head = yield get_descriptor(CONFIGURATION, length=9)
        configuration = yield get_descriptor(CONFIGURATION, length=struct.unpack_from("<H", head, 2)[0])
        texts = []
        for index in device[14:17]:
            text = yield get_descriptor(STRING, index, ENGLISH)
            texts.append(text[2:].decode("utf-16-le"))
        yield Request(0, SET_CONFIGURATION, configuration[5])
        self.bus.restart_toggles()
        self.identity = Identity(device, configuration, *texts)
        self._in, self._out = extract_endpoint_numbers(configuration)
        self._interface = extract_control_interface_number(configuration)
        if self._interface >= 0 and self.wants_open:
            yield from self._open()

    def _open(self) -> Script:
        yield Request(CLASS_INTERFACE, SET_LINE_CODING, 0, self._interface, data=line_coding(self.baud))
        yield from self._set_lines(DTR_AND_RTS)
        self.is_open = True
        self.bus.poll(self._in)
        self.bus.send(self._out, bytes(self._waiting))
        self._waiting.clear()

    def _set_lines(self, lines: int) -> Script:
        yield Request(CLASS_INTERFACE, SET_CONTROL_LINE_STATE, lines, self._interface)


def descriptors(configuration: bytes) -> Iterator[bytes]:
    """The descriptors of which a configuration is made.

    Raises:
        ValueError: One is shorter than its head or longer than what is left.
    """
    while configuration:
        length = configuration[0]
        if not 2 <= length <= len(configuration):
            raise ValueError(f"a descriptor of {length} bytes, with {len(configuration)} left")
        yield configuration[:length]
        configuration = configuration[length:]


__all__ = ["Identity", "Request", "Stalled", "UsbPort", "descriptors", "get_descriptor", "line_coding"]
