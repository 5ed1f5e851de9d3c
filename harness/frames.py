"""Frames of the link: COBS(header, payload, CRC-32) between zero bytes."""

import struct
import zlib
from dataclasses import dataclass

from cobs import cobs

from .protocol import PAYLOAD_LIMIT, VERSION, Frame, KindCode

CRC_BYTES = 4
FULL_BLOCK = 254  # bytes of a block without a zero
# A received piece longer than this is noise, not a frame that is still to end.
ENCODED_LIMIT = (Frame.size() + PAYLOAD_LIMIT + CRC_BYTES) * 255 // 254 + 2


@dataclass(frozen=True)
class Received:
    """A frame that came whole: its header and its payload."""

    header: Frame
    payload: bytes


def cobs_encode(data: bytes) -> bytes:
    """Rewrites bytes so that none is zero: each code says how far away the next zero was.

    Behind a full last block stands an empty one, as in the firmware; the package leaves it out.
    """
    tail = len(data) - 1 - data.rfind(0)
    return bytes(cobs.encode(data)) + (b"\1" if tail and tail % FULL_BLOCK == 0 else b"")


def cobs_decode(encoded: bytes) -> bytes | None:
    """Undoes `cobs_encode`; None where a code points behind the end or a zero stands inside."""
    try:
        return bytes(cobs.decode(encoded))
    except cobs.DecodeError:
        return None


def encode_request(session: int, sequence: int, command: int, payload: bytes) -> bytes:
    """A request as it goes over the wire, a zero byte at either end.

    Args:
        session: 0..2**32 - 1.
        sequence: 0..65535.
        command: The command's code.
        payload: At most PAYLOAD_LIMIT bytes.
    """
    return encode_frame(Frame(VERSION, KindCode.REQUEST, sequence, command, 0, len(payload), session), payload)


def encode_frame(header: Frame, payload: bytes) -> bytes:
    """Any frame as it goes over the wire; `header.length` is the payload's."""
    body = header.pack() + payload
    return b"\0" + cobs_encode(body + struct.pack("<I", zlib.crc32(body))) + b"\0"


def decode_frame(encoded: bytes) -> Received | None:
    """Reads what stood between two zero bytes; None where it is no whole, undamaged frame of this protocol."""
    decoded = cobs_decode(encoded)
    if decoded is None or len(decoded) < Frame.size() + CRC_BYTES:
        return None
    body, crc = decoded[:-CRC_BYTES], decoded[-CRC_BYTES:]
    header = Frame.unpack(body)
    payload = body[Frame.size() :]
    if zlib.crc32(body) != struct.unpack("<I", crc)[0] or header.version != VERSION or header.length != len(payload):
        return None
    return Received(header, payload)
