"""The bugs that are planted, as `planted.toml` lists them."""

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from priot_hil.harness.mutation.named import named_changes
from priot_hil.harness.planting import Change
from priot_hil.reference.errors import InputError

PLANTED = Path(__file__).resolve().parent / "planted.toml"


class Finder(StrEnum):
    """What has to find a bug."""

    SUITE = "suite"
    SANITIZERS = "sanitizers"
    FUZZER = "fuzzer"
    COVERAGE = "coverage"


@dataclass(frozen=True)
class Planted:
    """A bug.

    Attributes:
        finder: What has to find it.
        name: In a few words.
        like: Where such a bug comes from.
        changes: The bug itself.
        says: What a tool has to see in it, as a regular expression; the suite only has to fail.
        target: Of the fuzzer.
    """

    finder: Finder
    name: str
    like: str
    changes: tuple[Change, ...]
    says: str = ""
    target: str = ""


def read_planted(path: Path = PLANTED) -> tuple[Planted, ...]:
    """The bugs in their order.

    Raises:
        InputError: An entry is not as it should be.
    """
    bugs, named = [], named_changes()
    for entry in tomllib.loads(path.read_text())["bug"]:
        try:
            mistake = entry.pop("named", None)
            replaced = [Change(**change) for change in entry.pop("changes", ())]
            changes = (named[mistake],) if mistake is not None else tuple(replaced)
            bugs.append(Planted(Finder(entry.pop("finder")), changes=changes, **entry))
        except (KeyError, TypeError, ValueError) as error:
            expected = "finder, name, like, changes or a named mistake, and says and target for a tool"
            raise InputError.about(f"bug in {path}", expected=expected, got=str(error), do="correct it") from error
    return tuple(bugs)
