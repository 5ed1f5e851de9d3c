"""One request at a time over a byte transport: sessions, sequence numbers, deadlines, resynchronisation.

A request that is not answered in time is sent again under the same number; the device then repeats its answer instead
of running the command twice, and it refuses what is of another session or out of sequence. So neither a retry nor a
frame that comes late can change a result. docs/link.md has the whole argument.
"""

import contextlib
import secrets
import time
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from .errors import EmulationStuck, LinkLost, LostReason
from .frames import ENCODED_LIMIT, Received, encode_request
from .protocol import VERSION, CommandCode, HelloResponse, KindCode, StatusCode
from .transcript import Reader, Transcript
from .transports import Transport

TRIES: Final = 3  # deadlines that may pass
RESENDS: Final = 8  # times that a request goes out again because something arrived damaged
MARGIN = 2.0  # seconds on top of what the bytes and the command itself may take
QUIET: Final = 0.05  # seconds without a byte after which the line counts as drained
LAST_SEQUENCE: Final = 0xFFFF
LAST_SESSION: Final = 0xFFFFFFFF


class Missing(Enum):
    """Why there is no answer yet."""

    DEADLINE = auto()
    DAMAGE = auto()


REASONS: Final = {Missing.DEADLINE: LostReason.SILENCE, Missing.DAMAGE: LostReason.DAMAGE}


class Link:
    """Frames over a transport.

    Args:
        transport: Carries the bytes; owned and closed by the link.
        bytes_per_second: Of a line with a rate; None where bytes take no time.
        draw: Draws session numbers: an integer from 0 up to, and without, its argument.

    Attributes:
        retries: How often a request was sent again because its deadline had passed.
        resends: How often because something had arrived damaged.
    """

    def __init__(
        self,
        transport: Transport,
        bytes_per_second: float | None = None,
        draw: Callable[[int], int] = secrets.randbelow,
    ) -> None:
        self.transport = transport
        self.name = transport.name
        self.transcript = Transcript(transport.name)
        self.retries = self.resends = 0
        self._rate = bytes_per_second
        self._draw = draw
        self._session = 0
        self._sequence = 0
        self._reader = Reader()

    def hello(self) -> bytes:
        """Resynchronises and starts a session; returns the payload of the device's answer.

        Raises:
            LinkLost: Nothing that answers in this session is there.
        """
        self._session = 1 + self._draw(LAST_SESSION)
        self._sequence = 0
        answer = self._exchange(CommandCode.HELLO, b"", HelloResponse.size(), 0.0)
        if isinstance(answer, Missing):
            raise LinkLost(
                f"{self.name} does not answer: expected a HELLO of protocol {VERSION}, got "
                f"{'damaged frames' if answer is Missing.DAMAGE else f'nothing in {TRIES} tries'}; "
                "check the device, its power and the rate of its line, then try again",
                reason=REASONS[answer],
            )
        self.transcript.keep_head()
        return answer.payload

    def request(self, command: CommandCode, payload: bytes, budget: float = 0.0) -> tuple[int, bytes]:
        """Runs a command and returns its answer: status and payload.

        Args:
            command: What to run.
            payload: At most PAYLOAD_LIMIT bytes.
            budget: Seconds the command itself may take.

        Raises:
            LinkLost: No answer came in time, however often it was asked; whether the command ran is unknown.
        """
        if self._sequence == LAST_SEQUENCE:
            self._renew(command)
        self._sequence += 1
        answer = self._exchange(command, payload, ENCODED_LIMIT, budget)
        if isinstance(answer, Received):
            return answer.header.status, answer.payload
        asked = command.name.lower()
        if answer is Missing.DEADLINE:
            what = f"did not answer {asked} in {TRIES} tries of {budget + MARGIN:.0f} s"
        else:
            what = (
                f"did not answer {asked}: {RESENDS + 1} times something arrived damaged; look at the cable, its "
                "ground and the rate of the line"
            )
        raise LinkLost(f"{self.name} {what}", reason=REASONS[answer])

    def listen(self, seconds: float) -> None:
        """Asks for nothing for a while; an emulated device works meanwhile. What comes is nobody's answer.

        Raises:
            LinkLost: The transport is gone.
            DeviceFault: The emulated core locked up.
        """
        with contextlib.suppress(EmulationStuck):  # at work, as it should be
            for _ in self._reader.frames(self._read(time.monotonic() + seconds)):
                pass

    def close(self) -> None:
        """Closes the transport."""
        self.transport.close()

    def _renew(self, command: CommandCode) -> None:
        """Goes on in a new session, so that no number is given twice in one.

        Raises:
            LinkLost: The device was not in this session any more.
        """
        session = self._session
        if HelloResponse.unpack(self.hello()).previous != session:
            raise LinkLost(
                f"{self.name} has restarted before {command.name.lower()}, or another host has spoken to it; load the "
                "run again",
                reason=LostReason.SESSION,
            )

    def _exchange(self, command: CommandCode, payload: bytes, answer_bytes: int, budget: float) -> Received | Missing:
        """Sends a request until it is answered; a passed deadline and a damaged frame have each a limit of their own.

        A damaged frame costs no try: the device may have the request already and work on it for all its budget. It is
        asked once more, and then waited for anew.
        """
        frame = encode_request(self._session, self._sequence, command, payload)
        line = (len(frame) + answer_bytes) / self._rate if self._rate else 0.0
        tries = damages = 0
        while True:
            if command == CommandCode.HELLO:
                self._clear(is_first=tries + damages == 0)
            deadline = time.monotonic() + line + budget + MARGIN
            self._write(frame, deadline)
            answer = self._wait(command, deadline)
            if isinstance(answer, Received):
                return answer
            tries += answer is Missing.DEADLINE
            damages += answer is Missing.DAMAGE
            if tries == TRIES or damages > RESENDS:
                return answer
            self.retries += answer is Missing.DEADLINE
            self.resends += answer is Missing.DAMAGE

    def _wait(self, command: CommandCode, deadline: float) -> Received | Missing:
        """The answer to the request that was sent last; whatever else comes is passed over.

        Once something has arrived damaged, here or there, it is waited for only until the line is quiet: the damaged
        thing may have been the request or its answer, in one piece or several, or noise before it.
        """
        is_damaged = False
        while True:
            now = time.monotonic()
            data = self._read(min(deadline, now + QUIET) if is_damaged else deadline) if now < deadline else b""
            if not data:
                return Missing.DAMAGE if is_damaged and time.monotonic() < deadline else Missing.DEADLINE
            # What stands behind the answer in these bytes was not asked for, and goes with them.
            for received in self._reader.frames(data):
                if received is not None and self._is_answer(received, command):
                    return received
                is_damaged |= received is None or received.header.status == StatusCode.BAD_FRAME

    def _is_answer(self, received: Received, command: CommandCode) -> bool:
        header = received.header
        is_ours = (header.session, header.sequence, header.command) == (self._session, self._sequence, command)
        is_whole = command != CommandCode.HELLO or len(received.payload) >= HelloResponse.size()
        return header.kind == KindCode.RESPONSE and is_ours and is_whole

    def _clear(self, is_first: bool) -> None:
        """Ends what was half sent, and, where that alone did not help, throws away what still comes."""
        self._write(b"\0\0", time.monotonic() + MARGIN)
        if is_first:
            return
        deadline = time.monotonic() + MARGIN  # a line that never falls quiet must not hold the host
        while time.monotonic() < deadline and self._read(time.monotonic() + QUIET):
            pass
        self._reader = Reader()

    def _write(self, data: bytes, deadline: float) -> None:
        self.transcript.sent(data)
        self.transport.write(data, deadline)

    def _read(self, deadline: float) -> bytes:
        data = self.transport.read(deadline)
        if data:
            self.transcript.received(data)
        return data
