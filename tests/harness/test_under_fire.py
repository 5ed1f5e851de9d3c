"""The link on a bad line: whatever that does, a result is exact, or the link is lost with a reason."""

import time
from collections.abc import Iterator

import pytest
from hypothesis import Phase, given

from priot_hil.harness.chaos import MOST_FAULTS, drawn
from priot_hil.harness.firmware import build
from priot_hil.harness.frames import Received, encode_frame, encode_request
from priot_hil.harness.link import Link
from priot_hil.harness.protocol import VERSION, CommandCode, Frame, KindCode, StatusCode
from priot_hil.harness.transcript import Reader
from priot_hil.harness.transports import Transport
from priot_hil.harness.transports.faulty import FaultKind, Way
from priot_hil.harness.transports.process import ProcessTransport
from priot_hil.harness.under_fire import Case, DeviceUnderFire, WrongResult, cases


@pytest.fixture(scope="module")
def process() -> Iterator[DeviceUnderFire]:
    """The C engine as a process behind frames."""
    firmware = build("host")
    device = DeviceUnderFire(ProcessTransport(firmware.process), {firmware.build_id: firmware.process})
    yield device
    device.close()


@given(case=cases(MOST_FAULTS))
def test_exact_or_lost(process: DeviceUnderFire, case: Case) -> None:
    """Up to ten faults of any kind, anywhere."""
    process.endure(case)


class ProtocolOne:
    """A device of the first protocol around one of this: any other number than the last one's runs, in any session.

    Args:
        inner: The device of this protocol; what is run, it runs.
    """

    def __init__(self, inner: Transport) -> None:
        self.name = inner.name
        self._inner = inner
        self._reader = Reader()
        self._answers = bytearray()
        self._last: tuple[int, bytes] | None = None  # sequence and answer
        self._sequence = 0
        self._begin()

    def write(self, data: bytes, deadline: float) -> None:
        """Run what is not the last request again."""
        for request in self._reader.frames(data):
            if request is None:
                nobody = Frame(VERSION, KindCode.RESPONSE, 0, 0, StatusCode.BAD_FRAME, 0, 0)
                self._answers += encode_frame(nobody, b"")
            elif request.header.command == CommandCode.HELLO:
                self._last = None
                answer = self._ask(CommandCode.HELLO, b"", 0)
                self._answers += encode_frame(answer.header._replace(session=request.header.session), answer.payload)
            else:
                self._answers += self._run(request)

    def read(self, deadline: float) -> bytes:
        """All answers so far."""
        data, self._answers = bytes(self._answers), bytearray()
        return data

    def reset(self) -> None:
        """Restart."""
        self._inner.reset()
        self._begin()

    def close(self) -> None:
        """Give up."""
        self._inner.close()

    def _begin(self) -> None:
        self._reader, self._last, self._sequence = Reader(), None, 0
        self._ask(CommandCode.HELLO, b"", 0)

    def _run(self, request: Received) -> bytes:
        asked = request.header
        if self._last is None or self._last[0] != asked.sequence:
            self._sequence += 1
            answer = self._ask(asked.command, request.payload, self._sequence)
            told = answer.header._replace(session=asked.session, sequence=asked.sequence)
            self._last = asked.sequence, encode_frame(told, answer.payload)
        return self._last[1]

    def _ask(self, command: int, payload: bytes, sequence: int) -> Received:
        self._inner.write(encode_request(9, sequence, command, payload), time.monotonic() + 5)
        answers = Reader()
        while True:
            for answer in answers.frames(self._inner.read(time.monotonic() + 5)):
                assert answer is not None
                return answer


def test_a_device_that_runs_any_number_is_found_out() -> None:
    """With it a step that comes late runs twice: the property can fail."""
    firmware = build("host")
    device = DeviceUnderFire(ProtocolOne(ProcessTransport(firmware.process)), {firmware.build_id: firmware.process})
    found: list[Case] = []

    def search(case: Case) -> None:
        try:
            device.endure(case)
        except WrongResult:
            found.append(case)
            raise

    with pytest.raises(WrongResult, match=r"^state: expected|^step \d|NOT_LOADED|not_loaded"):
        drawn(search, MOST_FAULTS, 5, 2000, Phase.generate)
    device.close()
    late = (FaultKind.DUPLICATE, FaultKind.DELAY)
    assert any(fault.kind in late and fault.way is Way.TO_DEVICE for fault in found[0].plan)


@pytest.mark.slow
def test_a_host_that_takes_any_answer_is_found_out(process: DeviceUnderFire, monkeypatch: pytest.MonkeyPatch) -> None:
    """A late answer is then taken for another request's."""
    monkeypatch.setattr(Link, "_is_answer", lambda _, received, command: received.header.command == command)

    with pytest.raises(WrongResult, match=r"expected|fewer than the link's tries, and yet"):
        drawn(process.endure, MOST_FAULTS, 5, 2000, Phase.generate)
