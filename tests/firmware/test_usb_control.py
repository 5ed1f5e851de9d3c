"""What the firmware answers on the control pipe: descriptors, standard requests, the serial port's."""

import struct
from collections.abc import Iterator

import pytest
from firmware.usb_cable import SECONDS, Cable, plug_in
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from rp2040py.usb.cdc import USBCDC

from priot_hil.harness.booted import BootedRp2040
from priot_hil.harness.booted.chip import FLASH_ID
from priot_hil.harness.booted.usb_bus import Request
from priot_hil.harness.booted.usb_port import Identity, descriptors, get_descriptor, line_coding
from priot_hil.harness.firmware import BoardFirmware

TO_HOST, INTERFACE, ENDPOINT, CLASS = 0x80, 1, 2, 0x20
GET_STATUS, CLEAR_FEATURE, SET_FEATURE, GET_CONFIGURATION, SET_CONFIGURATION = 0, 1, 3, 8, 9
GET_INTERFACE, SET_INTERFACE = 10, 11
SET_LINE_CODING, GET_LINE_CODING, SET_CONTROL_LINE_STATE, SEND_BREAK = 0x20, 0x21, 0x22, 0x23
DEVICE, CONFIGURATION, STRING, QUALIFIER = 1, 2, 3, 6
NOTIFY, DATA_OUT, DATA_IN = 0x81, 0x02, 0x82


@pytest.fixture(scope="module")
def cable(board: BoardFirmware) -> Iterator[Cable]:
    """A chip that has been enumerated and opened; the host has found nothing to throw away, before or after."""
    cable = plug_in(board.flash)
    assert cable.port.is_open
    yield cable
    assert cable.port.bus.violations == []


def identity(cable: Cable) -> Identity:
    """What the host knows of the device."""
    assert cable.port.identity is not None
    return cable.port.identity


def test_device_descriptor(cable: Cable) -> None:
    """Each field of USB 2.0, table 9-8."""
    fields = struct.unpack("<BBHBBBBHHHBBBB", identity(cable).device)
    assert fields == (18, DEVICE, 0x0200, 2, 0, 0, 64, 0x1209, 0x0001, 0x0100, 1, 2, 3, 1)
    assert (identity(cable).maker, identity(cable).product) == ("priot-hil", "PRIOT on RP2040")
    assert identity(cable).serial == FLASH_ID.hex().upper()
    assert cable.ask(get_descriptor(STRING, 0)) == [struct.pack("<BBH", 4, STRING, 0x0409)]


def test_configuration_descriptor(cable: Cable) -> None:
    """One configuration of a control and a data interface, joined by a union; every endpoint once, all sizes legal."""
    whole = identity(cable).configuration
    head, *parts = descriptors(whole)
    length, kind, total, interfaces, value, text, attributes, power = struct.unpack("<BBHBBBBB", head)
    assert (length, kind, total, interfaces, value, text) == (9, CONFIGURATION, len(whole), 2, 1, 0)
    assert attributes & 0x9F == 0x80  # reserved bits; whether self-powered or able to wake is the device's choice
    assert power * 2 <= 500
    control, data = (part for part in parts if part[1] == 4)
    assert tuple(control) == (9, 4, 0, 0, 1, 2, 2, 0, 0)
    assert tuple(data) == (9, 4, 1, 0, 2, 10, 0, 0, 0)
    functional = {part[2]: part for part in parts if part[1] == 0x24}
    assert tuple(functional[0]) == (5, 0x24, 0, 0x10, 0x01)
    assert tuple(functional[1]) == (5, 0x24, 1, 0, 1)
    assert tuple(functional[2]) == (4, 0x24, 2, 2)
    assert tuple(functional[6]) == (5, 0x24, 6, control[2], data[2])
    endpoints = [struct.unpack("<BBBBHB", part) for part in parts if part[1] == 5]
    assert endpoints == [(7, 5, NOTIFY, 3, 8, 16), (7, 5, DATA_OUT, 2, 64, 0), (7, 5, DATA_IN, 2, 64, 0)]
    assert len(parts) == 2 + len(functional) + len(endpoints)
    assert parts.index(control) < min(map(parts.index, functional.values())) < parts.index(data)


def test_standard_requests(cable: Cable) -> None:
    """Answers, cut to what is asked for; None is a STALL."""
    state = struct.pack("<H", 0)
    cases = [
        (get_descriptor(DEVICE, length=8), identity(cable).device[:8]),
        (get_descriptor(CONFIGURATION, length=64), identity(cable).configuration[:64]),
        (get_descriptor(CONFIGURATION, length=0xFFFF), identity(cable).configuration),
        (get_descriptor(CONFIGURATION, 1), None),
        (get_descriptor(STRING, 4, 0x0409), None),
        (get_descriptor(QUALIFIER), None),  # of full speed only
        (Request(TO_HOST, GET_CONFIGURATION, length=1), b"\1"),
        (Request(TO_HOST, GET_STATUS, length=2), state),
        (Request(TO_HOST | INTERFACE, GET_STATUS, index=1, length=2), state),
        (Request(TO_HOST | INTERFACE, GET_STATUS, index=2, length=2), None),
        (Request(TO_HOST | ENDPOINT, GET_STATUS, index=DATA_IN, length=2), state),
        (Request(TO_HOST | ENDPOINT, GET_STATUS, index=0x83, length=2), None),
        (Request(TO_HOST | ENDPOINT, GET_STATUS, index=0, length=2), state),
        (Request(TO_HOST | INTERFACE, GET_INTERFACE, index=1, length=1), b"\0"),
        (Request(INTERFACE, SET_INTERFACE, index=1), b""),
        (Request(INTERFACE, SET_INTERFACE, value=1, index=1), None),
        (Request(0, SET_FEATURE, value=1), None),  # remote wakeup
        (Request(0, SET_CONFIGURATION, value=2), None),
        (Request(0x40, 1), None),
        (Request(TO_HOST, GET_STATUS, length=2), state),  # a STALL ends with the next SETUP
    ]
    assert cable.ask(*(request for request, _ in cases)) == [answer for _, answer in cases]


def test_serial_port_requests(cable: Cable) -> None:
    """The line coding comes back as it was set; what the port does not claim is refused."""
    kind = CLASS | INTERFACE
    coding = struct.pack("<IBBB", 921600, 2, 1, 7)
    assert cable.ask(
        Request(kind, SET_LINE_CODING, data=coding),
        Request(TO_HOST | kind, GET_LINE_CODING, length=7),
        Request(kind, SET_LINE_CODING, data=coding[:5]),
        Request(kind, SET_CONTROL_LINE_STATE, value=3),
        Request(kind, SEND_BREAK, value=100),
        Request(kind, SET_LINE_CODING, data=line_coding(115200)),
    ) == [b"", coding, None, b"", None, b""]


@pytest.mark.parametrize("address", [NOTIFY, DATA_OUT, DATA_IN])
def test_endpoint_halt(cable: Cable, address: int) -> None:
    """A halted endpoint stalls and says so; cleared, it begins with DATA0 and carries data again."""
    halted = Request(TO_HOST | ENDPOINT, GET_STATUS, index=address, length=2)
    assert cable.ask(Request(ENDPOINT, SET_FEATURE, 0, address), halted) == [b"", b"\1\0"]
    assert cable.port.bus.is_stalled(address)
    cable.port.bus.send(DATA_OUT & 15, b"\0noise\0")
    cable.uart.hello()
    assert cable.port.bus.is_stalled(address)  # whatever the device would like to say or hear
    cable.port.bus.restart_toggle(address)
    assert cable.ask(Request(ENDPOINT, CLEAR_FEATURE, 0, address), halted) == [b"", b"\0\0"]
    assert not cable.port.bus.is_stalled(address)
    cable.usb.hello()


def test_configuring_again(cable: Cable) -> None:
    """Configuration 0 closes the pipes; 1 opens them anew, from DATA0, with DTR down until the port is opened."""
    assert cable.ask(
        Request(0, SET_CONFIGURATION, 0),
        Request(TO_HOST, GET_CONFIGURATION, length=1),
        Request(TO_HOST | ENDPOINT, GET_STATUS, index=DATA_IN, length=2),
    ) == [b"", b"\0", None]
    for pipe in (2, 4, 5):  # endpoint 1 IN, 2 IN, 2 OUT: no longer enabled
        assert not any(cable.machine.rp2040.usb_dpram[4 * pipe : 4 * pipe + 4])
    cable.port.bus.restart_toggles()
    assert cable.ask(Request(0, SET_CONFIGURATION, 1)) == [b""]
    cable.port.open()
    cable.run()
    cable.usb.hello()


@settings(max_examples=150)
@given(
    request=st.builds(
        Request,
        type=st.sampled_from([a | b | c for a in (0, TO_HOST) for b in (0, CLASS, 0x40) for c in range(4)]),
        request=st.one_of(st.integers(0, 0x24), st.integers(0, 255)),
        value=st.one_of(st.integers(0, 4), st.integers(0, 0xFFFF)),
        index=st.one_of(st.integers(0, 3), st.sampled_from([0x80, NOTIFY, DATA_IN]), st.integers(0, 0xFFFF)),
        length=st.integers(0, 300),
    ),
    data=st.binary(max_size=64),
)
@example(request=Request(ENDPOINT, CLEAR_FEATURE, 0, DATA_IN, 0), data=b"where none is taken")
def test_any_request_is_answered_or_refused(cable: Cable, request: Request, data: bytes) -> None:
    """No SETUP packet leaves the control pipe stuck: the transfer ends, and the next one is right."""
    assume((request.type, request.request) not in ((0, 5), (0, SET_CONFIGURATION)))  # those the host must follow itself
    if not request.type & TO_HOST:
        request = Request(request.type, request.request, request.value, request.index, data=data)
    if request.type == ENDPOINT and request.request in (CLEAR_FEATURE, SET_FEATURE) and not data:
        cable.port.bus.restart_toggle(request.index)
    status = Request(TO_HOST, GET_STATUS, length=2)
    answers = cable.ask(request, status)
    assert answers[1] == b"\0\0"
    assert answers[0] is None or len(answers[0]) <= request.length


def test_the_emulators_own_host_takes_it_too(board: BoardFirmware) -> None:
    """rp2040py's CDC host, which knows nothing of ours: it enumerates the device, opens it and gets an answer."""
    machine = BootedRp2040(board.flash.uf2)
    host, heard, connected = USBCDC(machine.rp2040.usb_ctrl), bytearray(), []
    host.on_serial_data = heard.extend
    host.on_device_connected = lambda: connected.append(True)
    for byte in b"\0noise\0":
        host.send_serial_byte(byte)
    while not heard.endswith(b"\0") and machine.clock.nanos < SECONDS * 1e9:
        machine.run(SECONDS)
    assert connected
    assert heard.startswith(b"\0")
    assert heard.endswith(b"\0")
