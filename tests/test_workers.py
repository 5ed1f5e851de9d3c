"""How many processes share the suite."""

from types import SimpleNamespace

import pytest
from workers import check_workers, count_workers

from priot_hil.reference.errors import InputError

SOURCES = pytest.Config.ArgsSource


@pytest.mark.parametrize(
    ("source", "keyword", "device", "cores", "expected"),
    [
        (SOURCES.TESTPATHS, "", "emulator", 2, 2),
        (SOURCES.TESTPATHS, "", "host,emulator", 8, 8),
        (SOURCES.TESTPATHS, "", "emulator", 1, 0),
        (SOURCES.ARGS, "", "emulator", 2, 0),
        (SOURCES.TESTPATHS, "short", "emulator", 2, 0),
        (SOURCES.TESTPATHS, "", "emulator,/dev/ttyACM0", 4, 0),
        (SOURCES.TESTPATHS, "", "serial:A1+serial:B2+serial:C3", 4, 3),
        (SOURCES.TESTPATHS, "", "toaster", 4, 4),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_workers(source, keyword, device, cores, expected):
    """All cores for the whole suite, but a board has one host; what is no device is refused later."""
    options = {"keyword": keyword, "--device": device}
    assert count_workers(SimpleNamespace(args_source=source, getoption=options.get), cores) == expected


@pytest.mark.parametrize("count", [-1, 1025, 10**30])
def test_a_silly_number_of_processes_is_refused(count):
    """One beyond each end, and far beyond."""
    with pytest.raises(InputError, match=r"-n: expected a whole number in 0\.\.1024"):
        check_workers(count)
    for legal in (None, 0, 1, 1024, "auto"):
        check_workers(legal)
