"""How many cases each property gets, and how many processes a session."""

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from workers import count_workers

from priot_hil.harness.estimate import Work

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
