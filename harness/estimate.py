"""How much of some work is done, and how long the rest will take, by what its units took so far."""

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

HALF_SECONDS = 120.0  # of work, after which a measurement counts half: machines become slower and faster again


@dataclass
class Part:
    """Units of work that are done one after the other.

    Attributes:
        units: How many.
        kept: Of these, how many were done before, by an earlier command: they are done, and say nothing of the speed.
        kind: Units of all parts of one kind take the same time.
        weight: What a unit takes beside those of other kinds, as far as it is known before any of its kind is measured.
        first: What the first unit takes beside the others.
    """

    units: float
    kept: float = 0.0
    kind: Hashable = None
    weight: float = 1.0
    first: float = 1.0

    def __post_init__(self) -> None:
        self.done = min(self.kept, self.units)

    def size(self, units: float) -> float:
        """What the first so many units take, in units that come after the first."""
        return units - (1 - self.first) * min(units, 1.0)

    @property
    def size_left(self) -> float:
        """What the units take that are not done."""
        return self.size(self.units) - self.size(self.done)


class Work:
    """Work in parts, one after the other, or several at once where each says that it begins.

    May be told and asked in any thread.

    Args:
        what: Its units are, for people.
        parts: By any names; None where nobody knows how much there is.
        unit: "" for whole numbers, "bytes", or "%".
        clock: Seconds.
    """

    def __init__(
        self,
        what: str,
        parts: Mapping[Any, Part] | None,
        unit: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.what, self.unit, self._clock = what, unit, clock
        self._is_known = parts is not None
        self._parts: dict[Hashable, Part] = dict(parts) if parts is not None else {None: Part(0)}
        self._measured: dict[Hashable, tuple[float, float]] = {}  # by kind: seconds, and size
        self._counts: Counter[Hashable] = Counter()  # by kind: how often units were done
        self._steps: dict[Hashable, float] = {}  # by kind: the size that was done at once
        self._running: dict[Hashable, float] = {}  # parts that have begun, and when their unit at work did
        self._last = clock()
        self._lock = threading.RLock()

    def expect(self, units: float, kept: float = 0.0) -> None:
        """Say how much work of one part is, as soon as it is known."""
        with self._lock:
            self._is_known = True
            (name,) = self._parts
            self._parts[name] = Part(units, kept)
            self._last = self._clock()

    def begin(self, name: Hashable = None) -> None:
        """Say that a part is at work from now on, beside others, perhaps in the place of one that is done."""
        with self._lock:
            over = [other for other in self._running if self._parts[other].size_left <= 0]
            if name not in self._running and over:
                del self._running[over[0]]
            self._running[name] = self._clock()

    def advance(self, units: float = 1.0, name: Hashable = None) -> None:
        """Say that units of a part are done."""
        with self._lock:
            now, part = self._clock(), self._parts[name]
            if not self._is_known:
                part.units = part.done + units
            before = part.size_left
            part.done = min(part.done + units, part.units)
            if (step := before - part.size_left) <= 0:
                return
            seconds = now - self._running.get(name, self._last)
            self._last = now
            if name in self._running:
                self._running[name] = now
            fading = math.exp2(-seconds / HALF_SECONDS)
            past_seconds, past_size = self._measured.get(part.kind, (0.0, 0.0))
            if self._counts[part.kind] == 1 and name not in self._running:
                past_seconds = past_size = 0.0  # what had to be started for the first ones was among their seconds
            self._counts[part.kind] += 1
            self._measured[part.kind] = past_seconds * fading + seconds, past_size * fading + step
            self._steps[part.kind] = step

    @property
    def done(self) -> float:
        """Units that are done."""
        return sum(part.done for part in self._parts.values())

    @property
    def total(self) -> float | None:
        """All units; None where nobody knows."""
        return sum(part.units for part in self._parts.values()) if self._is_known else None

    def share(self) -> float:
        """How much of all the work is done, by the time that it takes: 0 to 1."""
        with self._lock:
            costs = {name: self._cost(part) or part.weight for name, part in self._parts.items()}
            whole = sum(costs[name] * part.size(part.units) for name, part in self._parts.items())
            left = sum(costs[name] * part.size_left for name, part in self._parts.items())
            return 1 - left / whole if whole and self._is_known else 0.0

    def left(self) -> float | None:
        """Seconds that are left; None where nothing was measured yet, or nobody knows how much there is."""
        with self._lock:
            if not self._is_known or not self._measured:
                return None
            seconds = {name: self._seconds_left(name) for name, part in self._parts.items() if part.size_left > 0}
            # Those that go on side by side end no sooner than the longest of them.
            return max(sum(seconds.values()) / max(len(self._running), 1), max(seconds.values(), default=0.0))

    def _seconds_left(self, name: Hashable) -> float:
        """Of a part, less what has gone into the unit that is at work; no more than such a unit takes."""
        part = self._parts[name]
        cost = self._cost(part)
        assert cost is not None, "something was measured"
        begun = self._running.get(name)
        if begun is None and not self._running and name == self._next():
            begun = self._last
        at_work = 0.0 if begun is None else self._clock() - begun
        return cost * part.size_left - min(at_work, cost * min(self._steps.get(part.kind, 1.0), part.size_left))

    def _next(self) -> Hashable:
        """The first part that is not done."""
        return next((name for name, part in self._parts.items() if part.size_left > 0), None)

    def _cost(self, part: Part) -> float | None:
        """Seconds of a unit: measured, or by its weight beside those that were; None where none was."""
        if part.kind in self._measured:
            seconds, size = self._measured[part.kind]
            return seconds / size
        weights = {other.kind: other.weight for other in self._parts.values()}
        known = [(seconds, size * weights[kind]) for kind, (seconds, size) in self._measured.items()]
        return part.weight * sum(s for s, _ in known) / sum(w for _, w in known) if known else None
