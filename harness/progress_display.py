"""Work as a bar on a terminal, or as plain lines elsewhere; see `progress`."""

import io
import math
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

QUIET_SECONDS = 2.0  # work that takes no longer shows nothing
FIRST_SECONDS = 4.0  # until a line says so much as that there is no estimate yet
LINE_SECONDS = (10.0, 60.0)  # between two lines: a twentieth of the time so far, within these
MEGA = 1_000_000

Clock = Callable[[], float]


class Counted(Protocol):
    """Work as it is shown; see `Work`."""

    what: str
    unit: str

    @property
    def done(self) -> float:
        """Units that are done."""
        ...

    @property
    def total(self) -> float | None:
        """All units; None where nobody knows."""
        ...

    def left(self) -> float | None:
        """Seconds that are left; None where nothing was measured yet."""
        ...

    def share(self) -> float:
        """How much of it is done, 0 to 1."""
        ...


def is_for_bars(stream: TextIO) -> bool:
    """Whether a stream is a terminal that can draw over what it shows."""
    return stream.isatty() and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")


class Lines:
    """A line now and then, without a control character.

    Args:
        work: What is shown.
        stream: Where to.
        clock: Seconds.
    """

    def __init__(self, work: Counted, stream: TextIO, clock: Clock) -> None:
        self._work, self._stream, self._clock = work, stream, clock
        self._begin = clock()
        self._said: float | None = None
        self._has_estimate = False

    def tick(self) -> None:
        """Say how far it is, where it is time to."""
        left = self._work.left()
        if self._is_due(has_estimate=left is not None):
            self._say(left_of(self._work, left))
            self._has_estimate = left is not None

    def close(self, is_whole: bool) -> None:
        """Say how it ended, if anything was said before."""
        if self._said is not None:
            after = duration(self._clock() - self._begin)
            self._say(f"done in {after}" if is_whole else f"stopped after {after}")

    def _is_due(self, has_estimate: bool) -> bool:
        now = self._clock()
        elapsed = now - self._begin
        if elapsed < QUIET_SECONDS:
            return False
        if has_estimate and not self._has_estimate:
            return True
        if self._said is None:
            return elapsed >= FIRST_SECONDS
        shortest, longest = LINE_SECONDS
        return now - self._said >= min(max(elapsed / 20, shortest), longest)

    def _say(self, how: str) -> None:
        self._said = self._clock()
        try:
            self._stream.write(f"[{count_of(self._work)}] {self._work.what}: {how}\n")
            self._stream.flush()
        except (OSError, ValueError):  # nobody reads any more, which is no reason to end
            return


class Bar:
    """A bar in the last line of a terminal; what else is printed there stands above it.

    Args:
        work: What is shown.
        stream: The terminal.
        clock: Seconds.
    """

    def __init__(self, work: Counted, stream: TextIO, clock: Clock) -> None:
        self._work, self._stream, self._clock = work, stream, clock
        self._begin = clock()
        self._bar: Progress | None = None
        self._above: dict[str, _Above] = {}

    def tick(self) -> None:
        """Draw it again; begins after a moment."""
        if self._bar is None:
            if self._clock() - self._begin < QUIET_SECONDS:
                return
            self._bar = self._begun()
        self._bar.update(self._bar.task_ids[0], **self._fields())

    def close(self, is_whole: bool) -> None:
        """Take it away."""
        if self._bar is not None:
            self._bar.stop()
            for name, above in self._above.items():
                setattr(sys, name, above.file)
                above.end()

    def _begun(self) -> "Progress":
        from rich.console import Console  # takes a tenth of a second, and quick work does without
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        texts = [TextColumn(f"{{task.fields[{name}]}}", markup=False) for name in ("what", "count", "left")]
        columns = (texts[0], BarColumn(), texts[1], TimeElapsedColumn(), texts[2])
        console = Console(file=self._stream)
        bar = Progress(
            *columns,
            console=console,
            transient=True,
            refresh_per_second=4,
            redirect_stdout=False,
            redirect_stderr=False,
            get_time=self._clock,
        )
        bar.add_task("", **self._fields())
        bar.tasks[0].start_time = self._begin
        for name in ("stdout", "stderr"):  # before there is a bar that they could meet
            if (file := getattr(sys, name)).isatty():
                file.flush()
                self._above[name] = _Above(file, console)
                setattr(sys, name, self._above[name])
        bar.start()
        return bar

    def _fields(self) -> dict[str, Any]:
        work = self._work
        share, left = work.share(), work.left()
        known = {"total": None if work.total is None else 1.0, "completed": share}
        return known | {"what": work.what, "count": count_of(work), "left": left_of(work, left)}


class _Above(io.TextIOBase):
    """Standard output or error while a bar is shown: whole lines go above it, on the same terminal.

    Args:
        file: The stream itself.
        console: Shows the bar.
    """

    def __init__(self, file: TextIO, console: "Console") -> None:
        self.file, self._console, self._rest = file, console, ""

    def write(self, text: str) -> int:
        """Write what makes whole lines, and keep the rest."""
        from rich.text import Text

        lines, end, rest = text.rpartition("\n")
        if end:
            self._console.print(Text.from_ansi(self._rest + lines), soft_wrap=True)
            self._rest = rest
        else:
            self._rest += rest
        return len(text)

    def isatty(self) -> bool:
        """As of the stream itself."""
        return True

    def fileno(self) -> int:
        """As of the stream itself."""
        return self.file.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """As of the stream itself."""
        return self.file.encoding

    def end(self) -> None:
        """Write the rest."""
        self.file.write(self._rest)
        self.file.flush()


def count_of(work: Counted) -> str:
    """How much is done of how much, or how much is done where nobody knows the rest."""
    done, total = work.done, work.total
    if work.unit == "bytes":
        texts = [f"{value / MEGA:.1f}" for value in (done, total) if value is not None]
        return f"{'/'.join(texts)} MB"
    texts = [f"{value:,.0f}" for value in (done, total) if value is not None]
    return f"{'/'.join(texts)} {work.unit}".rstrip()


def left_of(work: Counted, left: float | None) -> str:
    """What is left, for people."""
    if work.total is None:
        return "so far"
    return "estimating" if left is None else f"about {duration(left)} left"


def duration(seconds: float) -> str:
    """Seconds in words, as exactly as an estimate deserves: 7 s, 45 s, 3 min, 2 h 10 min, 3 days."""
    if seconds < 90:
        return f"{math.ceil(seconds) if seconds < 20 else 5 * round(seconds / 5)} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{round(seconds / 86400)} days"
