"""How many cases each property gets, and how many processes a session."""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings

from priot_hil.harness.devices import find_device

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


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """The whole suite takes all cores, but no more than a device has boards; chosen tests run in this process."""
    is_chosen = config.args_source is pytest.Config.ArgsSource.ARGS or config.getoption("keyword")
    kinds = map(find_device, config.getoption("--device").split(","))
    boards = [len(kind.boards) for kind in kinds if kind is not None and kind.boards]
    workers = 0 if is_chosen else min([os.cpu_count() or 1, *boards])
    return workers if workers > 1 else 0
