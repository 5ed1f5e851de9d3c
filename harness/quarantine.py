"""Boards that failed as infrastructure: given up for the rest of a session, with the cause, by all its workers."""

import re
from dataclasses import dataclass
from pathlib import Path

from .files import write_aside


@dataclass(frozen=True)
class Quarantine:
    """The boards that a session has given up.

    Attributes:
        folder: A file for each; the workers of a session share it. Made with the first.
    """

    folder: Path

    def add(self, board: str, cause: str) -> None:
        """Gives a board up; the first cause stays."""
        path = self.folder / f"{re.sub('[^A-Za-z0-9]+', '-', board).strip('-')}.txt"
        if not path.exists():
            write_aside(path, f"{board}\n{cause}\n")

    def causes(self) -> dict[str, str]:
        """Why each board was given up."""
        found = {}
        for path in sorted(self.folder.glob("*.txt")):
            board, _, cause = path.read_text().partition("\n")
            found[board] = cause.strip()
        return found
