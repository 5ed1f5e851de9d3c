"""What came of each test on each device."""

import re
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

NOT_SHORT = "not in the short suite"


class Outcome(StrEnum):
    """How a test ended on a device."""

    PASSED = "passed"
    FAILED = "failed"
    LOST = "no verdict, device lost"
    ERROR = "error"
    SKIPPED = "skipped"
    NOT_RUN = NOT_SHORT


@dataclass(frozen=True)
class Board:
    """What ran a test.

    Attributes:
        name: The device, or the board out of a pool.
        build_id: Of its firmware, hexadecimal; empty where it has none.
        board_id: The chip's own number, hexadecimal; empty where it has none.
        clock_hz: Its core clock; 0 where time is not counted.
    """

    name: str
    build_id: str = ""
    board_id: str = ""
    clock_hz: int = 0

    def described(self, tests: int) -> str:
        """The board and how many tests it ran, for people."""
        build = f"build {self.build_id[:12]}" if self.build_id else ""
        number = f"board {self.board_id}" if self.board_id.strip("0") else ""
        clock = f"{self.clock_hz / 1e6:g} MHz" if self.clock_hz else ""
        return f"{self.name} ({', '.join(filter(None, (build, number, clock, f'{tests} tests')))})"


@dataclass(frozen=True)
class Result:
    """How one test ended on one device, and why it did not pass."""

    outcome: Outcome
    reason: str = ""


@dataclass
class Results:
    """All results of a session.

    Attributes:
        devices: The names asked for, in their order.
        tests: The results by test, without its device, and device.
        boards: What was behind each device, in order of appearance.
    """

    devices: tuple[str, ...]
    tests: dict[str, dict[str, Result]] = field(default_factory=dict)
    boards: dict[str, dict[Board, int]] = field(default_factory=dict)

    def add(self, test: str, device: str, result: Result) -> None:
        """Adds a result; one that is worse replaces an earlier one of the same test, as that of its teardown."""
        row = self.tests.setdefault(test, {})
        if device not in row or result.outcome in (Outcome.ERROR, Outcome.FAILED, Outcome.LOST):
            row[device] = result

    def add_board(self, device: str, board: Board) -> None:
        """Counts a test that a board ran."""
        seen = self.boards.setdefault(device, {})
        seen[board] = seen.get(board, 0) + 1

    def summary(self, given_up: dict[str, str]) -> list[str]:
        """A line for each device, and one for each board that was given up."""
        lines = []
        for device in self.devices:
            found = [row[device] for row in self.tests.values() if device in row]
            if not found:
                continue
            counts = Counter(result.outcome for result in found)
            parts = [f"{counts[outcome]} {outcome}{_reasons(found, outcome)}" for outcome in Outcome if counts[outcome]]
            ran = [board.described(tests) for board, tests in self.boards.get(device, {}).items()]
            lines.append(f"{device}: {', '.join(parts)}{'; on ' if ran else ''}{' and '.join(ran)}")
        return lines + [f"given up: {board}: {cause}" for board, cause in given_up.items()]

    def markdown(self) -> str:
        """Tests by devices as a table, what the devices were above it."""
        lines = ["| device | board | build | board id | clock |", "| :-- | :-- | :-- | :-- | --: |"]
        for device in self.devices:
            for board in self.boards.get(device, {Board("none"): 0}):
                clock = f"{board.clock_hz / 1e6:g} MHz" if board.clock_hz else ""
                lines.append(f"| {device} | {board.name} | {board.build_id} | {board.board_id} | {clock} |")
        lines += ["", f"| test | {' | '.join(self.devices)} |", f"| :-- |{' :-- |' * len(self.devices)}"]
        for test, row in sorted(self.tests.items()):
            lines.append(f"| {_cell(test)} | {' | '.join(_cell(_said(row.get(device))) for device in self.devices)} |")
        return "\n".join(lines) + "\n"


def without_device(device: str, test: str) -> str:
    """A test's id without its device, so that the same test has one name on all."""
    return re.sub(rf"(\[|-){re.escape(device)}(-|\])", _joined, test, count=1)


def _joined(found: re.Match[str]) -> str:
    before, after = found.groups()
    return {"[]": "", "[-": "[", "-]": "]"}.get(before + after, "-")


def _reasons(found: list[Result], outcome: Outcome) -> str:
    """Why results of one outcome are not better, each reason once."""
    reasons = Counter(result.reason for result in found if result.outcome is outcome and result.reason)
    if len(reasons) < 2:
        return f" ({next(iter(reasons))})" if reasons else ""
    most_first = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return f" ({'; '.join(f'{count}: {reason}' for reason, count in most_first)})"


def _said(result: Result | None) -> str:
    if result is None:
        return ""
    return f"{result.outcome}: {result.reason}" if result.reason else str(result.outcome)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
