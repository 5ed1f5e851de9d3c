"""Retries over the real device process: a line that loses, damages and doubles frames changes no result."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from priot_hil.harness.compare import compare_step
from priot_hil.harness.device import LinkDevice
from priot_hil.harness.devices import open_process
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.errors import LinkLost
from priot_hil.harness.frames import cobs_decode
from priot_hil.harness.link import TRIES
from priot_hil.harness.protocol import CommandCode, Frame
from priot_hil.harness.strategies import Run
from priot_hil.harness.transports import Transport
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reference.run import MethodKind

MakeRun = Callable[[MethodKind], Run]


def flipped(data: bytes) -> bytes:
    """One bit of a frame's inside flipped, so that no zero byte comes or goes."""
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ (2 if data[at] == 1 else 1)]) + data[at + 1 :]


# What happens to a request on its way.
TO_DEVICE: dict[str, Callable[[bytes], bytes]] = {
    "request lost": lambda _: b"",
    "request damaged": flipped,
    "request torn": lambda data: data[:7] + bytes(9) + data[9:],
    "request cut": lambda data: data[:-5],
    "request doubled": lambda data: data * 2,
    "request after noise": lambda data: b"\x11\x22\0\x33" + data,
}
# What happens to an answer.
TO_HOST: dict[str, Callable[[bytes], bytes]] = {
    "answer lost": lambda _: b"",
    "answer damaged": flipped,
    "answer cut": lambda data: data[:-5],
    "answer doubled": lambda data: data * 2,
    "answer after noise": lambda data: b"\x11\x22\0\x33" + data,
}
MISHAPS = [*TO_DEVICE, *TO_HOST]
# Those that cost a try; with the others the first try succeeds.
COSTLY = {name for name in MISHAPS if not name.endswith(("doubled", "after noise"))}


class BadLine:
    """A transport with mishaps: each request of the command takes the next one, until none is left.

    Args:
        inner: The line to spoil.
        command: What the mishaps wait for.
    """

    def __init__(self, inner: Transport, command: CommandCode) -> None:
        self.inner = inner
        self.name = inner.name
        self.mishaps: deque[str] = deque()
        self.sent: list[int] = []  # sequence numbers of the command's requests
        self._command = command
        self._mishap = ""

    def write(self, data: bytes, deadline: float) -> None:
        """Send a request, or what the mishap leaves of it."""
        body = cobs_decode(data.strip(b"\0"))
        self._mishap = ""
        if body and Frame.unpack(body).command == self._command:
            self.sent.append(Frame.unpack(body).sequence)
            self._mishap = self.mishaps.popleft() if self.mishaps else ""
        self.inner.write(TO_DEVICE.get(self._mishap, bytes)(data), deadline)

    def read(self, deadline: float) -> bytes:
        """The answer, or what the mishap leaves of it; where none will come, the deadline passes at once."""
        if self._mishap in ("request lost", "request cut"):
            return b""
        data = self.inner.read(deadline)
        if self._mishap not in TO_HOST:
            return data
        change, self._mishap = TO_HOST[self._mishap], "request lost"  # nothing more comes unasked
        return change(data)

    def reset(self) -> None:
        """Restart the device."""
        self.inner.reset()

    def close(self) -> None:
        """Give the device up."""
        self.inner.close()


@pytest.fixture(scope="module")
def engine_and_line() -> Iterator[tuple[DeviceEngine, BadLine]]:
    """The device process behind a line whose training steps meet mishaps."""
    engine = open_process()
    assert isinstance(engine.device, LinkDevice)
    link = engine.device.link
    link.transport = line = BadLine(link.transport, CommandCode.TRAIN_STEP)
    yield engine, line
    engine.close()


def train(engine: DeviceEngine, line: BadLine, run: Run, mishaps: list[list[str]]) -> None:
    """Train with the mishaps of each step; every tensor and the last state are the undisturbed reference's."""
    reference = ReferenceEngine()
    for either in (engine, reference):
        either.load(run.model, run.method, run.state)
    line.sent.clear()
    for step, met in enumerate(mishaps):
        line.mishaps.extend(met)
        before = reference.state_crc()
        image, label = run.images[step], int(run.labels[step])
        assert compare_step(engine, reference, run.model.network, image, label, step) is None
        assert engine.state_crc() == reference.state_crc() != before
        line.mishaps.clear()


@pytest.mark.parametrize("kind", MethodKind)
@pytest.mark.parametrize("mishap", MISHAPS)
def test_a_step_is_applied_once(
    engine_and_line: tuple[DeviceEngine, BadLine], make_run: MakeRun, kind: MethodKind, mishap: str
) -> None:
    """One mishap: the step is asked for again under the same number where it cost the answer, and never runs twice."""
    engine, line = engine_and_line
    train(engine, line, make_run(kind), [[], [mishap], []])
    first, second, *again, third = line.sent
    assert again == [second] * (mishap in COSTLY)
    assert len({first, second, third}) == 3


@given(
    kind=st.sampled_from(list(MethodKind)),
    mishaps=st.lists(st.lists(st.sampled_from(MISHAPS), max_size=TRIES - 1), min_size=3, max_size=6),
)
def test_any_mishaps_change_nothing(
    engine_and_line: tuple[DeviceEngine, BadLine], make_run: MakeRun, kind: MethodKind, mishaps: list[list[str]]
) -> None:
    """Up to one try fewer than there are, in any step, in any order."""
    train(*engine_and_line, make_run(kind), mishaps)


def test_a_lost_link_leaves_a_device_that_can_be_used(
    engine_and_line: tuple[DeviceEngine, BadLine], make_run: MakeRun
) -> None:
    """Every answer lost: the step ran once, nobody knows, and the link says so; the next load starts anew."""
    engine, line = engine_and_line
    run = make_run(MethodKind.PRIOT)
    train(engine, line, run, [[]])
    line.mishaps.extend(["answer lost"] * TRIES)
    with pytest.raises(
        LinkLost, match=r"^process:priot-host did not answer train_step in 3 tries of 4 s\ntranscript: .*\.log$"
    ):
        engine.train_step(run.images[1], int(run.labels[1]))
    assert line.sent == [line.sent[0]] + [line.sent[1]] * TRIES
    undisturbed = ReferenceEngine()
    undisturbed.load(run.model, run.method, run.state)
    for step in range(2):
        undisturbed.train_step(run.images[step], int(run.labels[step]))
    assert engine.state_crc() == undisturbed.state_crc()
    train(engine, line, replace_seed(run), [[]] * 3)


def replace_seed(run: Run) -> Run:
    """The same run from another state of the generator."""
    return run._replace(state=replace(run.state, rng=12345))
