"""A list of requests as the fuzzer's target `commands` takes it (firmware/boards/fuzz/records.h), and as frames."""

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from priot_hil.harness.frames import Received, cobs_encode
from priot_hil.harness.protocol import (
    DATASET_MAGIC,
    PAYLOAD_LIMIT,
    VERSION,
    CommandCode,
    DatasetRecord,
    Frame,
    KindCode,
    ModelRecord,
    StatusCode,
)

HEAD = struct.Struct("<BBH")
RECORDS_MAX = 64
PAYLOAD_ROOM = PAYLOAD_LIMIT + 64
EPOCH_SAMPLES = 32
WAY_MASK = 0x1F


class Way(IntEnum):
    """How a request goes out; any other number is NEXT, the next of its session."""

    NEXT = 0
    AGAIN = 1
    OTHER_SESSION = 2
    NO_SESSION = 3
    AHEAD = 4
    BEHIND = 5
    BAD_CRC = 6
    BAD_LENGTH = 7
    BAD_KIND = 8
    BAD_VERSION = 9
    CUT = 10
    FLASH = 11


@dataclass(frozen=True)
class Record:
    """One request, or (way FLASH) the transfer set that lies in flash from here on."""

    command: int
    payload: bytes = b""
    way: int = Way.NEXT


def pack(records: Iterable[Record], board: int = 0) -> bytes:
    """The target's input; `board`: how the board differs from one with everything (firmware/boards/fuzz/witness.h)."""
    parts = [HEAD.pack(record.command, record.way, len(record.payload)) + record.payload for record in records]
    return bytes([board]) + b"".join(parts)


def unpack(data: bytes) -> list[Record]:
    """Reads any bytes as the target does: what leaves the input is cut, what does not fit a record is left out."""
    records: list[Record] = []
    at = 1
    while len(data) - at >= HEAD.size and len(records) < RECORDS_MAX:
        command, way, length = HEAD.unpack_from(data, at)
        at += HEAD.size
        records.append(Record(command, data[at : at + length], way))
        at += length
    return records


def dataset_of(record: Record) -> bytes:
    """The transfer set of a FLASH record, its magic and its CRC put right."""
    size = DatasetRecord.size()
    if len(record.payload) < size:
        return record.payload
    head, body = DatasetRecord.unpack(record.payload), record.payload[size:]
    return head._replace(magic=DATASET_MAGIC, crc=zlib.crc32(body)).pack() + body


class Framer:
    """Frames requests as the target does: it follows the session and numbers what is to be run."""

    def __init__(self) -> None:
        self.session = 0
        self.last = 0
        self._sent = b""

    def frame(self, record: Record) -> bytes:
        """The piece between two zero bytes that a record becomes."""
        way = record.way & WAY_MASK
        if way == Way.AGAIN:
            return self._sent
        payload = record.payload[:PAYLOAD_ROOM]
        if record.command == CommandCode.LOAD and len(payload) >= ModelRecord.size():
            model = ModelRecord.unpack(payload)
            payload = model._replace(epoch=model.epoch % (EPOCH_SAMPLES + 1)).pack() + payload[ModelRecord.size() :]
        sequence = self.last + 1 + (way == Way.AHEAD) - 2 * (way == Way.BEHIND)
        header = Frame(
            VERSION + (way == Way.BAD_VERSION),
            KindCode.RESPONSE if way == Way.BAD_KIND else KindCode.REQUEST,
            sequence & 0xFFFF,
            record.command,
            0,
            len(payload) + (way == Way.BAD_LENGTH),
            0 if way == Way.NO_SESSION else self.session + (way == Way.OTHER_SESSION),
        )
        body = header.pack() + payload
        self._sent = cobs_encode(body + struct.pack("<I", zlib.crc32(body) ^ (way == Way.BAD_CRC)))
        if way == Way.CUT:
            self._sent = self._sent[:-1]
        return self._sent

    def follow(self, record: Record, answer: Received) -> None:
        """Takes note of an answer: which session there is now, and which request was run last."""
        header, status = answer.header, answer.header.status
        if record.way & WAY_MASK == Way.AGAIN or status in (
            StatusCode.BAD_FRAME,
            StatusCode.STALE_SESSION,
            StatusCode.OUT_OF_SEQUENCE,
        ):
            return
        starts = header.command == CommandCode.HELLO and status == StatusCode.OK and header.session != 0
        if header.session == self.session or starts:
            self.session, self.last = header.session, header.sequence
        if header.command == CommandCode.RESET and status == StatusCode.OK:
            self.session = self.last = 0
