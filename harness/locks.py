"""Locks on files and folders that need no file of their own and go with the process that holds them."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def lock(descriptor: int, how: int) -> bool:
    """Takes a lock as `flock` does.

    Args:
        descriptor: Of an open file or folder.
        how: LOCK_SH or LOCK_EX of fcntl, with LOCK_NB where nobody is to wait.

    Returns:
        Whether it was to be had; not where another process has it, or the file system has no locks.
    """
    try:
        fcntl.flock(descriptor, how)
    except OSError:
        return False
    return True


@contextmanager
def alone_in(folder: Path, on_wait: Callable[[], None] = lambda: None) -> Iterator[bool]:
    """One process or thread at a time in the block, of all that ask for this folder.

    Args:
        folder: One that exists.
        on_wait: Called before a wait for another process.

    Yields:
        Whether it is so; not where the file system has no locks.

    Raises:
        OSError: There is no such folder.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        is_alone = lock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not is_alone:
            on_wait()
            is_alone = lock(descriptor, fcntl.LOCK_EX)
        yield is_alone
    finally:
        os.close(descriptor)
