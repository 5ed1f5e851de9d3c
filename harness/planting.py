"""Bugs on purpose: a copy of the firmware in which a piece of text is replaced and built."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from priot_hil.reference.errors import InputError

from .files import write_aside
from .paths import ROOT


@dataclass(frozen=True)
class Change:
    """One replacement in one source of the firmware.

    Attributes:
        file: Below firmware/.
        clean: What stands there, exactly once.
        broken: What is put in its place.
    """

    file: str
    clean: str
    broken: str


@dataclass(frozen=True)
class FirmwareCopy:
    """A second checkout, as far as the firmware is concerned: `build(preset, copy.root)` builds it.

    What has been built there stays, so that the next build compiles only what has changed since.

    Attributes:
        root: Its folder.
    """

    root: Path

    def refresh(self) -> None:
        """Makes the sources those of this checkout; a file that is the same already keeps its time."""
        ours, copies = ROOT / "firmware", self.root / "firmware"
        wanted = {path.relative_to(ours) for path in ours.rglob("*") if path.is_file()}
        for path in copies.rglob("*"):
            if path.is_file() and path.relative_to(copies) not in wanted:
                path.unlink()
        for name in wanted:
            copy, content = copies / name, (ours / name).read_bytes()
            if not copy.exists() or copy.read_bytes() != content:
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ours / name, copy)

    @contextmanager
    def planted(self, *changes: Change) -> Iterator[None]:
        """The copy with some changes, for as long as the context lasts.

        Raises:
            InputError: The text to replace does not stand there exactly once.
        """
        sources = {change.file: (self.root / "firmware" / change.file).read_text() for change in changes}
        broken = dict(sources)
        for change in changes:
            times = broken[change.file].count(change.clean)
            if times != 1:
                do = "write the change anew for the source as it is now"
                what = f"{change.clean!r} in firmware/{change.file}"
                raise InputError.about(what, expected="once", got=f"{times} times", do=do)
            broken[change.file] = broken[change.file].replace(change.clean, change.broken)
        try:
            for name, text in broken.items():
                write_aside(self.root / "firmware" / name, text)
            yield
        finally:
            for name, text in sources.items():
                write_aside(self.root / "firmware" / name, text)
