"""pytest on devices: `--device` names them, and each test that takes an engine runs once on each."""

from collections.abc import Iterator
from typing import Any

import pytest

from priot_hil.reference.errors import InputError
from priot_hil.reference.reference_engine import ReferenceEngine

from .devices import DEVICES, open_engine, parse_devices
from .engines import DeviceEngine
from .errors import LinkLost

DEFAULT_DEVICE = "emulator"
DEVICES_KEY = pytest.StashKey[tuple[str, ...]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--device`."""
    parser.getgroup("priot-hil").addoption(
        "--device",
        default=DEFAULT_DEVICE,
        metavar="NAME[,NAME...]",
        help=f"devices to hold against the reference: {', '.join(DEVICES)} (default: {DEFAULT_DEVICE})",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Checks `--device` before anything is collected."""
    config.addinivalue_line("markers", "slow: takes more than a few seconds; -m 'not slow' leaves it out")
    try:
        config.stash[DEVICES_KEY] = parse_devices(config.getoption("--device"))
    except InputError as error:
        pytest.exit(f"error: {error}", returncode=2)


def pytest_report_header(config: pytest.Config) -> str:
    """Says what runs where."""
    devices: tuple[str, ...] = config.stash[DEVICES_KEY]
    return f"devices: {', '.join(devices)}, each held against the reference"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs each test that takes an engine on every device asked for."""
    if "engine" in metafunc.fixturenames:
        devices: tuple[str, ...] = metafunc.config.stash[DEVICES_KEY]
        metafunc.parametrize("engine", devices, indirect=True, scope="session")


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> Iterator[DeviceEngine | ReferenceEngine]:
    """The engine of one device: training steps, epochs and single kernels. Every load starts it anew."""
    try:
        opened = open_engine(request.param)
    except (InputError, LinkLost) as error:
        pytest.exit(f"error: {error}", returncode=2)
    yield opened
    close: Any = getattr(opened, "close", None)
    if close is not None:
        close()


@pytest.fixture(scope="session")
def reference() -> ReferenceEngine:
    """The engine to believe."""
    return ReferenceEngine()
