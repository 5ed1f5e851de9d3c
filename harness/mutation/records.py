"""What came of each mutant, kept line by line so that a campaign goes on where it stopped."""

import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from priot_hil.harness.files import read_whole
from priot_hil.harness.manifest import OF_ANOTHER_FORM
from priot_hil.harness.paths import ROOT
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

    weights: int
    nonzero: int
    steps: int


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

    id: str
    file: str
    operator: str
    line: int
    before: str
    after: str
    verdict: Verdict
    test: str = ""
    seconds: float = 0.0
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
    """

    path: Path
    key: str

    def __post_init__(self) -> None:
        self.records: dict[str, Record] = {}
        if self.path.exists():
            for line in read_whole(self.path, f"{self.path}", "move it away").split(b"\n"):
                record = _parsed(line, self.key)
                if record is not None:
                    self.add(record, write=False)

    def add(self, record: Record, *, write: bool = True) -> None:
        """Adds a record, or one that replaces an earlier one of the same mutant.

        Raises:
            InputError: The file cannot be written.
        """
        self.records[record.id] = record
        if not write:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a") as file:
                file.write(json.dumps({"key": self.key} | asdict(record)) + "\n")
        except OSError as error:
            do = "choose a folder that can be written and has room"
            raise InputError.about(str(self.path), expected="a file to add to", got=str(error), do=do) from error


def record_of(entry: Mapping[str, Any]) -> Record:
    """A record as it was written."""
    size = entry.get("size")
    parsed = {"verdict": Verdict(entry["verdict"]), "size": None if size is None else Size(**size)}
    return Record(**{**entry, **parsed})


def _parsed(line: bytes, key: str) -> Record | None:
    """A line of the file; None for one that a kill cut short or that is damaged, and for one of another key."""
    try:
        entry = json.loads(line)
        return record_of(entry) if entry.pop("key", None) == key else None
    except OF_ANOTHER_FORM:
        return None


def describe(mutant: Mutant) -> dict[str, object]:
    """What a record says of a mutant."""
    names = ("id", "file", "operator", "line", "before", "after")
    return {name: getattr(mutant, name) for name in names}


def arguments(device: str, path: Path = EQUIVALENT) -> dict[str, str]:
    """Why a mutant computes the same, by its id.

    Args:
        device: What was mutated; some arguments hold on one device only, and say so.
        path: Where they stand.

    Raises:
        InputError: An entry lacks its mutants or its argument, or a mutant is in two.
    """
    found: dict[str, str] = {}
    for name, entry in tomllib.loads(path.read_text()).items():
        ids, argument = entry.get("mutants", []), " ".join(entry.get("argument", "").split())
        twice = [mutant for mutant in ids if mutant in found]
        if not ids or not argument or twice:
            got = f"{twice[0]} in another one too" if twice else "less"
            expected = "a list of mutants and an argument"
            raise InputError.about(f"{path.name}, {name}", expected=expected, got=got, do="correct it")
        if device in entry.get("devices", [device]):
            found |= dict.fromkeys(ids, argument)
    return found


def stale(argued: Iterable[str], mutants: Iterable[Mutant]) -> list[str]:
    """The ids that are argued about and that no mutant has any more."""
    known = {mutant.id for mutant in mutants}
    return sorted(set(argued) - known)
