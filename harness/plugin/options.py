"""What the command line says about devices, and the markers by which tests say what they need."""

import pytest

from priot_hil.harness.device_kinds import BAUD, DeviceOptions
from priot_hil.harness.devices import known_names, parse_devices
from priot_hil.reference.errors import InputError

DEFAULT_DEVICE = "emulator"
DEVICES_KEY = pytest.StashKey[tuple[str, ...]]()
OPTIONS_KEY = pytest.StashKey[DeviceOptions]()
MARKERS = (
    "slow: takes more than a few seconds; -m 'not slow' leaves it out",
    "short: quick enough for a slow device, which runs nothing else",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options."""
    group = parser.getgroup("priot-hil")
    group.addoption(
        "--device",
        default=DEFAULT_DEVICE,
        metavar="NAME[,NAME...]",
        help=f"devices to hold against the reference: {known_names()} (default: {DEFAULT_DEVICE})",
    )
    group.addoption("--baud", type=int, default=BAUD, help=f"bits per second of serial ports (default: {BAUD})")
    group.addoption("--any-build", action="store_true", help="accept another firmware than the one built here")


def pytest_configure(config: pytest.Config) -> None:
    """Checks the options before anything is collected."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    try:
        config.stash[DEVICES_KEY] = parse_devices(config.getoption("--device"))
        config.stash[OPTIONS_KEY] = DeviceOptions(config.getoption("--baud"), config.getoption("--any-build"))
    except InputError as error:
        pytest.exit(f"error: {error}", returncode=2)


def pytest_report_header(config: pytest.Config) -> str:
    """Says what runs where."""
    devices: tuple[str, ...] = config.stash[DEVICES_KEY]
    return f"devices: {', '.join(devices)}, each held against the reference"
