"""What came of each mutant, kept line by line so that a campaign goes on where it stopped."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field

from priot_hil.harness.paths import ROOT
from priot_hil.harness.schema import (
    Count,
    Finding,
    Location,
    Positive,
    Seconds,
    Text,
    checked,
    expect_none,
    lines_of,
    parse_json,
    read_bytes,
    read_toml,
)
from priot_hil.reference.errors import InputError

from .mutant import Mutant

EQUIVALENT = Path(__file__).parent / "equivalent.toml"
SUITE = (
    "tests/conftest.py",
    "tests/equivalence/*.py",
    "tests/harness/conftest.py",
    "tests/harness/test_de*.py",
    "tests/description_rules.py",
    "tests/capsules/golden/*.npz",
    "harness/strategies/*.py",
    "harness/compare.py",
    "reference/*.py",
    "firmware/**/*.[ch]",
    "firmware/CMakeLists.txt",
)


class Verdict(StrEnum):
    """What came of a mutant."""

    FAILED = "failed"  # a test
    CRASHED = "crashed"
    HUNG = "hung"
    SURVIVED = "survived"
    SAME_CODE = "same code"
    NOT_COMPILED = "does not compile"


KILLED = (Verdict.FAILED, Verdict.CRASHED, Verdict.HUNG)


@dataclass(frozen=True)
class Size:
    """How small the failing case became: its weights, its values that are not zero, and its training steps."""

    weights: Count
    nonzero: Count
    steps: Count


@dataclass(frozen=True)
class Record:
    """A mutant and what came of it.

    Attributes:
        id, file, operator, line, before, after: The mutant's.
        verdict: What came of it.
        test: The first test that it did not pass.
        seconds: From the start of the suite to that.
        said: The first line of the failure.
        size: Of the shrunk case, where one was asked for and kept.
    """

    id: Text
    file: Text
    operator: Text
    line: Positive
    before: str
    after: str
    verdict: Verdict
    test: str = ""
    seconds: Seconds = 0.0
    said: str = ""
    size: Size | None = None


def fingerprint(root: Path = ROOT) -> str:
    """A hash of all that decides a verdict: the firmware, the suite, and what the suite is held against."""
    digest = hashlib.sha256()
    for pattern in SUITE:
        for path in sorted(root.glob(pattern)):
            digest.update(f"{path.relative_to(root).as_posix()}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


@dataclass
class Results:
    """The records of a campaign, in their file.

    Attributes:
        path: One line of JSON for each record, with the fingerprint it holds for.
        key: The fingerprint of today; records of another one are left alone.

    Raises:
        InputError: A line is no record; but the last one may be cut off, and is left out then.
    """

    path: Path
    key: str

    def __post_init__(self) -> None:
        self.records: dict[str, Record] = {}
        self._whole: int | None = None  # bytes of whole lines, behind which a first record is added
        if not self.path.exists() or not self.path.stat().st_size:
            return
        place = Location(f"{self.path}", "records of mutants", "remove what is wrong, and it is tried again")
        content = read_bytes(self.path, place)
        self._whole = content.rfind(b"\n") + 1
        for at, text in lines_of(content, place, may_be_cut=True):
            entry = parse_json(text, at)
            if not isinstance(entry, dict) or not isinstance(key := entry.pop("key", None), str):
                raise at.refusal("key", expected="the fingerprint that a record holds for", got="none")
            if key == self.key:
                record = checked(Record, entry, at)
                expect_none(findings(record), at)
                self.records[record.id] = record

    def add(self, record: Record) -> None:
        """Adds a record, or one that replaces an earlier one of the same mutant.

        Raises:
            InputError: The file cannot be written.
        """
        self.records[record.id] = record
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self._whole is not None:
                os.truncate(self.path, self._whole)
                self._whole = None
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": self.key} | asdict(record)) + "\n")
        except OSError as error:
            do = "choose a folder that can be written and has room"
            raise InputError.about(str(self.path), expected="a file to add to", got=str(error), do=do) from error


def findings(record: Record) -> Iterator[Finding]:
    """What in a record does not fit together."""
    if record.id.split(":")[::2][:2] != [Path(record.file).name, record.operator]:
        yield "id", f"one of {record.operator} in {record.file}", record.id
    if not record.test if record.verdict is Verdict.FAILED else record.test and record.verdict not in KILLED:
        yield "test", "one that did not pass, where the mutant was killed", record.test


def describe(mutant: Mutant) -> dict[str, object]:
    """What a record says of a mutant."""
    names = ("id", "file", "operator", "line", "before", "after")
    return {name: getattr(mutant, name) for name in names}


@dataclass(frozen=True)
class Argument:
    """The form of an entry of the arguments; no device stands for all of them."""

    mutants: Annotated[tuple[Text, ...], Field(min_length=1)]
    argument: Annotated[str, Field(pattern=r"\S")]
    devices: tuple[Text, ...] = ()


def arguments(device: str, path: Path = EQUIVALENT) -> dict[str, str]:
    """Why a mutant computes the same, by its id.

    Args:
        device: What was mutated; some arguments hold on one device only, and say so.
        path: Where they stand.

    Raises:
        InputError: An entry lacks its mutants or its argument, or a mutant is in two.
    """
    found: dict[str, str] = {}
    place = Location(path.name, "arguments by a name", "correct it")
    for name, entry in checked(dict[Text, Argument], read_toml(path, place), place).items():
        if twice := [mutant for mutant in entry.mutants if mutant in found]:
            raise place.refusal(name, expected="mutants of its own", got=f"{twice[0]}, which is in another one too")
        if device in (entry.devices or [device]):
            found |= dict.fromkeys(entry.mutants, " ".join(entry.argument.split()))
    return found


def stale(argued: Iterable[str], mutants: Iterable[Mutant]) -> list[str]:
    """The ids that are argued about and that no mutant has any more."""
    known = {mutant.id for mutant in mutants}
    return sorted(set(argued) - known)
