"""How many processes share the suite, where `-n auto` leaves it open."""

import os

import pytest

from priot_hil.harness.devices import find_device


def count_workers(config: pytest.Config, cores: int = os.cpu_count() or 1) -> int:
    """The whole suite takes all cores, but no more than a device has boards; chosen tests run in this process.

    Args:
        config: The session's.
        cores: Of this machine.

    Returns:
        2 or more, or 0 for none but this process.
    """
    is_chosen = config.args_source is pytest.Config.ArgsSource.ARGS or config.getoption("keyword")
    kinds = map(find_device, config.getoption("--device").split(","))
    boards = [len(kind.boards) for kind in kinds if kind is not None and kind.boards]
    workers = 0 if is_chosen else min([cores, *boards])
    return workers if workers > 1 else 0
