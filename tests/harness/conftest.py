"""A small run of each method, and the devices whose own behaviour is tested, whatever `--device` says."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from priot_hil.harness.compare import compare_step
from priot_hil.harness.device import LibraryDevice, LinkDevice
from priot_hil.harness.devices import open_emulator, open_process
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.example import STEPS, example_run
from priot_hil.harness.firmware import build
from priot_hil.harness.protocol import DatasetRecord
from priot_hil.harness.strategies import Run
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reference.run import MethodKind

SMALL_ARENA = 1 << 20  # so that a little is too much for the library


@pytest.fixture(scope="session")
def make_run() -> Callable[[MethodKind], Run]:
    """Build a run with weights in layers 0 and 4, whose every step changes the state."""
    return example_run


def open_small_host(library: Path | None) -> DeviceEngine:
    """The library with a small arena."""
    library = library or build("host").library
    assert library is not None
    return DeviceEngine(LibraryDevice(library, SMALL_ARENA))


OPEN = {"process": open_process, "board": open_emulator}


def open_kind(request: pytest.FixtureRequest) -> DeviceEngine:
    """The kind that a fixture's parameter names."""
    form, _, path = request.config.getoption("--device").partition(":")
    library = Path(path) if form == "library" else None
    return open_small_host(library) if request.param == "host" else OPEN[request.param]()


@pytest.fixture(scope="session", params=["host", *OPEN])
def device_engine(request: pytest.FixtureRequest) -> Iterator[DeviceEngine]:
    """The engine without a link, behind one, and in the board's own image on the emulator.

    Without a link it is the library that `--device` names, where it names one.
    """
    opened = open_kind(request)
    yield opened
    opened.close()


@pytest.fixture(params=["host", *OPEN])
def fresh_engine(request: pytest.FixtureRequest) -> Iterator[DeviceEngine]:
    """The same, just started."""
    opened = open_kind(request)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def process_engine() -> Iterator[DeviceEngine]:
    """The engine as a process."""
    opened = open_process()
    yield opened
    opened.close()


@pytest.fixture
def flash(device_engine: DeviceEngine) -> Iterator[None]:
    """Leaves no transfer set behind."""
    yield
    device = device_engine.device
    if not isinstance(device, LinkDevice) or device.hello.dataset_bytes:
        device.put_dataset(b"\xff" * DatasetRecord.size())


class Watch:
    """An engine in the middle of a run, held against the reference.

    Args:
        engine: The engine to watch; it is loaded with the run and takes a step.
        run: The run.
    """

    def __init__(self, engine: DeviceEngine, run: Run) -> None:
        self.engine, self.run = engine, run
        self._reference = ReferenceEngine()
        self._step = 0
        for either in (engine, self._reference):
            either.load(run.model, run.method, run.state)
        self.expect_untouched()

    def expect_untouched(self) -> None:
        """The state is the reference's, and so are the next step and the state behind it."""
        engine, reference, run = self.engine, self._reference, self.run
        before = reference.state_crc()
        assert engine.state_crc() == before
        step, self._step = self._step, self._step + 1
        image, label = run.images[step % STEPS], int(run.labels[step % STEPS])
        assert compare_step(engine, reference, run.model.network, image, label, step) is None
        assert engine.state_crc() == reference.state_crc() != before


@pytest.fixture(scope="session")
def watch() -> type[Watch]:
    """How to hold an engine against the reference: ``watch(engine, run)``."""
    return Watch
