"""Transcripts: every byte between host and device, when it passed, and what it meant.

Recording keeps bytes in memory and is cheap; the text is made when a device is closed or lost. Of a long session the
beginning is kept, where the device says what it is, and the end, where something went wrong.
"""

import re
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from .byproducts import reason, say_not_kept
from .files import replace_file
from .frames import ENCODED_LIMIT, Received, decode_frame
from .protocol import CommandCode, KindCode, StatusCode
from .schema import Location, lines_of, read_bytes, shown
from .sessions import new_file, session_folder

Direction = Literal[">", "<"]
Entry = tuple[float, Direction, bytes]  # seconds, way, bytes

KEPT_ENTRIES = 1 << 14
KEPT_BYTES = 1 << 20
REWRITE_SECONDS = 5.0  # a failure that comes again and again is not written out each time
LINE = re.compile(rb"(\d+\.\d+) ([<>]) ((?:[0-9a-f]{2})+)")
GAP = b"..."


class Transcript:
    """What passed between the host and one device.

    Args:
        name: What the device is called.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._begun = time.time()
        self._clock = time.monotonic()
        self._head: list[Entry] = []
        self._entries: deque[Entry] = deque(maxlen=KEPT_ENTRIES)
        self._path: Path | None = None
        self._tried: float | None = None
        self._why_not: str | None = None

    def sent(self, data: bytes) -> None:
        """Keeps bytes that the host is about to write."""
        self._entries.append((time.monotonic(), ">", data))

    def received(self, data: bytes) -> None:
        """Keeps bytes that have come."""
        self._entries.append((time.monotonic(), "<", data))

    def keep_head(self) -> None:
        """Keeps what has passed so far, whatever follows; only the first call counts."""
        self._head = self._head or list(self._entries)

    def name_in(self, error: BaseException) -> None:
        """Writes the transcript and names its file in a note of the error, once."""
        if self._tried is None or time.monotonic() - self._tried > REWRITE_SECONDS:
            self.write()
        note = f"transcript: {self.place}"
        if note not in getattr(error, "__notes__", ()):
            error.add_note(note)

    def write(self) -> Path | None:
        """Writes all that is kept to the transcript's file in this session's folder.

        Returns:
            Its path; None where it could not be written, which is said once for all transcripts.
        """
        self._tried = time.monotonic()
        try:
            path = self._path or new_file(self.name, ".log")
            try:
                replace_file(path, "".join(line + "\n" for line in self._lines()))
            except OSError:
                if self._path is None:
                    path.unlink(missing_ok=True)  # it is still empty
                raise
        except OSError as error:
            self._why_not = reason(error)
            say_not_kept("transcripts", session_folder().parent, error)
            return None
        self._path, self._why_not = path, None
        return path

    @property
    def place(self) -> str:
        """Where the transcript is, for people, or why there is none."""
        if self._why_not is None:
            return str(self._path)
        return f"none ({self._why_not})" if self._path is None else f"{self._path}, without its end ({self._why_not})"

    def _lines(self) -> Iterator[str]:
        begun = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(self._begun))
        name = self.name if self.name.isprintable() else ascii(self.name)
        yield f"# {name}, from {begun}: seconds since then, > to the device or < from it, bytes in hexadecimal"
        tail, size = deque[Entry](), 0
        for entry in reversed(self._entries):
            size += len(entry[2])
            if size > KEPT_BYTES:
                break
            tail.appendleft(entry)
        if self._head and tail[0] is not self._head[0]:
            yield from _text(self._head, self._clock)
            yield f"{GAP.decode()} some of what followed is left out here"
        yield from _text(tail, self._clock)


@dataclass
class Reader:
    """Frames out of one direction's bytes."""

    pending: bytearray = field(default_factory=bytearray)

    def frames(self, data: bytes) -> Iterator[Received | None]:
        """The frames that end with these bytes; None for each piece that is no whole frame."""
        self.pending += data
        *pieces, rest = bytes(self.pending).split(b"\0")
        self.pending = bytearray(rest if len(rest) <= ENCODED_LIMIT else b"")
        for piece in filter(None, pieces):
            yield decode_frame(piece)


def read_transcript(path: Path) -> list[list[Entry]]:
    """Reads a transcript: its entries, in parts between which some were left out.

    Raises:
        InputError: The file is missing, or a line is not one of a transcript.
    """
    place = Location(f"{path}", "a transcript", "name a file below sessions/, as it was written")
    parts: list[list[Entry]] = [[]]
    for at, line in lines_of(read_bytes(path, place), place):
        if line.startswith(GAP):
            parts.append([])
        elif not line.startswith(b"#"):
            found = LINE.fullmatch(line)
            if found is None:
                raise at.refusal(
                    expected="`SECONDS > BYTES` or `SECONDS < BYTES`", got=shown(line.decode(errors="replace"))
                )
            way: Direction = ">" if found[2] == b">" else "<"
            parts[-1].append((float(found[1]), way, bytes.fromhex(found[3].decode())))
    return parts


def _text(entries: Iterable[Entry], begun: float) -> Iterator[str]:
    readers = {">": Reader(), "<": Reader()}
    for seconds, way, data in entries:
        yield f"{seconds - begun:.6f} {way} {data.hex()}"
        for received in readers[way].frames(data):
            yield f"#   {way} {_named(received)}"


def _named(received: Received | None) -> str:
    """A frame for people."""
    if received is None:
        return "no whole frame"
    header, payload = received.header, received.payload
    if header.kind == KindCode.LOG:
        return f"log: {payload.decode(errors='replace')!r}"
    command = next((code.name.lower() for code in CommandCode if code == header.command), f"command {header.command}")
    what = f"{command} {header.sequence}" + (f" session {header.session:08x}" if command == "hello" else "")
    if header.kind == KindCode.RESPONSE:
        status = next((code.name.lower() for code in StatusCode if code == header.status), str(header.status))
        what += f" {status}"
    return f"{what}, {len(payload)} bytes"
