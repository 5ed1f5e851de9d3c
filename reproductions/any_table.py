"""`reproduce --table NAME`: whichever table it is, or all of them."""

from pathlib import Path

from priot_hil.reference.errors import InputError

from . import runner
from .cost import make as cost
from .cost.setting import TABLE as COST
from .experiment import tables

ACCURACY = "accuracy"
ALL = "all"
FIRST = (ACCURACY, COST)  # what most people wait for


def reproduce(
    table: str,
    *,
    quick: bool = False,
    device: str = runner.HOST,
    out: Path | None = None,
    published: Path | None = None,
) -> None:
    """Make a table, or all one after the other: see the functions that make them.

    Args:
        table: Its name, or "all".
        quick: The short form.
        device: See the functions that make them.
        out: Folder of the results; of all tables, the folder that holds one for each.
        published: A file of published accuracies.

    Raises:
        InputError: There is no such table, published accuracies are given for one that has none, or what makes it
            refuses.
        KeyboardInterrupt: Ctrl-C; the same command goes on where it stopped.
    """
    if table == ALL:
        for name in in_order(tables()):
            letter = published if name == ACCURACY else None
            reproduce(name, quick=quick, device=device, out=None if out is None else out / name, published=letter)
    elif table == COST:
        if published is not None:
            do = "leave it out: no published costs could be read"
            raise InputError.about("published", expected="none with the table of costs", got=str(published), do=do)
        cost.reproduce(table, quick=quick, device=device, out=out)
    elif table in tables():
        runner.reproduce(table, quick=quick, device=device, out=out, published=published)
    else:
        known = ", ".join([*in_order(tables()), ALL])
        raise InputError.about("table", expected=f"one of {known}", got=repr(table), do="name one of them")


def in_order(names: list[str]) -> list[str]:
    """The tables in the order in which they are made."""
    return [*FIRST, *(name for name in names if name not in FIRST)]
