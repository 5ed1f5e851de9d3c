"""A folder that takes no files, as a full disk and a read-only one do: for any user, root included."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
EVENTS = {"open", "os.mkdir", "os.rename"}

_refused: dict[str, list[int]] = {}  # by folder: the system's number of the error, and how many writes go well before


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if not _refused or event not in EVENTS or not isinstance(args[0], str | os.PathLike):
        return
    if event == "open" and not args[2] & WRITING:
        return
    place = os.path.abspath(os.fspath(args[0]))
    for folder, left in _refused.items():
        if place == folder or place.startswith(folder + os.sep):
            if left[1] <= 0:
                raise OSError(left[0], os.strerror(left[0]), place)
            left[1] -= 1


sys.addaudithook(_hook)


@contextmanager
def unwritable(folder: Path, number: int, after: int = 0) -> Iterator[None]:
    """Nothing can be written to a folder or below it while the block runs.

    Args:
        folder: It need not exist.
        number: What the system says: EROFS, ENOSPC and the like.
        after: So many writes go well before.
    """
    place = os.path.abspath(folder)
    _refused[place] = [number, after]
    try:
        yield
    finally:
        del _refused[place]
