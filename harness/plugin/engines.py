"""The engine of each device: open for the session, and on another board where its own was lost."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from priot_hil.harness.boards_on_ports import NoBoard, one_line
from priot_hil.harness.device import LinkDevice
from priot_hil.harness.device_kinds import DeviceOptions, OpenedEngine
from priot_hil.harness.devices import find_device, open_engine
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.errors import LinkLost
from priot_hil.reference.errors import InputError
from priot_hil.reference.reference_engine import ReferenceEngine

from .options import DEVICES_KEY, OPTIONS_KEY, worker_input
from .selection import device_of

STATIONS_KEY = pytest.StashKey[dict[str, "Station"]]()


@dataclass
class Station:
    """The place of one device name in this process: what is open there now.

    Attributes:
        name: As `--device` has it.
        options: How it is opened.
        engine: What is open; tests keep it while its device changes.
        is_lost: Whether the device has to be replaced before the next test.
        closed_for: Why nothing is opened any more.
    """

    name: str
    options: DeviceOptions
    engine: OpenedEngine | None = None
    is_lost: bool = False
    closed_for: str | None = None

    def open(self) -> OpenedEngine:
        """The engine, opened where it is not, and on another board where its own was lost.

        Raises:
            InputError, LinkLost: It cannot be had; the same from then on, without another try.
        """
        if self.closed_for is not None:
            raise NoBoard(self.closed_for)
        if self.engine is None or self.is_lost:
            try:
                opened = open_engine(self.name, self.options)
            except (InputError, LinkLost) as error:
                self.closed_for = one_line(error)
                raise
            if isinstance(self.engine, DeviceEngine) and isinstance(opened, DeviceEngine):
                self.engine.go_on_with(opened)
            else:
                self.engine = opened
            self.is_lost = False
        return self.engine

    def lose(self, test: str, cause: str) -> None:
        """Gives the device up; a board for the rest of the session."""
        kind = find_device(self.name)
        if self.engine is None or self.is_lost or kind is None:
            return
        if kind.boards and self.options.quarantine:
            self.options.quarantine.add(self.engine.name, f"{cause} (in {test})")
        self._close_device()
        self.is_lost = True

    def close(self) -> None:
        """Lets go of the device."""
        if not self.is_lost:
            self._close_device()
        self.engine = None
        self.is_lost = False

    def _close_device(self) -> None:
        close: Any = getattr(self.engine, "close", None)
        if close is not None:
            close()


def pytest_configure(config: pytest.Config) -> None:
    """A station for each name."""
    options = config.stash[OPTIONS_KEY]
    names: tuple[str, ...] = config.stash[DEVICES_KEY]
    config.stash[STATIONS_KEY] = {name: Station(name, options) for name in names}


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> Iterator[OpenedEngine]:
    """The engine of one device: training steps, epochs and single kernels. Every load starts it anew."""
    station = request.config.stash[STATIONS_KEY][request.param]
    opened = reason = None
    try:
        opened = station.open()
    except (InputError, LinkLost) as error:
        reason = one_line(error)
    if opened is None:
        if not worker_input(request.config):
            pytest.exit(f"error: {reason}", returncode=2)
        pytest.fail(str(reason), pytrace=False)
    yield opened
    station.close()


@pytest.fixture(scope="session")
def reference() -> ReferenceEngine:
    """The engine to believe."""
    return ReferenceEngine()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Brings another board where the last test lost its own; where there is none, says so and ends the test."""
    station = station_of(item)
    if station is None or station.engine is None:
        return  # the fixture opens it
    reason = None
    try:
        station.open()
    except (InputError, LinkLost) as error:
        reason = one_line(error)
    if reason is not None:  # outside, so that it stands for itself in the report
        pytest.fail(reason, pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Says what a test ran on, names the transcript of a failure, and gives up a device that was lost."""
    report = yield
    station = station_of(item)
    if station is None or station.engine is None or station.is_lost:
        return report
    if call.when == "setup":
        report.user_properties = item.user_properties = [*item.user_properties, *described(station.engine)]
    if report.failed and isinstance(device := getattr(station.engine, "device", None), LinkDevice):
        device.link.transcript.write()
        report.sections.append(("device", f"{station.engine.name}, transcript: {device.link.transcript.place}"))
    if call.excinfo is not None and call.excinfo.errisinstance(LinkLost):
        cause = one_line(call.excinfo.value)
        report.sections.append(("infrastructure", f"no verdict, the device was lost: {cause}"))
        item.user_properties.append(("infrastructure", cause))
        report.user_properties = [*item.user_properties]
        station.lose(item.nodeid, cause)
    return report


def described(engine: OpenedEngine) -> list[tuple[str, str]]:
    """What an engine runs on, as properties of a report: name, build, id and clock of the board."""
    found = [("board", engine.name)]
    if isinstance(engine, DeviceEngine):
        hello = engine.device.hello
        found += [
            ("build_id", hello.build_id.hex()),
            ("board_id", hello.unique_id.hex()),
            ("clock_hz", str(hello.clock_hz)),
        ]
    return found


def station_of(item: pytest.Item) -> Station | None:
    """The place of the device that a test runs on; None where it takes no engine."""
    device = device_of(item)
    return None if device is None else item.config.stash[STATIONS_KEY][device]
