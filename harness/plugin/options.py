"""What the command line says about devices, and the markers by which tests say what they need."""

import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from priot_hil.harness.byproducts import Say, use_listener
from priot_hil.harness.capabilities import NAMES
from priot_hil.harness.device_kinds import DeviceOptions
from priot_hil.harness.devices import known_names, parse_devices
from priot_hil.harness.failures import FOLDER
from priot_hil.harness.options import BAUD, BITS_PER_SECOND, Number, Place, Text
from priot_hil.harness.output_kinds import MATRIX
from priot_hil.harness.outputs import check_file, check_folder
from priot_hil.harness.quarantine import Quarantine
from priot_hil.harness.sessions import end_session, new_session, session_folder, use_session
from priot_hil.harness.shrink import SECONDS
from priot_hil.reference.errors import InputError

DEFAULT_DEVICE = "emulator"
BAD_INPUT = 2
SHRINK = Number(0, 1e6)
SESSION = "priot_session"
DEVICES_KEY = pytest.StashKey[tuple[str, ...]]()
EARLIER_KEY = pytest.StashKey[tuple[Path | None, Say]]()
NOT_KEPT_KEY = pytest.StashKey[list[str]]()
OPTIONS_KEY = pytest.StashKey[DeviceOptions]()
MARKERS = (
    "slow: takes more than a few seconds; left out unless asked for: -m slow",
    "short: quick enough for a slow device, which runs nothing else",
    f"needs(capability, ...): skipped where the device lacks one; they are {', '.join(NAMES)}",
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
    # Texts, read in `check_options`: pytest itself would refuse them with its usage and status 4.
    group.addoption("--baud", default=str(BAUD), help=f"bits per second of serial ports (default: {BAUD})")
    group.addoption("--any-build", action="store_true", help="accept another firmware than the one built here")
    group.addoption(
        "--failures",
        default=str(FOLDER),
        metavar="DIR",
        help=f"where failing cases go as capsules (default: {FOLDER})",
    )
    group.addoption(
        "--shrink",
        default=str(SECONDS),
        metavar="SECONDS",
        help=f"time to make a failing case smaller than hypothesis left it (default: {SECONDS})",
    )
    group.addoption("--matrix", metavar="FILE.md", help="write what came of each test on each device as Markdown")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Ends the session where an option is not legal, before any other plugin looks at it: one sentence and status 2."""
    try:
        check_options(config)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
    return None


def check_options(config: pytest.Config) -> None:
    """See that options are legal, and that what is to be written can be.

    Raises:
        InputError: It is not so.
    """
    _check_form(config.invocation_params.args)
    parse_devices(Text("devices with commas").read("--device", config.getoption("--device")))
    BITS_PER_SECOND.read("--baud", config.getoption("--baud"))
    SHRINK.read("--shrink", config.getoption("--shrink"))
    if profile := config.getoption("--hypothesis-profile", None):
        _check_profile(profile)
    if not worker_input(config):
        folder = Place("a folder").read("--failures", config.getoption("--failures"))
        if folder != FOLDER:  # that one nobody has asked for: a failure that cannot be kept there says so
            check_folder(folder)
        if (matrix := config.getoption("--matrix")) is not None:
            check_file(Place("a file").read("--matrix", matrix), MATRIX)


def _check_profile(name: str) -> None:
    from hypothesis import errors, settings  # takes a moment, which most sessions need not spend here

    try:
        settings.get_profile(name)
    except errors.InvalidArgument as error:
        do = "name one that tests/conftest.py registers"
        raise InputError.about("--hypothesis-profile", expected="default or thorough", got=repr(name), do=do) from error


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Reads the options, which have been checked; all workers of a session share one folder."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    config.stash[NOT_KEPT_KEY] = []  # said at the end, by the controller
    earlier = use_listener(config.stash[NOT_KEPT_KEY].append)
    folder = worker_input(config).get(SESSION)
    config.stash[EARLIER_KEY] = use_session(Path(folder) if folder else new_session()), earlier
    config.stash[DEVICES_KEY] = parse_devices(config.getoption("--device"))
    config.stash[OPTIONS_KEY] = DeviceOptions(
        baud=BITS_PER_SECOND.read("--baud", config.getoption("--baud")),
        any_build=config.getoption("--any-build"),
        quarantine=Quarantine(session_folder() / "quarantine"),
    )


def pytest_unconfigure(config: pytest.Config) -> None:
    """Goes back to the session in which this one ran, as a test of pytest itself does."""
    if EARLIER_KEY in config.stash:
        folder, listener = config.stash[EARLIER_KEY]
        end_session(folder)
        use_listener(listener)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tells a pytest-xdist worker its session's folder."""
    node.workerinput[SESSION] = str(session_folder())


def worker_input(config: pytest.Config) -> dict[str, Any]:
    """What the controller told this worker of pytest-xdist; empty where this is no worker."""
    return getattr(config, "workerinput", {})


def _check_form(arguments: Sequence[object]) -> None:
    """Refuses a port that stands apart: pytest has taken it for a folder of tests by then, and another root from it."""
    for option, value in pairwise(arguments):
        if option == "--device" and str(value).startswith("/"):
            do = "write it so: pytest takes a path that stands by itself for a folder of tests"
            raise InputError.about("option", expected=f"--device={value}", got=f"--device {value}", do=do)
