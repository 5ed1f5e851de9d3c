"""Streams of anything: each piece between zero bytes is answered as the protocol says, and the run is left alone."""

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from priot_hil.harness.device import LinkDevice
from priot_hil.harness.devices import open_emulator, open_process
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.frames import decode_frame, encode_frame
from priot_hil.harness.protocol import PAYLOAD_LIMIT, VERSION, CommandCode, Frame, KindCode, StatusCode
from priot_hil.harness.strategies import Run
from priot_hil.harness.transcript import Reader
from priot_hil.reference.run import MethodKind

MakeRun = Callable[[MethodKind], Run]
Watch = Callable[[DeviceEngine, Run], Any]
Value = TypeVar("Value")

NO_COMMAND = 200
SESSIONS = itertools.count(0x10000, 4)  # of this test alone; none comes twice
HELD = 0xFF00  # the sequence of the HELLO, near the end, so that numbers wrap


class Answer(NamedTuple):
    """What is expected of a response."""

    session: int
    sequence: int
    command: int
    status: int


class Model:
    """The rules of sessions and sequences, as docs/link.md gives them.

    Args:
        session: The current one.
        previous: The one before it.
    """

    def __init__(self, session: int, previous: int) -> None:
        self.session, self.previous = session, previous
        self.last = HELD
        self.kept: Answer | None = None

    def answer(self, piece: bytes) -> Answer:
        """What a piece that is not empty is answered."""
        received = decode_frame(piece)
        if received is None or received.header.kind != KindCode.REQUEST or received.header.length > PAYLOAD_LIMIT:
            return Answer(0, 0, 0, StatusCode.BAD_FRAME)
        header = received.header
        status = status_of(header.command, received.payload)
        is_current = header.session == self.session
        if is_current and header.sequence == (self.last + 1) & 0xFFFF:
            self.last = header.sequence
            self.kept = Answer(header.session, header.sequence, header.command, status)
            return self.kept
        if is_current and header.sequence == self.last and self.kept is not None:
            return self.kept
        if header.command == CommandCode.HELLO:
            is_new = header.session not in (0, self.session, self.previous)
            if is_new and not received.payload:
                self.session, self.previous = header.session, self.session
                self.last, self.kept = header.sequence, None
        else:
            status = StatusCode.OUT_OF_SEQUENCE if is_current else StatusCode.STALE_SESSION
        return Answer(header.session, header.sequence, header.command, status)


def status_of(command: int, payload: bytes) -> StatusCode:
    """How a command that runs ends, of those that are sent here."""
    if command == NO_COMMAND:
        return StatusCode.UNKNOWN_COMMAND
    return StatusCode.BAD_LENGTH if payload else StatusCode.OK


@dataclass(frozen=True)
class Piece:
    """A frame, right or wrong, and what is left of it.

    Attributes:
        session: Index into: the current one, the one before, none, a new one.
        step: From the current sequence to its own.
        lead: Of its length field beyond the payload's.
        flipped: Byte of which a bit is flipped; None for none.
        cut: Bytes that are missing at either end.
    """

    session: int
    step: int
    command: int
    payload: bytes
    version: int
    kind: int
    lead: int
    flipped: int | None
    cut: tuple[int, int]

    def encode(self, session: int, previous: int, sequence: int) -> bytes:
        """The bytes on the wire."""
        chosen = (session, previous, 0, session + 1)[self.session]
        length = (len(self.payload) + self.lead) & 0xFFFF
        number = (sequence + self.step) & 0xFFFF
        header = Frame(self.version, self.kind, number, self.command, 0, length, chosen)
        frame = bytearray(encode_frame(header, self.payload))
        if self.flipped is not None:
            frame[self.flipped % len(frame)] ^= 4
        return bytes(frame[self.cut[0] : len(frame) - self.cut[1]])


def usually(value: Value, other: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    """A value, but for one time in eight."""
    return st.integers(0, 7).flatmap(lambda chance: other if chance == 7 else st.just(value))


BYTES = st.integers(0, 255)
PIECES = st.builds(
    Piece,
    usually(0, st.integers(0, 3)),
    usually(1, st.integers(-2, 3)),
    st.sampled_from([CommandCode.STATE, CommandCode.HELLO, NO_COMMAND]),
    st.just(b"") | st.binary(max_size=8) | st.integers(PAYLOAD_LIMIT - 2, PAYLOAD_LIMIT + 3).map(bytes),
    usually(VERSION, BYTES),
    usually(KindCode.REQUEST, BYTES),
    usually(0, st.integers(-2, 2)),
    usually(None, st.integers(0, 40)),
    usually((0, 0), st.sampled_from([(1, 0), (0, 1), (1, 1), (5, 0), (0, 5)])),
)
NOISE = (
    st.binary(max_size=60)
    | st.lists(st.integers(0, 4), max_size=12).map(bytes)
    | st.builds(lambda byte, count: bytes([byte]) * count, BYTES, st.integers(1000, 2100))
)


@pytest.fixture(scope="module", params={"process": open_process, "board": open_emulator}.items(), ids=lambda x: x[0])
def linked(request: pytest.FixtureRequest) -> Iterator[DeviceEngine]:
    """An engine behind frames."""
    opened = request.param[1]()
    yield opened
    opened.close()


@settings(max_examples=settings.default.max_examples // 2)
@given(pieces=st.lists(PIECES | PIECES | NOISE, min_size=1, max_size=12))
def test_any_stream_is_answered_as_the_protocol_says(
    linked: DeviceEngine, make_run: MakeRun, watch: Watch, pieces: list[Piece | bytes]
) -> None:
    """Frames right and wrong, cut, joined, flipped, of any session and number, with noise between them."""
    device = linked.device
    assert isinstance(device, LinkDevice)
    device.forget_session()  # of an example before this one
    watched = watch(linked, make_run(MethodKind.PRIOT))
    previous, session = next(SESSIONS), next(SESSIONS)
    model = Model(session, previous)
    stream, sequence = bytearray(), HELD
    hellos = [Frame(VERSION, KindCode.REQUEST, HELD, CommandCode.HELLO, 0, 0, one) for one in (previous, session)]
    for piece in pieces:
        if isinstance(piece, Piece):
            stream += piece.encode(session, previous, sequence)
            sequence += piece.step == 1
        else:
            stream += piece
    stream += b"\0"
    expected = [Answer(one, HELD, CommandCode.HELLO, StatusCode.OK) for one in (previous, session)]
    expected += [model.answer(bytes(piece)) for piece in stream.split(b"\0") if piece]
    device.link.transport.write(b"".join(encode_frame(hello, b"") for hello in hellos) + stream, time.monotonic() + 10)
    got, reader = [], Reader()
    while len(got) < len(expected) and (data := device.link.transport.read(time.monotonic() + 10)):
        for received in reader.frames(data):
            assert received is not None
            header = received.header
            assert header.kind == KindCode.RESPONSE
            got.append(Answer(header.session, header.sequence, header.command, header.status))
    assert got == expected
    for answer in expected[2:]:
        event(StatusCode(answer.status).name)
    device.forget_session()
    watched.expect_untouched()
