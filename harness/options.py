"""What an option takes: each kind reads the text that a user typed, or refuses it before anything starts."""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Any, ClassVar

from priot_hil.reference.errors import InputError

BAUD = 115200
MOST_BAUD = 2**31 - 1  # what an operating system's call takes
LONGEST = 4000  # characters of a text, which a path could not have either
LONGEST_SHOWN = 60  # of them in a refusal
WHOLE = re.compile(r"-?[0-9]+")
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def shown(text: str) -> str:
    """A value as a refusal shows it: on one line, and not at any length."""
    return repr(text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}...")


class Kind(ABC):
    """A kind of value.

    Attributes:
        type: What `read` gives; `int` and `str` are what a help text calls it.
    """

    type: ClassVar[type] = str

    @property
    @abstractmethod
    def legal(self) -> str:
        """What is legal, for refusals and help texts."""

    @abstractmethod
    def read(self, what: str, text: str) -> Any:
        """The value of a text.

        Args:
            what: What was given, such as an option with its dashes; the refusal begins with it.
            text: What the user typed.

        Raises:
            InputError: It is not legal.
        """


@dataclass(frozen=True)
class Whole(Kind):
    """A whole number in low..high, both included; digits are ASCII and nothing stands between them."""

    low: int
    high: int
    type: ClassVar[type] = int

    @property
    def legal(self) -> str:
        """See `Kind`."""
        return f"a whole number in {self.low}..{self.high}"

    def read(self, what: str, text: str) -> int:
        """See `Kind`."""
        longest = max(len(str(self.low)), len(str(self.high)))
        digits = text.lstrip("-0") or "0"
        if WHOLE.fullmatch(text) and len(digits) <= longest:  # longer ones Python would not even read
            value = -int(digits) if text.startswith("-") else int(digits)
            if self.low <= value <= self.high:
                return value
        got = text if WHOLE.fullmatch(text) and len(text) <= LONGEST_SHOWN else shown(text)
        raise InputError.about(what, expected=self.legal, got=got, do="choose a value in that range")


@dataclass(frozen=True)
class Number(Kind):
    """A number in low..high, both included, in decimal notation."""

    low: float
    high: float

    @property
    def legal(self) -> str:
        """See `Kind`."""
        return f"a number in {self.low:g}..{self.high:g}"

    def read(self, what: str, text: str) -> float:
        """See `Kind`."""
        value = float(text) if NUMBER.fullmatch(text) else math.nan
        if self.low <= value <= self.high:
            return value
        do = "choose a value in that range"
        raise InputError.about(what, expected=self.legal, got=shown(text), do=do)


@dataclass(frozen=True)
class Text(Kind):
    """A text on one line that is not empty; whoever takes it knows which of them are legal.

    Attributes:
        what: It is, for people.
    """

    what: str

    @property
    def legal(self) -> str:
        """See `Kind`."""
        return self.what

    def read(self, what: str, text: str) -> Any:
        """See `Kind`."""
        if not text.strip() or not text.isprintable() or len(text) > LONGEST:
            do = "give one on one line, or leave it out"
            raise InputError.about(what, expected=self.legal, got=shown(text), do=do)
        return text


class OneOf(Kind):
    """One of some names.

    Args:
        names: All of them.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)

    @property
    def legal(self) -> str:
        """See `Kind`."""
        return " or ".join((", ".join(self.names[:-1]), self.names[-1])) if len(self.names) > 1 else self.names[0]

    def read(self, what: str, text: str) -> str:
        """See `Kind`."""
        if text in self.names:
            return text
        raise InputError.about(what, expected=self.legal, got=shown(text), do="name one of them")


@dataclass(frozen=True)
class Place(Text):
    """A path, of something that is there or that is to be written: who takes it tries it, see `outputs.py`."""

    def read(self, what: str, text: str) -> Path:
        """See `Kind`."""
        return Path(super().read(what, text))


@dataclass(frozen=True)
class Existing(Place):
    """A path of a file that is there, or of a folder too.

    Attributes:
        or_folder: Whether a folder will do.
    """

    or_folder: bool = False

    def read(self, what: str, text: str) -> Path:
        """See `Kind`."""
        path = super().read(what, text)
        try:
            mode = path.stat().st_mode
        except OSError as error:
            got = error.strerror or str(error)
        else:
            if S_ISREG(mode) or (self.or_folder and S_ISDIR(mode)):
                return path
            got = "a folder" if S_ISDIR(mode) else "a device"
        expected = f"{self.what}, a file{' or a folder' if self.or_folder else ''} that is there"
        raise InputError.about(what, expected=expected, got=f"{shown(text)}: {got}", do="check the path")


BITS_PER_SECOND = Whole(1, MOST_BAUD)
