"""How many cases each property gets, and how many processes a session."""

import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from workers import check_workers, count_workers

from priot_hil.harness.estimate import Work
from priot_hil.harness.paths import ROOT
from priot_hil.reference.errors import InputError

# An emulated board is slower than a function call and its speed says nothing about its correctness: no deadlines.
# Explaining a failure by the lines it ran says nothing about firmware.
settings.register_profile(
    "default",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=False,  # a failing case is a capsule, which outlives a version of hypothesis
    phases=set(Phase) - {Phase.explain},
)
settings.register_profile("thorough", settings.get_profile("default"), max_examples=1000)
settings.load_profile("default")


def pytest_configure(config: pytest.Config) -> None:
    """Refuses to test another checkout than this one, as an environment that was made for that one would do."""
    here = Path(__file__).resolve().parent.parent
    if here != ROOT:
        sentence = f"error: priot_hil: expected the one in {here}, got the one in {ROOT}; use ./run pytest."
        pytest.exit(sentence, returncode=2)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Says how many processes, where pytest-xdist is there and the command line leaves it open."""
    option = config.option
    if hasattr(config, "workerinput") or not hasattr(option, "numprocesses"):
        return None
    try:
        check_workers(option.numprocesses)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if option.numprocesses is None and option.dist == "no" and not option.tx and not option.usepdb:
        option.numprocesses = count_workers(config)
    return None


@pytest.fixture
def works(monkeypatch: pytest.MonkeyPatch) -> list[Work]:
    """All work of which the test's code says how far it is."""
    found: list[Work] = []
    make = Work.__init__

    def remember(self: Work, *arguments: Any, **options: Any) -> None:
        make(self, *arguments, **options)
        found.append(self)

    monkeypatch.setattr(Work, "__init__", remember)
    return found


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """See `workers.py`."""
    return count_workers(config)
