"""A transcript as a device: what was asked then is answered as it was then."""

from collections import deque
from dataclasses import dataclass
from pathlib import Path

from priot_hil.harness.errors import LinkLost
from priot_hil.harness.frames import Received, encode_frame
from priot_hil.harness.protocol import CommandCode, KindCode, StatusCode
from priot_hil.harness.transcript import Reader, read_transcript
from priot_hil.reference.errors import InputError


@dataclass(frozen=True)
class Exchange:
    """A request and its answer."""

    request: Received
    answer: Received


class ReplayTransport:
    """Answers each request with what followed the same one, command and payload, in a transcript.

    Where the same was asked more than once, the recorded order decides: the next such request behind the one answered
    last, and from the beginning again where none follows. So the cases of a session may be asked in another order, each
    as a whole.

    Args:
        path: The transcript.

    Raises:
        InputError: It is none, or no device ever answered in it.
    """

    def __init__(self, path: Path) -> None:
        self.name = f"replay:{path}"
        self._exchanges = exchanges(path)
        if not any(exchange.request.header.command == CommandCode.HELLO for exchange in self._exchanges):
            expected, do = "a transcript in which a device answers HELLO", "name another one"
            raise InputError.about(str(path), expected=expected, got="none of its answers", do=do)
        self._next = 0
        self._reader = Reader()
        self._answers: deque[bytes] = deque()
        self._lost: LinkLost | None = None

    def write(self, data: bytes, deadline: float) -> None:
        """Looks each request up.

        Raises:
            LinkLost: One was not recorded; nor is anything answered after it.
        """
        for received in self._reader.frames(data):
            if self._lost is None and received is not None:
                self._answer(received)
        if self._lost is not None:
            raise self._lost

    def read(self, deadline: float) -> bytes:
        """The next answer; `b""` where nothing was asked."""
        return self._answers.popleft() if self._answers else b""

    def reset(self) -> None:
        """Goes back to the beginning."""
        self._next = 0

    def close(self) -> None:
        """Nothing to give up."""

    def _answer(self, received: Received) -> None:
        header = received.header
        asked = (header.command, received.payload)
        order = [*range(self._next, len(self._exchanges)), *range(self._next)]
        for place in order:
            request = self._exchanges[place].request
            if (request.header.command, request.payload) == asked:
                self._next = place + 1
                answer = self._exchanges[place].answer
                now = answer.header._replace(session=header.session, sequence=header.sequence)
                self._answers.append(encode_frame(now, answer.payload))
                return
        name = next((code.name.lower() for code in CommandCode if code == header.command), str(header.command))
        self._lost = LinkLost(
            f"{self.name} has no answer to this {name} of {len(received.payload)} bytes: it was not asked when the "
            "transcript was recorded, or was left out of it; replay what was run then, or run it on a device"
        )


def exchanges(path: Path) -> list[Exchange]:
    """The requests of a transcript that were answered, each once, with their answers.

    Raises:
        InputError: The file is no transcript.
    """
    found = []
    for part in read_transcript(path):
        readers = {">": Reader(), "<": Reader()}
        asked: dict[tuple[int, int, int], Received] = {}
        for _, way, data in part:
            for received in readers[way].frames(data):
                if received is None or received.header.status == StatusCode.BAD_FRAME:
                    continue
                header = received.header
                key = (header.session, header.sequence, header.command)
                if way == ">":
                    asked[key] = received
                elif header.kind == KindCode.RESPONSE and key in asked:
                    found.append(Exchange(asked.pop(key), received))
    return found
