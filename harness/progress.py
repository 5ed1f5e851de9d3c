"""How far long work is and what is left of it, on standard error: a bar on a terminal, plain lines elsewhere.

Work that is over within two seconds shows nothing. So do tests, and the processes that this one starts.
"""

import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO, TypeVar

from .estimate import Part, Work
from .progress_display import Bar, Clock, Counted, Lines, is_for_bars

__all__ = ["Arriving", "Part", "Timed", "Work", "counted", "shown", "track"]

TICK_SECONDS = 0.25

Element = TypeVar("Element")
Shown = TypeVar("Shown", bound=Counted)


class Timed:
    """Work that takes a time that was asked for.

    Args:
        what: It is, for people.
        seconds: It takes.
        clock: Seconds.
    """

    unit = "s"

    def __init__(self, what: str, seconds: float, clock: Clock = time.monotonic) -> None:
        self.what, self.total, self._clock = what, seconds, clock
        self._begin = clock()

    @property
    def done(self) -> float:
        """Seconds of it that are over."""
        return min(self._clock() - self._begin, self.total)

    def left(self) -> float:
        """Seconds that are left."""
        return self.total - self.done

    def share(self) -> float:
        """How much of it is done, 0 to 1."""
        return self.done / self.total


class Arriving:
    """A file that another program fetches.

    Args:
        what: It is, for people.
        folder: Where it grows, under whatever name: the largest file there, and in the folders below.
        total: Its bytes.
        clock: Seconds.
    """

    unit = "bytes"

    def __init__(self, what: str, folder: Path, total: float, clock: Clock = time.monotonic) -> None:
        self.what, self.total, self._folder, self._clock = what, total, folder, clock
        self._begin = clock()

    @property
    def done(self) -> float:
        """Bytes that have come."""
        sizes = [0]
        for path in self._folder.rglob("*"):
            with suppress(OSError):  # it may be gone again
                sizes.append(path.stat().st_size if path.is_file() else 0)
        return min(max(sizes), self.total)

    def left(self) -> float | None:
        """Seconds that are left."""
        done = self.done
        return (self.total - done) * (self._clock() - self._begin) / done if done else None

    def share(self) -> float:
        """How much of it is done, 0 to 1."""
        return self.done / self.total


def counted(what: str, total: float | None, kept: float = 0, unit: str = "") -> Work:
    """Work of one part; see `Work` and `Part`."""
    return Work(what, None if total is None else {None: Part(total, kept)}, unit)


_is_shown = threading.Lock()
"""Held by the work that is shown: what it consists of is not shown beside it."""


@contextmanager
def shown(work: Shown, stream: TextIO | None = None, clock: Clock = time.monotonic) -> Iterator[Shown]:
    """Show how far work is while the block runs.

    Args:
        work: The block advances it.
        stream: Where to; None for standard error where somebody may look at it, see `default_stream`.
        clock: Seconds.

    Yields:
        The work.
    """
    stream = default_stream() if stream is None else stream
    if stream is None or not _is_shown.acquire(blocking=False):
        yield work
        return
    display = Bar(work, stream, clock) if is_for_bars(stream) else Lines(work, stream, clock)
    is_over = threading.Event()

    def look() -> None:
        while not is_over.wait(TICK_SECONDS):
            display.tick()

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    is_whole = False
    try:
        yield work
        is_whole = True
    finally:
        is_over.set()
        looking.join()
        display.close(is_whole)
        _is_shown.release()


@contextmanager
def track(elements: Iterable[Element], what: str, total: float | None = None) -> Iterator[Iterator[Element]]:
    """Show how many elements the block has done.

    Args:
        elements: Any.
        what: They are, for people.
        total: How many; None where they know it themselves, or nobody does.

    Yields:
        The elements; one is done when the next is asked for.
    """
    if total is None and isinstance(elements, Sized):
        total = len(elements)
    with shown(counted(what, total)) as work:

        def each() -> Iterator[Element]:
            for element in elements:
                yield element
                work.advance()

        yield each()


def default_stream() -> TextIO | None:
    """Standard error; None in tests, and in a process that another Python process has started: that one shows it."""
    is_tested = "PYTEST_VERSION" in os.environ or "PYTEST_CURRENT_TEST" in os.environ
    return None if is_tested or multiprocessing.parent_process() is not None else sys.stderr
