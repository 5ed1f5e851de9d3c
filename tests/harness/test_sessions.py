"""Sessions on the device: what is doubled, delayed or another host's runs nothing; a restart is told."""

import time
from collections.abc import Callable, Iterator

import pytest

from priot_hil.harness.device import LinkDevice
from priot_hil.harness.devices import open_process
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.errors import DeviceRestarted, LinkLost
from priot_hil.harness.frames import Received, decode_frame, encode_request
from priot_hil.harness.link import Link
from priot_hil.harness.protocol import CommandCode, HelloResponse, ResetRequest, RestartCode, StatusCode
from priot_hil.harness.strategies import Run
from priot_hil.harness.transports import Transport
from priot_hil.reference.run import MethodKind

MakeRun = Callable[[MethodKind], Run]
ASK = CommandCode.STATE  # on a device without a model: not_loaded, so that a request which ran is told from others
RAN = StatusCode.NOT_LOADED


class Host:
    """Speaks frames as it likes, without a link's care."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def ask(self, session: int, sequence: int, command: CommandCode = ASK) -> Received:
        """Send one request and return what it was answered."""
        self._transport.write(encode_request(session, sequence, command, b""), time.monotonic() + 2)
        stream = b""
        while stream.count(0) < 2:
            stream += self._transport.read(time.monotonic() + 2)
        received = decode_frame(stream.strip(b"\0"))
        assert received is not None
        assert (received.header.session, received.header.sequence, received.header.command) == (
            session,
            sequence,
            command,
        )
        return received

    def status(self, session: int, sequence: int, command: CommandCode = ASK) -> int:
        """The status of the answer."""
        return self.ask(session, sequence, command).header.status

    def hello(self, session: int, sequence: int = 0) -> HelloResponse:
        """Start a session."""
        received = self.ask(session, sequence, CommandCode.HELLO)
        assert received.header.status == StatusCode.OK
        return HelloResponse.unpack(received.payload)


class Deaf:
    """A line to a device that hangs: nothing is heard of it, until its reset or for ever."""

    def __init__(self, inner: Transport, wakes: bool) -> None:
        self.inner = inner
        self.name = inner.name
        self._wakes = wakes
        self._is_deaf = True

    def write(self, data: bytes, deadline: float) -> None:
        """Into nothing."""
        if not self._is_deaf:
            self.inner.write(data, deadline)

    def read(self, deadline: float) -> bytes:
        """No wait for what will not come."""
        return b"" if self._is_deaf else self.inner.read(deadline)

    def reset(self) -> None:
        """Restart the device."""
        self.inner.reset()
        self._is_deaf = not self._wakes

    def close(self) -> None:
        """Give the device up."""
        self.inner.close()


@pytest.fixture
def process() -> Iterator[DeviceEngine]:
    """A device process of its own for each test."""
    opened = open_process()
    yield opened
    opened.close()


def link_of(engine: DeviceEngine) -> Link:
    """The link of a device process."""
    assert isinstance(engine.device, LinkDevice)
    return engine.device.link


@pytest.fixture
def host(process: DeviceEngine) -> Host:
    """A host at a device that has just started."""
    link_of(process).transport.reset()
    return Host(link_of(process).transport)


def test_nothing_runs_before_a_session(host: Host) -> None:
    """Session 0 is no session, even where it is the device's own."""
    for session in (0, 5):
        for sequence in (0, 1, 0xFFFF):
            assert host.status(session, sequence) == StatusCode.STALE_SESSION


def test_only_the_next_request_runs(host: Host) -> None:
    """The last one is answered again, and every other refused."""
    host.hello(5, 0xFFFE)
    assert host.status(5, 0xFFFE) == StatusCode.OUT_OF_SEQUENCE  # the HELLO's own number
    assert host.status(5, 0xFFFF) == RAN
    assert host.status(5, 0) == RAN
    assert host.status(5, 0) == RAN
    for sequence in (0xFFFF, 2, 3, 0x8000):
        assert host.status(5, sequence) == StatusCode.OUT_OF_SEQUENCE
    assert host.status(5, 1) == RAN


def test_a_late_hello_changes_nothing(host: Host) -> None:
    """Doubled or delayed, it does not open the way for requests that have run already."""
    host.hello(5)
    assert host.status(5, 1) == RAN
    assert host.status(5, 2) == RAN
    host.hello(5)
    assert host.status(5, 1) == StatusCode.OUT_OF_SEQUENCE
    assert host.status(5, 2) == RAN
    assert host.status(5, 3) == RAN


def test_a_new_session_ends_the_old_one(host: Host) -> None:
    """HELLO names the session before it; what is left of that one's requests is refused."""
    assert host.hello(5).previous == 0
    assert host.status(5, 1) == RAN
    assert host.hello(6).previous == 5
    assert host.hello(6).previous == 5
    for sequence in (0, 1, 2):
        assert host.status(5, sequence) == StatusCode.STALE_SESSION
    assert host.status(6, 1) == RAN


def test_a_late_hello_of_the_session_before_changes_nothing(host: Host) -> None:
    """Nor do the requests that follow it, as late as it is."""
    host.hello(5)
    host.hello(6)
    assert host.status(6, 1) == RAN
    host.hello(5)
    assert host.status(5, 1) == StatusCode.STALE_SESSION
    assert host.status(6, 2) == RAN


def test_session_0_only_asks(host: Host) -> None:
    """Who looks for devices disturbs nobody."""
    host.hello(5)
    assert host.status(5, 1) == RAN
    assert host.hello(0, 77).name.startswith(b"host")
    assert host.status(5, 2) == RAN


def test_another_host_is_told(process: DeviceEngine, make_run: MakeRun) -> None:
    """The first host's step does not run; it learns why, and may load again."""
    run = make_run(MethodKind.PRIOT)
    process.load(run.model, run.method, run.state)
    before = process.state_crc()
    other = Link(link_of(process).transport)
    other.hello()
    with pytest.raises(LinkLost, match=r"did not run write \(stale_session\): another host has spoken to it since"):
        process.train_step(run.images[0], int(run.labels[0]))
    assert process.state_crc() == before


def test_a_restart_is_told(process: DeviceEngine, make_run: MakeRun) -> None:
    """The model is gone, and nothing pretends otherwise."""
    run = make_run(MethodKind.PRIOT)
    process.load(run.model, run.method, run.state)
    link_of(process).transport.reset()
    with pytest.raises(DeviceRestarted, match=r"has restarted before or during state \(cause: power on\)"):
        process.state_crc()
    process.load(run.model, run.method, run.state)
    process.device.command(CommandCode.RESET, ResetRequest(RestartCode.FIRMWARE).pack())
    assert process.device.hello.reset_cause == 1
    process.load(run.model, run.method, run.state)


def test_a_device_that_hangs_is_reset(process: DeviceEngine, make_run: MakeRun) -> None:
    """A new session is not to be had, a reset brings it back, and the next load trains."""
    run = make_run(MethodKind.PRIOT)
    process.load(run.model, run.method, run.state)
    expected = process.state_crc()
    link = link_of(process)
    link.transport = Deaf(link.transport, wakes=True)
    with pytest.raises(LinkLost, match=r"did not answer state .*; it answers again after a reset: load the run again"):
        process.state_crc()
    process.load(run.model, run.method, run.state)
    assert process.state_crc() == expected


def test_a_device_that_stays_silent_asks_for_a_hand(process: DeviceEngine) -> None:
    """What was asked, what was tried, and what a person can do."""
    link = link_of(process)
    link.transport = Deaf(link.transport, wakes=False)
    said = (
        r"did not answer state .*; neither a new session nor a reset brings an answer: press its button or .* `invoke"
    )
    with pytest.raises(LinkLost, match=said):
        process.device.command(CommandCode.STATE)
