"""How many processes share the suite, where the command line leaves it open."""

import pytest

from priot_hil.harness.devices import find_device
from priot_hil.reference.checks import check_range
from priot_hil.reproductions.runner import cores

MOST = 1024


def check_workers(count: object) -> None:
    """Refuse a number of processes that nobody has use for.

    Raises:
        InputError: It is not in 0..1024; what is no number has been refused by pytest-xdist.
    """
    if isinstance(count, int):
        check_range("-n", count, 0, MOST)


def count_workers(config: pytest.Config, most: int | None = None) -> int:
    """The whole suite takes all cores, but no more than a device has boards; chosen tests run in this process.

    Args:
        config: The session's.
        most: Processes; None for one a core.

    Returns:
        2 or more, or 0 for none but this process.
    """
    is_chosen = config.args_source is pytest.Config.ArgsSource.ARGS or config.getoption("keyword")
    kinds = map(find_device, config.getoption("--device").split(","))
    boards = [len(kind.boards) for kind in kinds if kind is not None and kind.boards]
    workers = 0 if is_chosen else min([cores() if most is None else most, *boards])
    return workers if workers > 1 else 0
