"""`reproduce --table NAME`: whichever table it is, or all of them."""

import sys
from pathlib import Path
from typing import Any

from priot_hil.harness.command_line import INTERRUPTED
from priot_hil.reference.errors import InputError

from . import runner
from .cost import make as cost
from .cost.setting import TABLE as COST
from .experiment import read_experiment, tables
from .networks import subject
from .performance import HOST
from .scheduler_address import check_address

ACCURACY = "accuracy"
ALL = "all"
FIRST = (ACCURACY, COST)  # what most people wait for
LAST = ("accuracy-vgg11", "sensitivity-vgg11")  # hours, and torch


def reproduce(
    table: str,
    *,
    quick: bool = False,
    device: str | None = None,
    network: str | None = None,
    out: Path | None = None,
    published: Path | None = None,
    scheduler: str | None = None,
) -> None:
    """Make a table, or all one after the other: see the functions that make them.

    Args:
        table: Its name, or "all".
        quick: The short form.
        device: See the functions that make them; None for the usual one.
        network: The network where there is a table of that name for more than one; None for the small one.
        out: Folder of the results; of all tables, the folder that holds one for each.
        published: A file of published accuracies.
        scheduler: Address of a Dask scheduler whose workers perform the runs.

    Raises:
        InputError: There is no such table, published accuracies or a scheduler are given for one that has no use for
            them, or what makes it refuses.
        KeyboardInterrupt: Ctrl-C; the same command goes on where it stopped.
    """
    if scheduler is not None:
        check_address(scheduler)
    if network is not None:
        table = table_of(table, network)
    if table == ALL:
        names = in_order(tables())
        for number, name in enumerate(names, start=1):
            print(f"table {number} of {len(names)}: {name}", file=sys.stderr, flush=True)
            letter = published if name == ACCURACY else None
            workers = None if name == COST else scheduler
            folder = None if out is None else out / name
            reproduce(name, quick=quick, device=device, out=folder, published=letter, scheduler=workers)
    elif table == COST:
        if published is not None:
            do = "leave it out: no published costs could be read"
            raise InputError.about("published", expected="none with the table of costs", got=str(published), do=do)
        if scheduler is not None:
            expected, do = "none with the table of costs", "leave it out: they are measured here"
            raise InputError.about("scheduler", expected=expected, got=repr(scheduler), do=do)
        cost.reproduce(table, quick=quick, device=device or HOST, out=out)
    elif table in tables():
        runner.reproduce(table, quick=quick, device=device, out=out, published=published, scheduler=scheduler)
    else:
        known = ", ".join([*in_order(tables()), ALL])
        raise InputError.about("table", expected=f"one of {known}", got=repr(table), do="name one of them")


def status_of(table: str, **options: Any) -> int:
    """Make a table, and end with a status.

    Returns:
        The exit status; whatever was interrupted has said itself how to go on.
    """
    try:
        reproduce(table, **options)
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def in_order(names: list[str]) -> list[str]:
    """The tables in the order in which they are made."""
    return [*FIRST, *(name for name in names if name not in (*FIRST, *LAST)), *LAST]


def table_of(table: str, network: str) -> str:
    """The name of a table for a network: its own, or with the network's name behind it.

    Raises:
        InputError: There is no such network, or no such table for it.
    """
    subject(network)
    of_networks = {read_experiment(name).network: name for name in tables() if name.split("-")[0] == table}
    if network not in of_networks:
        known = f"one of {', '.join(of_networks)}" if of_networks else "none"
        expected = f"{known} with the table {table}"
        raise InputError.about("network", expected=expected, got=network, do="name one of them, or another table")
    return of_networks[network]
