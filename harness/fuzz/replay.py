"""Replays what the fuzzer found on the ordinary host process: no clang, no sanitizer, the protocol's own promises."""

import tempfile
import time
from pathlib import Path

from priot_hil.harness.firmware import build
from priot_hil.harness.frames import Received, decode_frame
from priot_hil.harness.protocol import CommandCode, KindCode, ReadRequest, StatusCode, TensorCode
from priot_hil.harness.transports.process import ProcessTransport

from .records import WAY_MASK, Framer, Record, Way, dataset_of

FLASH_BYTES = 1 << 16
SECONDS = 10.0
FORGETS = (CommandCode.DATASET, CommandCode.ERASE, CommandCode.STORE)
# Asked at the end: whether a model is loaded and started, and what it has learned.
PROBES = (Record(CommandCode.READ, ReadRequest(TensorCode.IMAGE, 0, 0, 1).pack()), Record(CommandCode.STATE))


class PromiseBroken(Exception):
    """The device did not do what the protocol says."""


class _Board:
    """A fresh process with a flash of its own."""

    def __init__(self, folder: Path) -> None:
        self._flash = folder / "flash"
        self._flash.write_bytes(bytes(FLASH_BYTES))
        self.transport = ProcessTransport(build("host").process, str(self._flash))

    def put(self, data: bytes) -> None:
        with self._flash.open("r+b") as file:
            file.write(data[:FLASH_BYTES])

    def exchange(self, piece: bytes) -> Received | None:
        """Sends a piece and returns its only answer; None where there must be none."""
        deadline = time.monotonic() + SECONDS
        self.transport.write(piece + b"\0", deadline)
        if not piece:
            return None
        received = b""
        while received.count(0) < 2:
            data = self.transport.read(deadline)
            if not data:
                raise PromiseBroken(f"no whole answer to {piece[:40].hex()} in {SECONDS} s, but {received[:40].hex()}")
            received += data
        before, encoded, behind = received.split(b"\0", 2)
        answer = decode_frame(encoded)
        if before or behind or answer is None or answer.header.kind != KindCode.RESPONSE:
            raise PromiseBroken(f"the answer to {piece[:40].hex()} is no response: {received[:40].hex()}")
        return answer


def replay_frames(data: bytes) -> None:
    """Each piece has one answer, and only what is a request is taken for one.

    Raises:
        PromiseBroken: It is otherwise.
    """
    with tempfile.TemporaryDirectory() as folder:
        board = _Board(Path(folder))
        try:
            for piece in data.split(b"\0")[:-1]:
                request, answer = decode_frame(piece), board.exchange(piece)
                is_request = request is not None and request.header.kind == KindCode.REQUEST
                if answer is not None and is_request == (answer.header.status == StatusCode.BAD_FRAME):
                    raise PromiseBroken(f"{piece[:40].hex()} was answered with status {answer.header.status}")
        finally:
            board.transport.close()


def replay_commands(records: list[Record]) -> None:
    """What is refused leaves no trace: without it, all other requests have the same answers.

    With a detached run among them, answers depend on how far it has come; then each has to be answered, and no more.

    Raises:
        PromiseBroken: They have others, or one has none.
    """
    records = [*records, *PROBES]
    answers = _answers(records)
    if any(record.command == CommandCode.RUN for record in records):
        return
    for i, answer in enumerate(answers):
        if answer is None or answer[0] == StatusCode.OK:
            continue
        # A transfer set that is found wanting is forgotten on purpose, a flash written amiss stays so; what is sent
        # again has to stay.
        if records[i].command in FORGETS or any(r.way & WAY_MASK == Way.AGAIN for r in records[i + 1 :]):
            continue
        without = _answers(records[:i] + records[i + 1 :])
        for j, (one, other) in enumerate(zip(answers[i + 1 :], without[i:], strict=True), start=i + 1):
            if one != other:
                raise PromiseBroken(f"request {i}, refused with status {answer[0]}, changed the answer to request {j}")


def _answers(records: list[Record]) -> list[tuple[int, bytes] | None]:
    """Status and payload of each answer; None for a transfer set that was put into flash."""
    found: list[tuple[int, bytes] | None] = []
    with tempfile.TemporaryDirectory() as folder:
        board, framer = _Board(Path(folder)), Framer()
        hello = Record(CommandCode.HELLO, way=Way.OTHER_SESSION)
        try:
            for record in records:
                if framer.session == 0:
                    _send(board, framer, hello)
                if record.way & WAY_MASK == Way.FLASH:
                    board.put(dataset_of(record))
                    found.append(None)
                else:
                    answer = _send(board, framer, record)
                    found.append((answer.header.status, answer.payload))
        finally:
            board.transport.close()
    return found


def _send(board: _Board, framer: Framer, record: Record) -> Received:
    answer = board.exchange(framer.frame(record))
    assert answer is not None, "a framed request is never empty"
    framer.follow(record, answer)
    return answer
