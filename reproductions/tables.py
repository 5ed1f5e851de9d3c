"""`reproduce --table NAME`: which function makes which table."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from priot_hil.reference.errors import InputError

from . import runner
from .cost import make as cost
from .experiment import tables

TABLES: dict[str, Callable[..., Any]] = {"accuracy": runner.reproduce, "cost": cost.reproduce}


def reproduce(table: str, *, quick: bool = False, device: str = runner.HOST, out: Path | None = None) -> None:
    """Make a table; see the function that makes it.

    Raises:
        InputError: There is no such table, or what its function refuses.
    """
    if table not in TABLES:
        raise InputError.about(
            "table", expected=f"one of {', '.join(tables())}", got=repr(table), do="name one of them"
        )
    TABLES[table](table, quick=quick, device=device, out=out)
