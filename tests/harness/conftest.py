"""A small run of each method, and the devices whose own behaviour is tested, whatever `--device` says."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from priot_hil.harness.compare import compare_step
from priot_hil.harness.device import LibraryDevice, LinkDevice
from priot_hil.harness.devices import open_emulator, open_engine, open_process
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.example import STEPS, example_run
from priot_hil.harness.firmware import build
from priot_hil.harness.plugin.options import DEVICES_KEY
from priot_hil.harness.plugin.selection import id_of
from priot_hil.harness.protocol import DatasetRecord
from priot_hil.harness.strategies import Run
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reference.run import MethodKind

SMALL_ARENA = 4 << 20  # so that a little is too much for the library, and a layer at the bound of its sums is not


@pytest.fixture(scope="session")
def make_run() -> Callable[[MethodKind], Run]:
    """Build a run with weights in layers 0 and 4, whose every step changes the state."""
    return example_run


def open_small_host(library: Path | None = None) -> DeviceEngine:
    """The library with a small arena."""
    library = library or build("host").library
    assert library is not None
    return DeviceEngine(LibraryDevice(library, SMALL_ARENA))


OPEN = {"host": open_small_host, "process": open_process, "board": open_emulator}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Gives the fixtures below the firmware that `--device` names by its files, in place of this build's."""
    chosen = {mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")}
    devices: tuple[str, ...] = metafunc.config.stash[DEVICES_KEY]
    files = [name for name in devices if name.partition(":")[0] in ("library", "image")]
    ids = [id_of(name) for name in files]
    for fixture, scope in {"device_engine": "session", "fresh_engine": "function"}.items():
        if fixture in metafunc.fixturenames and fixture not in chosen:
            metafunc.parametrize(fixture, files or OPEN, ids=ids or list(OPEN), indirect=True, scope=scope)


def open_kind(name: str) -> DeviceEngine:
    """One of OPEN, or firmware by its file; a library as small as the host's."""
    form, _, path = name.partition(":")
    if form == "library":
        return open_small_host(Path(path))
    opened = OPEN[name]() if name in OPEN else open_engine(name)
    assert isinstance(opened, DeviceEngine)
    return opened


@pytest.fixture(scope="session")
def device_engine(request: pytest.FixtureRequest) -> Iterator[DeviceEngine]:
    """The engine without a link, behind one, and in the board's own image on the emulator; or firmware by its file."""
    opened = open_kind(request.param)
    yield opened
    opened.close()


@pytest.fixture
def fresh_engine(request: pytest.FixtureRequest) -> Iterator[DeviceEngine]:
    """The same, just started."""
    opened = open_kind(request.param)
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
