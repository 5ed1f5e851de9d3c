"""How many processes share the suite."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from conftest import pytest_cmdline_main
from workers import check_workers, count_workers

from priot_hil.harness.paths import ROOT
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


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, 2),
        ({"numprocesses": 0}, 0),
        ({"numprocesses": 3}, 3),
        ({"numprocesses": "auto"}, "auto"),
        ({"dist": "load"}, None),
        ({"tx": ["2*popen"]}, None),
        ({"usepdb": True}, None),
    ],
    ids=str,
)
def test_the_default(said, expected, monkeypatch):
    """Where the command line is silent; what it says of processes, in whatever way, holds."""
    monkeypatch.setattr("workers.cores", lambda: 2)
    option = SimpleNamespace(**{"numprocesses": None, "dist": "no", "tx": [], "usepdb": False} | said)
    options = {"keyword": "", "--device": "emulator"}
    config = SimpleNamespace(option=option, args_source=SOURCES.TESTPATHS, getoption=options.get)
    assert pytest_cmdline_main(config) is None
    assert option.numprocesses == expected
    config.workerinput = {}
    option.numprocesses = None
    assert pytest_cmdline_main(config) is None
    assert option.numprocesses is None  # a worker has none of its own


def test_a_silly_number_ends_the_session(capsys):
    """One sentence and status 2."""
    config = SimpleNamespace(option=SimpleNamespace(numprocesses=10**30))
    assert pytest_cmdline_main(config) == 2
    assert capsys.readouterr().err.startswith("error: -n: expected a whole number in 0..1024, got 1000000")


@pytest.mark.parametrize(
    "by_variable", [pytest.param(True, marks=pytest.mark.slow), False], ids=["variable", "options"]
)
def test_no_plugin_is_required(by_variable):
    """By the settings of the checkout: a session without pytest-xdist is as good as any other."""
    without = ["-p", "no:xdist"]
    command = [sys.executable, "-m", "pytest", "-q", "--collect-only", "tests/test_workers.py"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    if by_variable:
        environment["PYTEST_ADDOPTS"] = " ".join(without)
    else:
        command += without
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "test_workers" in done.stdout
