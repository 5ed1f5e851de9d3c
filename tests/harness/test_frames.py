"""Frames: COBS is what its definition says, and nothing but an undamaged frame is taken for one."""

import struct
import zlib

import pytest
from cobs import cobs
from hypothesis import example, given
from hypothesis import strategies as st

from priot_hil.harness.frames import (
    CRC_BYTES,
    ENCODED_LIMIT,
    Received,
    cobs_decode,
    cobs_encode,
    decode_frame,
    encode_request,
)
from priot_hil.harness.protocol import PAYLOAD_LIMIT, VERSION, CommandCode, Frame, KindCode

FULL = 254  # bytes of a block without a zero
EDGES = sorted({count + off for count in (0, FULL, 2 * FULL, 4 * FULL) for off in range(-2, 3) if count + off >= 0})
LONGEST = Frame.size() + PAYLOAD_LIMIT + CRC_BYTES

# Runs without a zero that end near the end of a block, with few zeros between them.
PIECES = st.builds(lambda byte, count: bytes([byte]) * count, st.integers(1, 255), st.sampled_from(EDGES))
DATA = st.lists(PIECES | st.binary(max_size=5), max_size=4).map(b"\0".join)


def accepted(stream: bytes) -> list[Received]:
    """The frames that a receiver finds in a stream."""
    found = [decode_frame(piece) for piece in stream.split(b"\0") if piece]
    return [frame for frame in found if frame is not None]


def framed(body: bytes) -> bytes:
    """Any header and payload with their right CRC, encoded."""
    return cobs_encode(body + struct.pack("<I", zlib.crc32(body)))


def plain_encode(data: bytes) -> bytes:
    """COBS by its definition."""
    encoded = bytearray()
    for piece in data.split(b"\0"):
        while len(piece) > 253:
            encoded += b"\xff" + piece[:254]
            piece = piece[254:]
        encoded.append(len(piece) + 1)
        encoded += piece
    return bytes(encoded)


def plain_decode(encoded: bytes) -> bytes | None:
    """And back; None where a code points behind the end or a zero stands inside."""
    decoded = bytearray()
    at = 0
    while at < len(encoded):
        code = encoded[at]
        block = encoded[at + 1 : at + code]
        if code == 0 or len(block) != code - 1 or 0 in block:
            return None
        decoded += block
        at += code
        if code != 255 and at < len(encoded):
            decoded.append(0)
    return bytes(decoded)


@given(data=DATA | st.binary(max_size=600))
@example(data=b"")
@example(data=b"\0" * LONGEST)
def test_cobs_is_that_of_its_definition(data: bytes) -> None:
    """Byte for byte; and without the empty block behind a full last one, which some leave out, it means the same."""
    encoded = cobs_encode(data)
    assert 0 not in encoded
    assert encoded == plain_encode(data)
    assert cobs_decode(encoded) == plain_decode(encoded) == data
    assert cobs_decode(cobs.encode(data)) == data


@pytest.mark.parametrize("length", [*EDGES, LONGEST])
def test_cobs_around_full_blocks(length: int) -> None:
    """Lengths around 254 and its multiples, without a zero and with one at every place."""
    plain = bytes(i % 255 + 1 for i in range(length))
    for data in (plain, *(plain[:at] + b"\0" + plain[at + 1 :] for at in range(length))):
        encoded = cobs_encode(data)
        assert 0 not in encoded
        assert cobs_decode(encoded) == plain_decode(encoded) == data
        assert cobs_decode(cobs.encode(data)) == data


@given(encoded=st.binary(max_size=20) | st.lists(st.integers(0, 4), max_size=12).map(bytes))
def test_cobs_refuses_what_its_definition_refuses(encoded: bytes) -> None:
    """A zero inside and a code that points behind the end."""
    assert cobs_decode(encoded) == plain_decode(encoded)


@given(
    session=st.integers(0, 2**32 - 1),
    sequence=st.integers(0, 0xFFFF),
    command=st.integers(0, 255),
    payload=st.binary(max_size=PAYLOAD_LIMIT),
)
@example(session=2**32 - 1, sequence=0xFFFF, command=255, payload=b"\1" * PAYLOAD_LIMIT)
def test_request_round_trip(session: int, sequence: int, command: int, payload: bytes) -> None:
    """A request has a zero byte at either end and no other, and says what went in."""
    encoded = encode_request(session, sequence, command, payload)
    assert (encoded[0], encoded[-1], encoded.count(0)) == (0, 0, 2)
    assert len(encoded) - 2 <= ENCODED_LIMIT
    header = Frame(VERSION, KindCode.REQUEST, sequence, command, 0, len(payload), session)
    assert accepted(encoded) == [Received(header, payload)]


@pytest.mark.parametrize("payload", [b"", b"\0\1\2\0", bytes(range(40))], ids=["empty", "short", "longer"])
def test_every_damage_of_one_byte_is_seen(payload: bytes) -> None:
    """Any byte replaced, dropped or added, anywhere: the receiver finds the frame itself or none."""
    stream = encode_request(0x12345678, 0x1234, CommandCode.WRITE, payload)
    whole = accepted(stream)
    assert len(whole) == 1
    for at in range(len(stream) + 1):
        for byte in range(256):
            assert accepted(stream[:at] + bytes([byte]) + stream[at:]) in ([], whole)
            assert accepted(stream[:at] + bytes([byte]) + stream[at + 1 :]) in ([], whole)
        assert accepted(stream[:at] + stream[at + 1 :]) in ([], whole)
    for at in range(1, len(stream) - 1):
        assert accepted(stream[:at] + bytes([stream[at] ^ 1 << at % 8]) + stream[at + 1 :]) == []


@given(data=st.data(), payload=st.binary(min_size=200, max_size=PAYLOAD_LIMIT) | st.just(b"\1" * 600))
def test_damage_of_long_frames_is_seen(data: st.DataObject, payload: bytes) -> None:
    """The same for frames of several blocks, where a changed code moves zeros about."""
    stream = encode_request(5, 7, CommandCode.WRITE, payload)
    whole = accepted(stream)
    codes = [1, 256, 511]  # where the first block's code lies, and those of full blocks
    at = data.draw(st.integers(1, len(stream) - 2) | st.sampled_from([code for code in codes if code < len(stream)]))
    byte = bytes([data.draw(st.integers(0, 255))])
    before, after = stream[:at], stream[at + 1 :]
    for damaged in (before + byte + after, before + byte + stream[at:], before + after, before):
        assert accepted(damaged) in ([], whole)


@pytest.mark.parametrize("length", range(Frame.size() + CRC_BYTES))
def test_too_short_is_no_frame(length: int) -> None:
    """Less than a header and a CRC, even where the last four bytes are the CRC of the others."""
    assert decode_frame(cobs_encode(bytes(length))) is None
    if length >= CRC_BYTES:
        assert decode_frame(framed(bytes([VERSION] * (length - CRC_BYTES)))) is None


@pytest.mark.parametrize(
    "change",
    [{"version": VERSION + 1}, {"version": 0}, {"length": 2}, {"length": 4}, {"length": 0xFFFF}],
    ids=str,
)
def test_wrong_version_or_length_is_no_frame(change: dict[str, int]) -> None:
    """The CRC alone does not make a frame."""
    header = Frame(VERSION, KindCode.RESPONSE, 1, CommandCode.STATE, 0, 3, 9)
    assert decode_frame(framed(header.pack() + b"abc")) == Received(header, b"abc")
    assert decode_frame(framed(header._replace(**change).pack() + b"abc")) is None
