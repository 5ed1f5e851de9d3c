"""`reproduce --table NAME`: whichever table it is."""

from pathlib import Path

from priot_hil.harness.command_line import INTERRUPTED
from priot_hil.reference.errors import InputError

from . import runner
from .cost import make as cost
from .cost.setting import TABLE as COST


def reproduce(
    table: str,
    *,
    quick: bool = False,
    device: str = runner.HOST,
    out: str = "",
    published: str = "",
    scheduler: str = "",
) -> int:
    """Make a table: see the functions that make them; what is empty is not given.

    Returns:
        The exit status.

    Raises:
        InputError: There is no such table, published accuracies or a scheduler are given for one that takes none, or
            what makes it refuses.
    """
    folder = Path(out) if out else None
    try:
        if table != COST:
            letter, workers = Path(published) if published else None, scheduler or None
            runner.reproduce(table, quick=quick, device=device, out=folder, published=letter, scheduler=workers)
            return 0
        for what, given in (("published", published), ("scheduler", scheduler)):
            if given:
                raise InputError.about(what, expected="none with the table of costs", got=repr(given), do="leave it out")
        cost.reproduce(table, quick=quick, device=device, out=folder)
    except KeyboardInterrupt:
        return INTERRUPTED  # it has said itself how to go on
    return 0
