"""The firmware that runs behind a port: what it is, without disturbing it, and its way into the loader."""

import contextlib
import time

import serial

from priot_hil.harness import discovery
from priot_hil.harness.errors import KernelStatus, LinkLost
from priot_hil.harness.frames import encode_request
from priot_hil.harness.link import Link
from priot_hil.harness.protocol import CommandCode, HelloResponse, ResetRequest, RestartCode, StatusCode
from priot_hil.harness.transcript import Reader
from priot_hil.harness.transports import Transport
from priot_hil.harness.transports.serial import SerialTransport

ASK_SECONDS = 1.0
TRIES = 2
TOUCH_BAUD = 1200  # closing a USB port at this rate asks many boards for their loader
TOUCH_SECONDS = 0.1


def ask(transport: Transport) -> HelloResponse | None:
    """Who is there, asked in session 0, which leaves a running session alone; None where nothing answers."""
    request = b"\0\0" + encode_request(0, 0, CommandCode.HELLO, b"")
    reader = Reader()
    for _ in range(TRIES):
        deadline = time.monotonic() + ASK_SECONDS
        transport.write(request, deadline)
        while time.monotonic() < deadline and (data := transport.read(deadline)):
            for received in reader.frames(data):
                if received is None or (received.header.command, received.header.status) != (
                    CommandCode.HELLO,
                    StatusCode.OK,
                ):
                    continue
                if len(received.payload) >= HelloResponse.size():
                    return HelloResponse.unpack(received.payload)
    return None


def ask_port(name: str, baud: int) -> HelloResponse | None:
    """Who is behind a port.

    Raises:
        InputError: There is no such port, it does not open, or another process holds it.
    """
    transport = SerialTransport(name, baud)
    try:
        return ask(transport)
    except LinkLost:
        return None
    finally:
        transport.close()


def restart_as_loader(name: str, baud: int) -> None:
    """Asks this project's firmware to restart as the bootrom's loader; it may be gone before it has answered.

    Raises:
        InputError: The port does not open.
        KernelStatus: The firmware has no way there.
    """
    link = Link(SerialTransport(name, baud), bytes_per_second=baud / 10)
    try:
        with contextlib.suppress(LinkLost):
            link.hello()
            status, _ = link.request(CommandCode.RESET, ResetRequest(RestartCode.LOADER).pack())
            if status != StatusCode.OK:
                raise KernelStatus(f"{name} refused to restart as its loader (status {status})", status=status)
    finally:
        link.close()


def touch(name: str) -> None:
    """Opens and closes a port of this machine at 1200 baud; in vain where the board does not know what that means."""
    device = name
    if name.startswith(discovery.SERIAL):
        device = discovery.port_named(name.removeprefix(discovery.SERIAL)).device
    if "://" in device:
        return
    with contextlib.suppress(serial.SerialException, OSError):
        port = serial.Serial(device, TOUCH_BAUD)
        port.dtr = False
        time.sleep(TOUCH_SECONDS)
        port.close()
