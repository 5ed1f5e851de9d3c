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
from priot_hil.harness.frames import decode_frame
from priot_hil.harness.link import TRIES
from priot_hil.harness.protocol import CommandCode
from priot_hil.harness.strategies import Run
from priot_hil.harness.transports import Transport
from priot_hil.harness.transports.faulty import WHOLE, Fault, FaultKind, FaultyLine, Way
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reference.run import MethodKind

MakeRun = Callable[[MethodKind], Run]


# What happens to a training step's request (>) or to its answer (<), in its first frame.
MISHAPS = {
    "request lost": Fault(FaultKind.DROP, Way.TO_DEVICE, 0, count=WHOLE),
    "request damaged": Fault(FaultKind.FLIP, Way.TO_DEVICE, 0, begin=9, bit=1),
    "request torn": Fault(FaultKind.NOISE, Way.TO_DEVICE, 0, begin=7, noise=bytes(9)),
    "request cut": Fault(FaultKind.TRUNCATE, Way.TO_DEVICE, 0, begin=12),
    "request doubled": Fault(FaultKind.DUPLICATE, Way.TO_DEVICE, 0, count=WHOLE),
    "request doubled, late": Fault(FaultKind.DUPLICATE, Way.TO_DEVICE, 0, count=WHOLE, late=1),
    "request late": Fault(FaultKind.DELAY, Way.TO_DEVICE, 0, count=WHOLE, late=1),
    "request in pieces": Fault(FaultKind.SPLIT, Way.TO_DEVICE, 0, begin=12),
    "request after noise": Fault(FaultKind.NOISE, Way.TO_DEVICE, 0, noise=b"\x11\x22\0\x33"),
    "answer lost": Fault(FaultKind.DROP, Way.TO_HOST, 0, count=WHOLE),
    "answer damaged": Fault(FaultKind.FLIP, Way.TO_HOST, 0, begin=9, bit=1),
    "answer cut": Fault(FaultKind.TRUNCATE, Way.TO_HOST, 0, begin=12),
    "answer doubled": Fault(FaultKind.DUPLICATE, Way.TO_HOST, 0, count=WHOLE),
    "answer late": Fault(FaultKind.DELAY, Way.TO_HOST, 0, count=WHOLE, late=1),
    "answer in pieces": Fault(FaultKind.SPLIT, Way.TO_HOST, 0, begin=12),
    "answer after noise": Fault(FaultKind.NOISE, Way.TO_HOST, 0, noise=b"\x11\x22\0\x33"),
}
# With these the first request that goes out is answered.
HARMLESS = {name for name in MISHAPS if name.endswith(("doubled", "doubled, late", "in pieces", "after noise"))}


class StepLine(FaultyLine):
    """A faulty line whose next mishap waits for a training step's request; one follows another until none is left.

    Args:
        inner: The line to spoil.
    """

    def __init__(self, inner: Transport) -> None:
        super().__init__(inner)
        self.mishaps: deque[str] = deque()
        self.sent: list[int] = []  # sequence numbers of the steps' requests

    def write(self, data: bytes, deadline: float) -> None:
        """Send a request, or what the mishap leaves of it."""
        received = decode_frame(data.strip(b"\0"))
        if received is not None and received.header.command == CommandCode.TRAIN_STEP:
            self.sent.append(received.header.sequence)
            self.add([MISHAPS[self.mishaps.popleft()]] if self.mishaps else [])
        super().write(data, deadline)


@pytest.fixture(scope="module")
def engine_and_line() -> Iterator[tuple[DeviceEngine, StepLine]]:
    """The device process behind a line whose training steps meet mishaps."""
    engine = open_process()
    assert isinstance(engine.device, LinkDevice)
    link = engine.device.link
    link.transport = line = StepLine(link.transport)
    yield engine, line
    engine.close()


def train(engine: DeviceEngine, line: StepLine, run: Run, mishaps: list[list[str]]) -> None:
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
    engine_and_line: tuple[DeviceEngine, StepLine], make_run: MakeRun, kind: MethodKind, mishap: str
) -> None:
    """One mishap: the step is asked for again under the same number where it cost the answer, and never runs twice."""
    engine, line = engine_and_line
    train(engine, line, make_run(kind), [[], [mishap], []])
    first, second, *again, third = line.sent
    assert again == [second] * (mishap not in HARMLESS)
    assert len({first, second, third}) == 3


@given(
    kind=st.sampled_from(list(MethodKind)),
    mishaps=st.lists(st.lists(st.sampled_from(list(MISHAPS)), max_size=TRIES - 1), min_size=3, max_size=6),
)
def test_any_mishaps_change_nothing(
    engine_and_line: tuple[DeviceEngine, StepLine], make_run: MakeRun, kind: MethodKind, mishaps: list[list[str]]
) -> None:
    """Up to one try fewer than there are, in any step, in any order."""
    train(*engine_and_line, make_run(kind), mishaps)


def test_a_lost_link_leaves_a_device_that_can_be_used(
    engine_and_line: tuple[DeviceEngine, StepLine], make_run: MakeRun
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


def test_a_request_that_never_arrived_was_not_run(
    engine_and_line: tuple[DeviceEngine, StepLine], make_run: MakeRun
) -> None:
    """Every request lost: the link says so, and the next command finds the device as it was."""
    engine, line = engine_and_line
    run = make_run(MethodKind.PRIOT)
    train(engine, line, run, [[]])
    before = engine.state_crc()
    line.mishaps.extend(["request lost"] * TRIES)
    with pytest.raises(LinkLost, match="did not answer train_step"):
        engine.train_step(run.images[1], int(run.labels[1]))
    assert engine.state_crc() == before


def replace_seed(run: Run) -> Run:
    """The same run from another state of the generator."""
    return run._replace(state=replace(run.state, rng=12345))
