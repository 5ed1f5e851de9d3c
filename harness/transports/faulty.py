"""A bad cable: a transport that spoils the bytes of another as a plan of faults says, the same each time."""

import re
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum

from priot_hil.harness.frames import ENCODED_LIMIT
from priot_hil.reference.errors import InputError

from . import Transport

WHOLE = ENCODED_LIMIT + 2  # bytes: more than any frame on the wire has
PATIENCE = (
    20.0  # seconds for an answer that the device owes, however little the host would wait: its clock stands still
)


class Way(StrEnum):
    """Which direction."""

    TO_DEVICE = ">"
    TO_HOST = "<"


class FaultKind(StrEnum):
    """What happens to the bytes."""

    DROP = "drop"
    FLIP = "flip"  # one bit
    DUPLICATE = "duplicate"  # come on time, and late once more
    DELAY = "delay"  # come late only
    SPLIT = "split"  # what lies before, and the rest, arrive apart
    TRUNCATE = "truncate"  # are lost with all that follow them in the frame
    NOISE = "noise"  # others are put before them


@dataclass(frozen=True)
class Fault:
    """One fault of the line.

    Attributes:
        kind: What happens.
        way: In which direction.
        frame: To which frame, counted from 0 in its direction.
        begin: From which byte of the frame, counted around it where the frame is shorter.
        count: To how many bytes; to as many as there are where the frame ends before.
        late: DUPLICATE, DELAY: behind how many further frames of this direction the bytes come. 0: not before the host
            has stopped waiting, or has asked for more.
        bit: FLIP: which one, 0..7.
        noise: NOISE: the bytes.
    """

    kind: FaultKind
    way: Way
    frame: int
    begin: int = 0
    count: int = 1
    late: int = 0
    bit: int = 0
    noise: bytes = b""

    def __str__(self) -> str:
        """E.g. ``delay>12@0+40~2``, ``flip<3@5+1.7``, ``noise>1@0+1=00ff``; `parse_fault` reads it."""
        tail = {FaultKind.FLIP: f".{self.bit}", FaultKind.NOISE: f"={self.noise.hex()}"}.get(self.kind, "")
        late = f"~{self.late}" if self.late else ""
        return f"{self.kind}{self.way}{self.frame}@{self.begin}+{self.count}{late}{tail}"

    def spoil(self, frame: bytes) -> tuple[list[bytes], bytes]:
        """The pieces in which a frame goes on, and the bytes that come late."""
        begin = self.begin % max(1, len(frame))
        before, span, after = frame[:begin], frame[begin : begin + self.count], frame[begin + self.count :]
        match self.kind:
            case FaultKind.DROP:
                return [before + after], b""
            case FaultKind.FLIP:
                return [before + bytes([span[0] ^ 1 << self.bit]) + span[1:] + after if span else frame], b""
            case FaultKind.DUPLICATE:
                return [frame], span
            case FaultKind.DELAY:
                return [before + after], span
            case FaultKind.SPLIT:
                return [before, span + after], b""
            case FaultKind.TRUNCATE:
                return [before], b""
            case FaultKind.NOISE:
                return [before + self.noise + span + after], b""


FAULT = re.compile(r"([a-z]+)([<>])(\d+)@(\d+)\+(\d+)(?:~(\d+))?(?:\.([0-7]))?(?:=((?:[0-9a-f]{2})*))?")


def parse_fault(text: str) -> Fault:
    """Reads what a fault is printed as.

    Raises:
        InputError: It is none.
    """
    found = FAULT.fullmatch(text)
    if found is None or found[1] not in list(FaultKind):
        expected = f"KIND>FRAME@BYTE+COUNT or KIND<FRAME@BYTE+COUNT, a kind out of {', '.join(FaultKind)}"
        raise InputError.about("fault", expected=expected, got=repr(text), do="take the line as it was printed")
    frame, begin, count, late, bit = (int(found[i] or 0) for i in (3, 4, 5, 6, 7))
    return Fault(FaultKind(found[1]), Way(found[2]), frame, begin, count, late, bit, bytes.fromhex(found[8] or ""))


@dataclass
class Direction:
    """One direction: counts its frames and spoils those that the plan names."""

    faults: list[Fault] = field(default_factory=list)
    frames: int = 0
    met: list[Fault] = field(default_factory=list)
    late: list[tuple[int, bytes]] = field(default_factory=list)  # before which frame, what

    def pass_on(self, frame: bytes) -> list[bytes]:
        """What goes on in place of the next frame, in pieces: what was late until now, and what is left of it."""
        number, self.frames = self.frames, self.frames + 1
        due = [data for before, data in self.late if before <= number]
        self.late = [(before, data) for before, data in self.late if before > number]
        pieces = [frame]
        for fault in self.faults:
            if fault.frame == number:
                *kept, last = pieces
                spoilt, span = fault.spoil(last)
                pieces = kept + spoilt
                self.met.append(fault)
                if span:
                    self.late.append((number + 1 + fault.late, span))
        return [*due, *filter(None, pieces)]


class FaultyLine:
    """A transport with faults, for devices that answer every piece between two zero bytes, as the protocol asks.

    It counts what the device still has to answer. Where that is nothing, nothing more will come, and a deadline passes
    at once: what a real line takes seconds for is over in no time. Else its answer is waited for, so that the same plan
    ends the same way on a slow machine, and a device that never gives it is found out.

    Args:
        inner: The line to spoil.

    Attributes:
        silences: How often the device did not give an answer that it owed, since the plan.
        resets: How often it was reset since then.
    """

    def __init__(self, inner: Transport) -> None:
        self.inner = inner
        self.name = inner.name
        self.silences = self.resets = 0
        self._owed = 0
        self._is_open = False  # whether the device has a part of a frame
        self._arriving = bytearray()
        self._arrived: deque[bytes] = deque()
        self._ways = {way: Direction() for way in Way}

    def plan(self, faults: Iterable[Fault] = ()) -> None:
        """Begins to count frames anew, with these faults; what was late is lost."""
        faults = list(faults)
        self.silences = self.resets = 0
        self._arrived.clear()
        for way in Way:
            self._ways[way] = Direction([fault for fault in faults if fault.way == way])

    def add(self, faults: Iterable[Fault]) -> None:
        """Plans further faults, whose frames count from the next one of their direction."""
        for fault in faults:
            direction = self._ways[fault.way]
            direction.faults.append(replace(fault, frame=direction.frames + fault.frame))

    def deliver(self, deadline: float) -> None:
        """Ends all faults; what was late comes now, and what the device says to it is on its way to the host."""
        late = {way: sorted(direction.late, key=lambda item: item[0]) for way, direction in self._ways.items()}
        for way in Way:
            self._ways[way] = Direction()
        self._arrived.extend(data for _, data in late[Way.TO_HOST])
        for _, data in late[Way.TO_DEVICE]:
            self._send(data, deadline)

    def met(self) -> Counter[str]:
        """How many faults came about since the plan, by kind and direction, as ``drop>``."""
        return Counter(f"{fault.kind}{way}" for way, direction in self._ways.items() for fault in direction.met)

    def write(self, data: bytes, deadline: float) -> None:
        """Sends what the faults leave of a frame."""
        for piece in self._ways[Way.TO_DEVICE].pass_on(data):
            self._send(piece, deadline)

    def read(self, deadline: float) -> bytes:
        """What has come; nothing, at once, where the device has said all that it will."""
        while self._owed and not self._arrived:
            data = self.inner.read(max(deadline, time.monotonic() + PATIENCE))
            if not data:
                self.silences += 1
                self._owed = 0
            for frame in self._frames(data):
                self._owed -= self._owed > 0
                self._arrived.extend(self._ways[Way.TO_HOST].pass_on(frame))
        return self._arrived.popleft() if self._arrived else b""

    def reset(self) -> None:
        """Restarts the device."""
        self.resets += 1
        self._owed = 0
        self._is_open = False
        self._arriving.clear()
        self.inner.reset()

    def close(self) -> None:
        """Gives the device up."""
        self.inner.close()

    def _send(self, data: bytes, deadline: float) -> None:
        for byte in data:
            self._owed += byte == 0 and self._is_open
            self._is_open = byte != 0
        self.inner.write(data, deadline)

    def _frames(self, data: bytes) -> Iterator[bytes]:
        """The frames that end with these bytes, with their zero bytes."""
        self._arriving += data
        while self._arriving.strip(b"\0") and 0 in self._arriving.lstrip(b"\0"):
            begin = len(self._arriving) - len(self._arriving.lstrip(b"\0"))
            end = self._arriving.index(0, begin) + 1
            yield bytes(self._arriving[:end])
            del self._arriving[:end]
