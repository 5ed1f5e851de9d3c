"""One request at a time over a byte transport: sessions, sequence numbers, deadlines, resynchronisation.

A request that is not answered in time is sent again under the same number; the device then repeats its answer instead
of running the command twice, and it refuses what is of another session or out of sequence. So neither a retry nor a
frame that comes late can change a result.
"""

import contextlib
import secrets
import time
from collections.abc import Iterator

from .errors import EmulationStuck, LinkLost
from .frames import ENCODED_LIMIT, Received, decode_frame, encode_request
from .protocol import VERSION, CommandCode, HelloResponse, KindCode, StatusCode
from .transcript import Transcript
from .transports import Transport

TRIES = 3
MARGIN = 2.0  # seconds on top of what the bytes and the command itself may take
QUIET = 0.05  # seconds without a byte after which the line counts as drained


class Link:
    """Frames over a transport.

    Args:
        transport: Carries the bytes; owned and closed by the link.
        bytes_per_second: Of a line with a rate; None where bytes take no time.
    """

    def __init__(self, transport: Transport, bytes_per_second: float | None = None) -> None:
        self.transport = transport
        self.name = transport.name
        self.transcript = Transcript(transport.name)
        self._rate = bytes_per_second
        self._session = 0
        self._sequence = 0
        self._pending = bytearray()

    def hello(self) -> bytes:
        """Resynchronises and starts a session; returns the payload of the device's answer.

        Raises:
            LinkLost: Nothing that answers in this session is there.
        """
        self._session = 1 + secrets.randbelow(0xFFFFFFFF)
        self._sequence = 0
        for attempt in range(TRIES):
            self._write(b"\0\0", time.monotonic() + MARGIN)
            if attempt:
                self._drain()
            self._send(CommandCode.HELLO, b"")
            for received in self._frames(self._deadline(HelloResponse.size(), 0.0)):
                if self._is_answer(received, CommandCode.HELLO) and len(received.payload) >= HelloResponse.size():
                    self.transcript.keep_head()
                    return received.payload
        raise LinkLost(
            f"{self.name} does not answer: expected a HELLO of protocol {VERSION}, got nothing in {TRIES} tries; "
            "check the device and its power, then try again"
        )

    def request(self, command: CommandCode, payload: bytes, budget: float = 0.0) -> tuple[int, bytes]:
        """Runs a command and returns its answer: status and payload.

        Args:
            command: What to run.
            payload: At most PAYLOAD_LIMIT bytes.
            budget: Seconds the command itself may take.

        Raises:
            LinkLost: No answer came in time, however often it was asked.
        """
        self._sequence = (self._sequence + 1) & 0xFFFF
        for _ in range(TRIES):
            self._send(command, payload)
            for received in self._frames(self._deadline(ENCODED_LIMIT, budget)):
                if self._is_answer(received, command):
                    return received.header.status, received.payload
        raise LinkLost(f"{self.name} did not answer {command.name.lower()} in {TRIES} tries of {budget + MARGIN:.0f} s")

    def listen(self, seconds: float) -> None:
        """Asks for nothing for a while; an emulated device works meanwhile. What comes is kept for the next answer.

        Raises:
            LinkLost: The transport is gone.
            DeviceFault: The emulated core locked up.
        """
        with contextlib.suppress(EmulationStuck):  # at work, as it should be
            self._pending += self._read(time.monotonic() + seconds)

    def close(self) -> None:
        """Closes the transport."""
        self.transport.close()

    def _deadline(self, answer_bytes: int, budget: float) -> float:
        line = answer_bytes / self._rate if self._rate else 0.0
        return time.monotonic() + line + budget + MARGIN

    def _send(self, command: CommandCode, payload: bytes) -> None:
        frame = encode_request(self._session, self._sequence, command, payload)
        line = len(frame) / self._rate if self._rate else 0.0
        self._write(frame, time.monotonic() + line + MARGIN)

    def _write(self, data: bytes, deadline: float) -> None:
        self.transcript.sent(data)
        self.transport.write(data, deadline)

    def _read(self, deadline: float) -> bytes:
        data = self.transport.read(deadline)
        if data:
            self.transcript.received(data)
        return data

    def _is_answer(self, received: Received, command: CommandCode) -> bool:
        header = received.header
        return (header.session, header.sequence, header.command) == (self._session, self._sequence, command)

    def _frames(self, deadline: float) -> Iterator[Received]:
        """The whole response frames that arrive until the deadline, or until the device is idle with nothing to say.

        Once the device says that something arrived damaged, it is waited for only until the line is quiet: the damaged
        thing may have been the request, in one piece or several, or noise before it.
        """
        while True:
            while b"\0" in self._pending:
                piece, _, rest = bytes(self._pending).partition(b"\0")
                self._pending = bytearray(rest)
                received = decode_frame(piece) if piece else None
                if received is not None and received.header.kind == KindCode.RESPONSE:
                    yield received
                    if received.header.status == StatusCode.BAD_FRAME:
                        deadline = min(deadline, time.monotonic() + QUIET)
            data = self._read(deadline) if time.monotonic() < deadline else b""
            if not data:
                return
            self._pending += data
            if len(self._pending) > ENCODED_LIMIT and b"\0" not in self._pending:
                self._pending.clear()

    def _drain(self) -> None:
        deadline = time.monotonic() + MARGIN  # a line that never falls quiet must not hold the host
        while time.monotonic() < deadline and self._read(time.monotonic() + QUIET):
            pass
        self._pending.clear()
