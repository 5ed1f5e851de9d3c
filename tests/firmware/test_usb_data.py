"""Frames over USB: whole, in order, held back while there is no room, dropped where nobody listens."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from firmware.usb_cable import Cable, plug_in

from priot_hil.harness.capsule import read_capsule
from priot_hil.harness.device import LinkDevice
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.firmware import BoardFirmware
from priot_hil.harness.frames import decode_frame, encode_request
from priot_hil.harness.protocol import (
    CommandCode,
    HelloResponse,
    ReadRequest,
    ResetRequest,
    RestartCode,
    StatusCode,
    TensorCode,
)

REQUESTED = 1
CAPSULE = Path(__file__).parent.parent / "capsules" / "golden" / "068_niti_static.npz"
DATA_IN, DATA_OUT = 2, 2
BOOTROM_LOADER = (0x2E8A, 0x0003)
PATIENCE_NANOSECONDS = 0.5e9
SESSION = 0x1234567


@pytest.fixture
def cable(board: BoardFirmware) -> Iterator[Cable]:
    """A chip that has been enumerated and opened; the host has found nothing to throw away."""
    cable = plug_in(board.flash)
    yield cable
    assert cable.port.bus.violations == []


def answers(cable: Cable) -> list[tuple[int, int, int]]:
    """Session, sequence and status of each frame that has come over USB."""
    received = [decode_frame(piece) for piece in cable.port.take().split(b"\0") if piece]
    return [(frame.header.session, frame.header.sequence, frame.header.status) for frame in received if frame]


def test_a_session_over_usb(cable: Cable) -> None:
    """Hello and commands, longer than a packet in both directions."""
    record = HelloResponse.unpack(cable.usb.hello())
    assert record.reset_cause == 0
    assert cable.usb.request(CommandCode.STATE, b"")[0] == StatusCode.NOT_LOADED
    assert cable.usb.request(CommandCode.WRITE, bytes(1000))[0] == StatusCode.NOT_LOADED


def test_no_byte_is_lost_where_the_ring_is_full(cable: Cable) -> None:
    """A hundred requests at once, many times the ring: the host is told to wait, and each is answered in its order."""
    requests = [encode_request(SESSION, number, CommandCode.STATE, b"") for number in range(1, 101)]
    cable.port.feed(encode_request(SESSION, 0, CommandCode.HELLO, b"") + b"".join(requests))
    cable.run()
    expected = [(SESSION, number, StatusCode.NOT_LOADED) for number in range(1, 101)]
    assert answers(cable) == [(SESSION, 0, StatusCode.OK), *expected]


@pytest.mark.slow
def test_a_transfer_ends_with_a_short_packet(cable: Cable, board: BoardFirmware) -> None:
    """Also one that fills its packets: an empty one follows. Answers of all lengths, modulo a packet."""
    device = LinkDevice(cable.usb, {board.flash.build_id: board.flash.elf})
    capsule = read_capsule(CAPSULE)
    DeviceEngine(device, "usb").load(capsule.model, capsule.method, capsule.state)
    packets: list[bytes] = []
    deliver = cable.port.bus.on_packet
    cable.port.bus.on_packet = lambda endpoint, packet: (packets.append(packet), deliver(endpoint, packet))[1]
    remainders = set()
    for count in range(1, 65):
        packets.clear()
        answer = device.command(CommandCode.READ, ReadRequest(TensorCode.WEIGHTS, 0, 0, count).pack())
        assert len(answer) == count
        assert all(len(packet) == 64 for packet in packets[:-1])
        assert len(packets[-1]) < 64
        remainders.add(len(packets[-1]))
    assert remainders == set(range(64))


def test_both_lines_in_one_session(cable: Cable) -> None:
    """A request is answered on the line on which it came; what the other line last asked does not matter."""
    cable.port.feed(encode_request(SESSION, 0, CommandCode.HELLO, b""))
    cable.run()
    assert answers(cable) == [(SESSION, 0, StatusCode.OK)]
    uart = cable.uart.transport
    uart.write(encode_request(SESSION, 1, CommandCode.STATE, b""), time.monotonic())
    frame = decode_frame(uart.read(time.monotonic() + 5).strip(b"\0"))
    assert frame is not None
    assert (frame.header.session, frame.header.sequence) == (SESSION, 1)
    assert cable.port.take() == b""
    cable.port.feed(encode_request(SESSION, 2, CommandCode.STATE, b""))
    cable.run()
    assert answers(cable) == [(SESSION, 2, StatusCode.NOT_LOADED)]
    assert uart.read(time.monotonic() + 5) == b""


def test_halves_of_two_frames_on_two_lines(cable: Cable) -> None:
    """Each line has a receiver of its own."""
    hello = encode_request(SESSION, 0, CommandCode.HELLO, b"")
    state = encode_request(SESSION, 1, CommandCode.STATE, b"")
    cable.port.feed(hello[:9])
    cable.run()
    assert cable.uart.hello()
    cable.port.feed(hello[9:] + state)
    cable.run()
    assert answers(cable) == [(SESSION, 0, StatusCode.OK), (SESSION, 1, StatusCode.NOT_LOADED)]


def test_answers_are_dropped_where_the_port_is_closed(cable: Cable) -> None:
    """DTR is down: the request runs, nothing waits, and the port opened again works."""
    cable.port.close()
    cable.run()
    began = cable.machine.clock.nanos
    cable.port.bus.send(DATA_OUT, encode_request(SESSION, 0, CommandCode.HELLO, b""))
    cable.run()
    assert cable.machine.clock.nanos - began < 0.1 * PATIENCE_NANOSECONDS
    assert cable.port.take() == b""
    cable.port.open()
    cable.run()
    cable.port.feed(encode_request(SESSION, 1, CommandCode.STATE, b""))
    cable.run()
    assert answers(cable) == [(SESSION, 1, StatusCode.NOT_LOADED)]


def test_a_host_that_no_longer_reads_blocks_nothing_for_long(cable: Cable) -> None:
    """DTR is up, but packets are not fetched: given up after half a second; UART and, later, USB work."""
    cable.usb.hello()
    cable.port.bus.polled.clear()
    began = cable.machine.clock.nanos
    for sequence in (0, 1):
        cable.port.feed(encode_request(SESSION, sequence, CommandCode.STATE, b""))
    cable.run()
    assert PATIENCE_NANOSECONDS < cable.machine.clock.nanos - began < 4 * PATIENCE_NANOSECONDS
    assert cable.uart.hello()
    cable.port.bus.poll(DATA_IN)
    cable.usb.hello()


def test_a_silent_bus_blocks_nothing(cable: Cable) -> None:
    """The cable is pulled while an answer waits: it is dropped at once. Resumed, the port still works."""
    cable.usb.hello()
    cable.port.bus.polled.clear()
    cable.port.feed(encode_request(SESSION, 0, CommandCode.HELLO, b""))
    cable.port.feed(encode_request(SESSION, 1, CommandCode.STATE, b""))
    cable.run_for(0.02)
    began = cable.machine.clock.nanos
    cable.port.bus.suspend()
    cable.run()
    assert cable.machine.clock.nanos - began < 0.1 * PATIENCE_NANOSECONDS
    assert cable.uart.hello()
    cable.port.bus.resume()
    cable.port.bus.poll(DATA_IN)
    cable.usb.hello()


def test_a_cable_pulled_and_put_back(cable: Cable) -> None:
    """The device is addressed and opened anew; its session has gone on."""
    cable.port.feed(encode_request(SESSION, 0, CommandCode.HELLO, b""))
    cable.run()
    cable.port.take()
    cable.port.bus.suspend()
    cable.run()
    cable.port.bus.reset()
    cable.run()
    assert cable.port.is_open
    cable.port.feed(encode_request(SESSION, 1, CommandCode.STATE, b""))
    cable.run()
    assert answers(cable) == [(SESSION, 1, StatusCode.NOT_LOADED)]


def test_reset_over_usb(cable: Cable) -> None:
    """The answer arrives before the device leaves the bus; it comes back, and knows why."""
    cable.usb.hello()
    gone: list[bool] = []
    forget = cable.port.bus.on_gone
    cable.port.bus.on_gone = lambda: (gone.append(True), forget())[1]
    assert cable.usb.request(CommandCode.RESET, ResetRequest(RestartCode.FIRMWARE).pack()) == (0, b"")
    cable.run()
    assert gone
    assert HelloResponse.unpack(cable.usb.hello()).reset_cause == REQUESTED


@pytest.mark.parametrize(("baud", "leaves"), [(1200, True), (115200, False)])
def test_closing_at_1200_baud_starts_the_bootroms_loader(cable: Cable, baud: int, leaves: bool) -> None:
    """The next device on the bus is the bootrom's; closing at another rate changes nothing."""
    cable.port.open(baud)
    cable.run()
    cable.port.close()
    for _ in range(40):
        cable.run_for(0.01)
        if cable.port.identity and cable.port.identity.vendor_and_product == BOOTROM_LOADER:
            break
    assert cable.port.identity is not None
    assert (cable.port.identity.vendor_and_product == BOOTROM_LOADER) == leaves
    if not leaves:
        assert cable.uart.hello()
