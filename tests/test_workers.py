"""How many processes share the suite."""

from types import SimpleNamespace

import pytest
from workers import count_workers

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
