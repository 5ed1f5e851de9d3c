"""`reproduce --table NAME`: whichever table it is."""

from pathlib import Path

from priot_hil.reference.errors import InputError

from . import runner
from .cost import make as cost
from .cost.setting import TABLE as COST


def reproduce(
    table: str,
    *,
    quick: bool = False,
    device: str = runner.HOST,
    out: Path | None = None,
    published: Path | None = None,
) -> None:
    """Make a table: see the functions that make them.

    Raises:
        InputError: There is no such table, published accuracies are given for one that has none, or what makes it
            refuses.
    """
    if table != COST:
        runner.reproduce(table, quick=quick, device=device, out=out, published=published)
        return
    if published is not None:
        do = "leave it out: no published costs could be read"
        raise InputError.about("published", expected="none with the table of costs", got=str(published), do=do)
    cost.reproduce(table, quick=quick, device=device, out=out)
