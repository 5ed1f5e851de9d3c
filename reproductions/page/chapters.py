"""Files of records, and what each has to say in a report."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from priot_hil.harness.paths import ROOT
from priot_hil.harness.schema import Location, parse_json, read_bytes, shown
from priot_hil.reference.errors import InputError

from ..chain import linked
from ..cost.records import read_record
from ..cost.setting import FORMAT as COST
from ..files import sha256
from ..sensitivity.sections import sensitivity_sections
from ..table import FORMAT as TABLE
from ..table import Table, read_table
from .accuracy import accuracy_sections
from .cost import cost_sections
from .sections import Section

RESULTS = ROOT / "docs" / "results"
KNOWN = (TABLE, COST)
TAKEN = ("files", "how", "theme")  # addresses of the page's own
DO = "make it anew with `./run invoke reproduce`"


@dataclass(frozen=True)
class Chapter:
    """What one file has to say.

    Attributes:
        key: Begins the address of each of its parts.
        title: Its heading.
        name: The file, as a command names it.
        records: What is in it, in words.
        hashed: What `hash` is of.
        hash: Stands for the whole file.
        sections: In order.
    """

    key: str
    title: str
    name: str
    records: str
    hashed: str
    hash: str
    sections: tuple[Section, ...]


@dataclass(frozen=True)
class Chosen:
    """Files to report on.

    Attributes:
        files: Those of a known format.
        left_out: A sentence for each that is of another format than is known here.
    """

    files: tuple[Path, ...]
    left_out: tuple[str, ...]


def choose(named: Sequence[Path], published: Path = RESULTS) -> Chosen:
    """The files that a report is about.

    Args:
        named: Files, which must be of a known format, and folders, of which those are taken that are; none for the
            published ones.
        published: Where these are.

    Raises:
        InputError: A file is missing or of no known format, or there is none at all.
    """
    files: list[Path] = []
    left_out: list[str] = []
    for path in named or [published]:
        if not path.is_dir():
            if (found := format_of(path)) not in KNOWN:
                raise InputError.about(f"{path}", expected=_expected(), got=found, do=DO)
            files.append(path)
            continue
        for file in _within(path):
            found = format_of(file)
            if found in KNOWN:
                files.append(file)
            elif found.startswith(("priot-run/", "priot-table/", "priot-cost/")):
                left_out.append(f"{called(file)} is left out: its format is {found}, expected {_expected()}; {DO}.")
    if not files:
        where = ", ".join(map(str, named or [published]))
        got = " ".join(left_out) or "none"
        raise InputError.about("records", expected=f"files of {_expected()} in {where}", got=got, do=DO)
    return Chosen(tuple(dict.fromkeys(files)), tuple(left_out))


def keys(files: Sequence[Path]) -> dict[str, Path]:
    """Files by a key of their own, which is their name, as far as an address may have it."""
    by_key: dict[str, Path] = {}
    for path in files:
        key = stem = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-") or "records"
        for number in count(2):
            if key not in by_key and key not in TAKEN:
                break
            key = f"{stem}-{number}"
        by_key[key] = path
    return by_key


def read_chapter(path: Path, key: str) -> Chapter:
    """What a file has to say.

    Raises:
        InputError: It is damaged.
    """
    name = called(path)
    if format_of(path) == COST:
        cost = read_record(path)
        digest = sha256(path.read_bytes())
        told = f"{len(cost.rows)} rows", "file's SHA-256", digest
        return Chapter(key, cost.title, name, *told, tuple(cost_sections(cost)))
    table = read_table(path)
    told = (
        f"{len(table.records)} of {len(table.cells)} runs",
        "chain's last SHA-256",
        linked(table.entries())[-1].sha256,
    )
    return Chapter(key, table.experiment.title, name, *told, tuple(sections_of(table, name)))


def sections_of(table: Table, name: str) -> list[Section]:
    """The sections of a study or of a table of accuracies, read from the file of that name, as a command names it."""
    return accuracy_sections(table, name) if table.experiment.study is None else sensitivity_sections(table, name)


def format_of(path: Path) -> str:
    """The format that a file says it has; "no format" of one that says none.

    Raises:
        InputError: It cannot be read, or is neither JSON nor JSON Lines.
    """
    place = Location(f"{path}", _expected(), "restore it, or leave it out")
    text = read_bytes(path, place)
    first, _, more = text.partition(b"\n")
    try:
        content = parse_json(text, place)
    except InputError:
        if not more:
            raise
        content = parse_json(first, place)
    body = content.get("body", content) if isinstance(content, dict) else {}
    found = body.get("format", "no format") if isinstance(body, dict) else "no format"
    return found if isinstance(found, str) and found.isprintable() else shown(found)


def called(path: Path) -> str:
    """A file as a command given in the checkout names it."""
    full = path.resolve()
    return full.relative_to(ROOT).as_posix() if full.is_relative_to(ROOT) else str(path)


def _within(folder: Path) -> list[Path]:
    """Tables first, then costs."""
    files = [*sorted(folder.rglob("*.jsonl")), *sorted(folder.rglob("*.json"))]
    return [file for file in files if "kept" not in file.relative_to(folder).parts]


def _expected() -> str:
    return " or ".join(KNOWN)
