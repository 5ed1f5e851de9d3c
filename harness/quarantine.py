"""Boards that failed as infrastructure: given up for the rest of a session, with the cause, by all its workers."""

from dataclasses import dataclass, field
from pathlib import Path

from .byproducts import by_product
from .files import own_file_stem, replace_file


@dataclass(frozen=True)
class Quarantine:
    """The boards that a session has given up.

    Attributes:
        folder: A file for each; the workers of a session share it. Made with the first.
    """

    folder: Path
    _own: dict[str, str] = field(default_factory=dict, compare=False)  # what this process has given up, in any case

    def add(self, board: str, cause: str) -> None:
        """Gives a board up; the first cause stays."""
        if board in self.causes():
            return
        self._own[board] = cause
        with by_product("boards that were given up", self.folder):
            replace_file(self.folder / f"{own_file_stem(board)}.txt", f"{board}\n{cause}\n")

    def causes(self) -> dict[str, str]:
        """Why each board was given up."""
        found = dict(self._own)
        for path in sorted(self.folder.glob("*.txt")):
            try:
                board, _, cause = path.read_text(errors="replace").partition("\n")
            except OSError:  # removed at this very moment
                continue
            found[board] = cause.strip()
        return found
