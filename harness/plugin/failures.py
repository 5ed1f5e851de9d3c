"""A failing test's cases, kept as capsules and named in its message."""

import contextlib
import os
from collections.abc import Generator
from pathlib import Path

import pytest

from priot_hil.harness.boards_on_ports import one_line
from priot_hil.harness.cases import Case
from priot_hil.harness.errors import LinkLost
from priot_hil.harness.failures import cases_in, current, keep, reduced

from .engines import station_of
from .selection import device_of

EARLIER_KEY = pytest.StashKey[tuple[Path, Path | None]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options."""
    group = parser.getgroup("priot-hil")
    group.addoption(
        "--write-ahead",
        action="store_true",
        help="write each case before it runs, as running-PID.npz: it stays where the whole process dies over it",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Sets where cases are kept and where they are written ahead."""
    config.stash[EARLIER_KEY] = current.folder, current.ahead
    current.folder = Path(config.getoption("--failures"))
    running = current.folder / f"running-{os.getpid()}.npz"
    current.ahead = running if config.getoption("--write-ahead") else None


def pytest_unconfigure(config: pytest.Config) -> None:
    """Takes away what was written ahead, since this process has survived it; goes back to the session around this."""
    if EARLIER_KEY in config.stash:
        if current.ahead is not None:
            with contextlib.suppress(OSError):  # nothing was to be written there either
                current.ahead.unlink(missing_ok=True)
        current.folder, current.ahead = config.stash[EARLIER_KEY]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Forgets the case of the test before."""
    current.device, current.failed = device_of(item), None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keeps the cases of a test that failed, before its report is made."""
    if call.excinfo is not None:
        for error, case in cases_in(call.excinfo.value):
            small, told = _reduced(item, case)
            for note in (*([told] if told else []), *keep(small, current.folder, current.device)):
                error.add_note(note)
    return (yield)


def _reduced(item: pytest.Item, case: Case) -> tuple[Case, str]:
    """The smallest case on the device that failed, and what to tell of it; as it is where there is no such device."""
    station, seconds = station_of(item), float(item.config.getoption("--shrink"))
    if station is None or station.engine is None or station.is_lost:
        return case, ""
    try:
        return reduced(case, station.engine, seconds)
    except LinkLost as lost:
        cause = one_line(lost)
        station.lose(item.nodeid, cause)
        return case, f"the device was lost when the case ran once more: {cause}"


def pytest_keyboard_interrupt() -> None:
    """Keeps the smallest case known where somebody ends the search for a smaller one."""
    if current.failed is not None:
        print("\ninterrupted while a failing case was being shrunk; the smallest so far:")
        print(*keep(current.failed, current.folder, current.device), sep="\n")
