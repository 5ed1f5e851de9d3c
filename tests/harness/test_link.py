"""The link: whatever is lost, damaged or late, a request gets its own answer, and no other."""

import time
import zlib
from collections import deque
from collections.abc import Callable

import pytest

from priot_hil.harness import link as link_module
from priot_hil.harness.errors import LinkLost, LostReason
from priot_hil.harness.frames import ENCODED_LIMIT, Received, cobs_encode, decode_frame
from priot_hil.harness.link import LAST_SEQUENCE, MARGIN, RESENDS, TRIES, Link
from priot_hil.harness.protocol import VERSION, CommandCode, Frame, HelloResponse, KindCode, StatusCode

Script = Callable[[Received], list[bytes]]
RIGHT = (StatusCode.OK, b"right")


class Scripted:
    """A device in memory: each request is answered by the next script, in the pieces that it returns."""

    name = "scripted"

    def __init__(self, *scripts: Script) -> None:
        self.scripts = deque(scripts)
        self.sent: list[bytes] = []
        self.requests: list[Received] = []
        self.incoming: deque[bytes] = deque()
        self.deadlines: list[float] = []

    def write(self, data: bytes, deadline: float) -> None:
        """Answer what is a whole request."""
        self.sent.append(data)
        self.deadlines.append(deadline)
        for piece in filter(None, data.split(b"\0")):
            request = decode_frame(piece)
            assert request is not None
            self.requests.append(request)
            if self.scripts:
                self.incoming.extend(self.scripts.popleft()(request))

    def read(self, deadline: float) -> bytes:
        """The next piece; nothing stands for a deadline that passed."""
        self.deadlines.append(deadline)
        return self.incoming.popleft() if self.incoming else b""

    def reset(self) -> None:
        """Nothing to restart."""

    def close(self) -> None:
        """Nothing to give up."""


def response(request: Received, payload: bytes = b"right", **changes: int) -> bytes:
    """An answer as a device sends it, right but for `changes` of its header."""
    header = request.header._replace(kind=KindCode.RESPONSE, length=len(payload))._replace(**changes)
    body = header.pack() + payload
    return b"\0" + cobs_encode(body + zlib.crc32(body).to_bytes(4, "little")) + b"\0"


def right(request: Received) -> list[bytes]:
    """The answer in one piece."""
    return [response(request)]


def silence(_: Received) -> list[bytes]:
    """A request or its answer was lost."""
    return []


def bad_frame(request: Received) -> bytes:
    """What the device says when something arrived that is no frame."""
    return response(request, b"", status=StatusCode.BAD_FRAME, sequence=0, command=0, session=0)


def damaged(request: Received) -> bytes:
    """An answer with one bit flipped."""
    answer = bytearray(response(request))
    answer[5] ^= 0x80
    return bytes(answer)


def hello_payload(previous: int = 0) -> bytes:
    """A device's answer to HELLO."""
    return HelloResponse(previous, 0, 4096, 0, 0, 1024, 0, 0, bytes(20), bytes(8), b"scripted".ljust(16, b"\0")).pack()


def hello(request: Received, wrong: int = 0) -> list[bytes]:
    """Answers in the session that it was given, or in one that differs in the bits of `wrong`."""
    return [response(request, hello_payload(), session=request.header.session ^ wrong)]


# What may arrive before the answer: it is passed over, and nothing is asked again.
BEFORE: dict[str, Callable[[Received], bytes]] = {
    "zeros": lambda _: bytes(9),
    "garbage": lambda _: b"\x11\x22\x33",
    "framed garbage": lambda _: b"\0\x11\x22\x33\0\x44\0",
    "endless garbage": lambda _: b"\7" * 3 * ENCODED_LIMIT,
    "damaged answer": damaged,
    "cut answer": lambda request: response(request)[:-4],
    "older answer": lambda request: response(request, b"old", sequence=request.header.sequence - 1),
    "newer answer": lambda request: response(request, b"new", sequence=request.header.sequence + 1),
    "answer of another session": lambda request: response(request, b"other", session=request.header.session ^ 1),
    "answer to another command": lambda request: response(request, b"other", command=CommandCode.PREDICT),
    "answer of another version": lambda request: response(request, b"other", version=VERSION + 1),
    "log": lambda request: response(request, b"hello", kind=KindCode.LOG),
    "echo": lambda request: response(request, b"", kind=KindCode.REQUEST),
    # Noise or a part of an earlier try came before the request: what was refused is not the request itself.
    "bad frame": bad_frame,
    "bad frames": lambda request: bad_frame(request) * 5,
}
# What may arrive instead of the answer: the request goes out once more.
INSTEAD: dict[str, Script] = {
    "nothing": silence,
    "a damaged answer": lambda request: [damaged(request)],
    "half an answer": lambda request: [response(request)[:9]],
    "bad frame": lambda request: [bad_frame(request)],
    # A zero byte that noise puts into a request makes two pieces of it, and each is refused.
    "bad frames at once": lambda request: [bad_frame(request) * 5],
    "bad frames one by one": lambda request: [bad_frame(request)] * 5,
}


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("one_by_one", [False, True], ids=["whole", "byte by byte"])
def test_the_answer_is_found(before: str, one_by_one: bool) -> None:
    """Status and payload are the answer's, whatever came before it and however it was cut."""

    def script(request: Received) -> list[bytes]:
        stream = BEFORE[before](request) + response(request)
        return [bytes([byte]) for byte in stream] if one_by_one else [stream]

    transport = Scripted(script, right)
    link = Link(transport)
    assert link.request(CommandCode.STATE, b"") == RIGHT
    assert len(transport.requests) == 1
    assert link.request(CommandCode.STATE, b"") == RIGHT


@pytest.mark.parametrize("instead", INSTEAD)
def test_a_request_is_sent_again_under_its_number(instead: str) -> None:
    """Once more, the same in every byte; the next request has the next number."""
    transport = Scripted(INSTEAD[instead], right, right)
    link = Link(transport)
    assert link.request(CommandCode.TRAIN_STEP, b"abc") == RIGHT
    first, again = transport.requests
    assert first == again
    assert first.payload == b"abc"
    assert link.request(CommandCode.STATE, b"") == RIGHT
    assert transport.requests[-1].header.sequence == first.header.sequence + 1


def test_the_second_answer_to_a_repeated_request_is_passed_over() -> None:
    """The first came too late for its try; the next request does not take it for its own."""
    late: list[bytes] = []

    def too_late(request: Received) -> list[bytes]:
        late.append(response(request, b"late"))
        return []

    transport = Scripted(too_late, right, lambda request: [late[0], response(request, b"own")])
    link = Link(transport)
    assert link.request(CommandCode.STATE, b"") == RIGHT
    assert link.request(CommandCode.STATE, b"") == (StatusCode.OK, b"own")


@pytest.mark.parametrize("status", [StatusCode.NOT_LOADED, StatusCode.BAD_FRAME, 200])
def test_a_status_is_an_answer(status: int) -> None:
    """A refusal is handed on and not asked again; so is one that this host does not know."""
    transport = Scripted(lambda request: [response(request, b"why", status=status)])
    assert Link(transport).request(CommandCode.STATE, b"") == (status, b"why")
    assert len(transport.requests) == 1


LOST: dict[str, tuple[Script, int, str, LostReason]] = {
    "silence": (silence, TRIES, r"^scripted did not answer train_step in 3 tries of 5 s$", LostReason.SILENCE),
    "bad frames": (
        lambda request: [bad_frame(request)],
        RESENDS + 1,
        rf"^scripted did not answer train_step: {RESENDS + 1} times something arrived damaged; look at the cable",
        LostReason.DAMAGE,
    ),
}


@pytest.mark.parametrize("name", LOST)
def test_a_link_is_lost_after_the_last_try(name: str) -> None:
    """The sentence names the device, the command and how long it was waited for, or that the line damages frames."""
    script, requests, sentence, reason = LOST[name]
    transport = Scripted(*[script] * 2 * RESENDS)
    with pytest.raises(LinkLost, match=sentence) as caught:
        Link(transport).request(CommandCode.TRAIN_STEP, b"abc", budget=3.0)
    assert len(transport.requests) == requests
    assert caught.value.reason == reason
    assert not isinstance(caught.value, Exception)


def test_damage_costs_no_try() -> None:
    """A device that works on a request while noise is refused is asked once more, and waited for as long as it may."""
    working: list[Script] = [lambda request: [bad_frame(request)], silence]
    transport = Scripted(*working * (TRIES - 1), lambda request: [bad_frame(request)], right)
    link = Link(transport)
    before = time.monotonic()
    assert link.request(CommandCode.TRAIN_STEP, b"abc", budget=100.0) == RIGHT
    took = time.monotonic() - before
    assert (link.retries, link.resends) == (TRIES - 1, TRIES)
    patient = [deadline for deadline in transport.deadlines if deadline - before >= 100.0 + MARGIN]
    assert len(patient) == 2 * len(transport.requests)  # each write, and the first read behind it
    assert max(transport.deadlines) - before <= 100.0 + MARGIN + took


class Blocked(Scripted):
    """A port that takes no bytes."""

    def write(self, data: bytes, deadline: float) -> None:
        """Until the deadline."""
        self.sent.append(data)
        raise LinkLost("scripted did not take the bytes")


def test_a_write_in_vain_ends_the_link() -> None:
    """How much of it arrived is unknown, so it is not written again."""
    transport = Blocked()
    with pytest.raises(LinkLost, match="did not take the bytes") as caught:
        Link(transport).request(CommandCode.STATE, b"")
    assert len(transport.sent) == 1
    assert caught.value.reason == LostReason.LINE


def test_no_number_is_given_twice_in_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the last one a new session begins, and goes on where the device still had the old one."""
    assert LAST_SEQUENCE == 0xFFFF
    last_sequence = 9
    monkeypatch.setattr(link_module, "LAST_SEQUENCE", last_sequence)
    sessions: list[int] = []

    def renewed(request: Received) -> list[bytes]:
        return [response(request, hello_payload(sessions[-1]), session=request.header.session)]

    def first(request: Received) -> list[bytes]:
        sessions.append(request.header.session)
        return hello(request)

    transport = Scripted(first, *[right] * last_sequence, renewed, right, right)
    link = Link(transport)
    link.hello()
    for _ in range(last_sequence + 2):
        assert link.request(CommandCode.STATE, b"") == RIGHT
    *_, last, renewal, one, two = (request.header for request in transport.requests)
    assert (last.sequence, renewal.sequence, one.sequence, two.sequence) == (last_sequence, 0, 1, 2)
    assert last.session == sessions[0] != renewal.session == one.session == two.session
    transport.scripts.extend([*[right] * (last_sequence - 2), hello])
    for _ in range(last_sequence - 2):
        link.request(CommandCode.STATE, b"")
    with pytest.raises(LinkLost, match="scripted has restarted before state, or another host has spoken to it"):
        link.request(CommandCode.STATE, b"")


def test_a_slow_line_gets_the_time_it_needs() -> None:
    """One deadline for a request and its answer: what their bytes take, and the command, on top of the margin."""
    transport = Scripted(right)
    before = time.monotonic()
    Link(transport, bytes_per_second=10.0).request(CommandCode.STATE, b"x" * 100, budget=7.0)
    took = time.monotonic() - before
    write, read = (deadline - before - MARGIN for deadline in transport.deadlines[:2])
    assert write == read
    # 12 + 100 + 4 bytes, and what COBS and delimiters add
    assert (116 + ENCODED_LIMIT) / 10 + 7 <= read <= (122 + ENCODED_LIMIT) / 10 + 7 + took


class Babbling(Scripted):
    """A device that sends noise for ever, as one with another rate of the line does."""

    def read(self, deadline: float) -> bytes:
        """A piece of it."""
        self.deadlines.append(deadline)
        return b"\x11\0\x22"


def test_noise_without_end_keeps_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that keep coming do not hold the host for ever."""
    monkeypatch.setattr(link_module, "MARGIN", 0.05)
    for ask in (Link.hello, lambda link: link.request(CommandCode.STATE, b"")):
        begin = time.monotonic()
        with pytest.raises(LinkLost):
            ask(Link(Babbling()))
        assert time.monotonic() - begin < 5


def test_hello_throws_stale_bytes_away() -> None:
    """Half a frame, and answers to the commands and to the HELLO of an earlier host."""
    transport = Scripted(hello, right)
    earlier = Received(Frame(VERSION, KindCode.REQUEST, 0, CommandCode.STATE, 0, 0, 7), b"")
    stale = response(earlier, hello_payload(1), command=CommandCode.HELLO)
    transport.incoming.extend([b"\x05\x22", response(earlier), stale, b"\x09"])
    link = Link(transport)
    assert link.hello() == hello_payload()
    assert len(transport.requests) == 1
    assert link.request(CommandCode.STATE, b"") == RIGHT


def test_hello_ends_what_was_half_sent() -> None:
    """Zero bytes come first, so that the device takes nothing of it for a part of this request."""
    transport = Scripted(hello)
    Link(transport).hello()
    assert b"".join(transport.sent).startswith(b"\0\0\0")


@pytest.mark.parametrize("wrong", [1, 0x10000, 0xFFFFFFFF])
def test_hello_insists_on_its_session(wrong: int) -> None:
    """An answer of another one is nobody's; each try names the same session, and the last tells how it ended."""
    transport = Scripted(*[lambda request: hello(request, wrong)] * 9)
    expected = rf"^scripted does not answer: expected a HELLO of protocol {VERSION}, .* in {TRIES} tries; check the dev"
    with pytest.raises(LinkLost, match=expected):
        Link(transport).hello()
    assert transport.requests == [transport.requests[0]] * TRIES
    assert transport.requests[0].header.session != 0


@pytest.mark.parametrize(
    "script",
    [
        silence,
        lambda request: hello(request, 1),
        lambda request: [damaged(request)],
        lambda request: [response(request, b"short")],
        lambda request: [response(request, hello_payload(), command=CommandCode.STATE)],
    ],
    ids=["silence", "another session", "damaged", "short", "another command"],
)
def test_hello_tries_again(script: Script) -> None:
    """The second try's answer counts, and is returned whole."""
    transport = Scripted(script, hello)
    assert Link(transport).hello() == hello_payload()
    assert len(transport.requests) == 2


def test_hello_tries_again_on_a_quiet_line() -> None:
    """What still comes after a try is drained before the next one goes out."""

    def noise(_: Received) -> list[bytes]:
        return [b"", b"\x11", b"\x22\0", b"\x33"]  # nothing before the deadline, then much

    def quiet(request: Received) -> list[bytes]:
        assert not transport.incoming
        return hello(request)

    transport = Scripted(noise, quiet)
    Link(transport).hello()
    assert len(transport.requests) == 2
