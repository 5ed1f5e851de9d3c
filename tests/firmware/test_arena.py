"""An arena of exactly the bytes that a run needs: it trains as ever, and not a byte around the arena is touched."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from equivalence.cases import examples
from hypothesis import given, reject

from priot_hil.harness.compare import compare_state, compare_step
from priot_hil.harness.device import LibraryDevice
from priot_hil.harness.divergence import Mismatch
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.firmware import HostFirmware
from priot_hil.harness.strategies import TINY, Run, runs
from priot_hil.reference.errors import InputError
from priot_hil.reference.kinds import MethodKind
from priot_hil.reference.network import Linear, Network
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reference.run import Method, Model, State

MOST = 1 << 18
SLACK = 64
MARK = 0xA5

SMALLEST = {0: np.ones((2, 1), np.int8)}
SMALLEST_RUN = (
    Model(Network((1,), (Linear(1, 2),)), SMALLEST, {0: 0}),
    Method(MethodKind.NITI_DYNAMIC),
    State(SMALLEST, 1),
)
PIXEL = np.array([100], np.int8)


@pytest.fixture(scope="module")
def memory() -> npt.NDArray[np.uint8]:
    """Room for an arena with a margin before and behind."""
    return np.zeros((MOST + 2 * SLACK) // 8, np.uint64).view(np.uint8)


def opened(host: HostFirmware, memory: npt.NDArray[np.uint8], count: int) -> DeviceEngine:
    """The library with an arena of so many bytes, all around it marked."""
    memory[:] = MARK
    library: Path | None = host.library
    assert library is not None
    return DeviceEngine(LibraryDevice(library, arena=memory[SLACK : SLACK + count]))


def bytes_needed(host: HostFirmware, memory: npt.NDArray[np.uint8], run: Run) -> int:
    """By trying: an arena of one byte less does not take the run."""
    least, most = 0, MOST
    while most - least > 1:
        middle = (least + most) // 2
        try:
            opened(host, memory, middle).load(run.model, run.method, run.state)
            most = middle
        except InputError:
            least = middle
    return most


@examples(5)
@given(run=runs(sizes=TINY, steps=2))
def test_an_arena_of_the_exact_size(host: HostFirmware, memory: npt.NDArray[np.uint8], run: Run) -> None:
    """Every step is the reference's; before and behind the arena nothing has changed."""
    network, count = run.model.network, bytes_needed(host, memory, run)
    engine, reference = opened(host, memory, count), ReferenceEngine()
    assert engine.device.hello.arena_bytes == count
    for either in (engine, reference):
        either.load(run.model, run.method, run.state)
    for step, (image, label) in enumerate(zip(run.images, run.labels, strict=True)):
        divergence = compare_step(engine, reference, network, image, int(label), step)
        divergence = divergence or compare_state(engine, network, reference.state(), run.method.kind.learns_scores)
        if divergence is not None:
            raise Mismatch(divergence)
    assert (memory[:SLACK] == MARK).all(), "before the arena"
    assert (memory[SLACK + count :] == MARK).all(), "behind the arena"


@examples(3)
@given(run=runs(sizes=TINY, steps=1))
def test_a_byte_less_is_refused(host: HostFirmware, memory: npt.NDArray[np.uint8], run: Run) -> None:
    """In a sentence that has the size of the arena; the run that was there goes on as if nobody had asked."""
    count = bytes_needed(host, memory, run) - 1
    engine, reference = opened(host, memory, count), ReferenceEngine()
    try:
        engine.load(*SMALLEST_RUN)
    except InputError:
        reject()  # the run is no larger than that itself
    reference.load(*SMALLEST_RUN)
    for _ in range(2):
        got, expected = (either.train_step(PIXEL, 1) for either in (engine, reference))
        assert (got.prediction, got.shifts, got.crcs) == (expected.prediction, expected.shifts, expected.crcs)
        with pytest.raises(InputError, match=rf"refused load: .*the arena has {count} bytes; make the network smaller"):
            engine.load(run.model, run.method, run.state)
        assert engine.state_crc() == reference.state_crc()
    assert (memory[SLACK + count :] == MARK).all(), "behind the arena"
