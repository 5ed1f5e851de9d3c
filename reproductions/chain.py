"""Records as a chain: the hash of each covers its body and, through it, every record before.

A file has a line for each entry: ``{"sha256": ..., "body": {"previous": ..., ...}, "beside": {...}}``. The body is what
must be the same when the same thing is done again; what may differ, such as times and the machine, stands beside it.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from priot_hil.harness.files import write_aside
from priot_hil.harness.schema import Location, Sha256, checked, lines_of, parse_json, read_bytes

from .files import sha256

PREVIOUS = "previous"
DO = "restore it, or make it again with the command that made it"


@dataclass(frozen=True)
class Entry:
    """What one line says.

    Attributes:
        body: JSON that is hashed.
        beside: JSON that is not.
    """

    body: dict[str, Any]
    beside: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Line:
    """A line as it was found.

    Attributes:
        sha256: What it says its body's hash is.
        previous: What its body says the hash of the line before is; empty in the first.
        entry: The rest.
    """

    sha256: str
    previous: str
    entry: Entry

    def body_sha256(self) -> str:
        """The hash that the body has."""
        return digest({**self.entry.body, PREVIOUS: self.previous})


def digest(body: dict[str, Any]) -> str:
    """The SHA-256 of a body: of its JSON in UTF-8, keys sorted, without spaces."""
    return sha256(json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())


def linked(entries: Iterable[Entry]) -> list[Line]:
    """Entries as lines that hang together."""
    lines: list[Line] = []
    for entry in entries:
        line = Line("", lines[-1].sha256 if lines else "", entry)
        lines.append(Line(line.body_sha256(), line.previous, entry))
    return lines


def write_chain(path: Path, entries: Iterable[Entry]) -> str:
    """Write entries.

    Returns:
        The hash of the last one: it stands for the whole file.

    Raises:
        InputError: The folder cannot be written.
    """
    lines = linked(entries)
    texts = [
        json.dumps(
            {"sha256": line.sha256, "body": {PREVIOUS: line.previous, **line.entry.body}, "beside": line.entry.beside},
            ensure_ascii=False,
        )
        for line in lines
    ]
    write_aside(path, "".join(f"{text}\n" for text in texts))
    return lines[-1].sha256


def read_lines(path: Path) -> list[Line]:
    """Read a file's lines as they are, whether they hang together or not.

    Raises:
        InputError: It is missing, empty or cut off, or a line is not of this form.
    """
    place = Location(f"{path}", "a chain of records", DO)
    return [_line(parse_json(text, at), at) for at, text in lines_of(read_bytes(path, place), place)]


def breaks(lines: Sequence[Line]) -> list[str]:
    """Where a chain does not hang together, a sentence each; none where it does."""
    found = []
    before = ""
    for number, line in enumerate(lines, start=1):
        if (own := line.body_sha256()) != line.sha256:
            found.append(f"line {number}: its body has SHA-256 {own[:16]}, but it says {line.sha256[:16]}")
        if line.previous != before:
            said = line.previous[:16] or "nothing"
            found.append(
                f"line {number}: says that {said} comes before it, but there stands {before[:16] or 'nothing'}"
            )
        before = line.sha256
    return found


def read_chain(path: Path) -> list[Entry]:
    """Read the entries of a chain that hangs together.

    Raises:
        InputError: It does not, or it is no chain.
    """
    lines = read_lines(path)
    if found := breaks(lines):
        raise Location(f"{path}", "an unbroken chain of records", DO).refusal(got=found[0])
    return [line.entry for line in lines]


@dataclass(frozen=True)
class _Form:
    """A line."""

    sha256: Sha256
    body: dict[str, Any]
    beside: dict[str, Any]


@dataclass(frozen=True)
class _Body:
    """What is said in every body."""

    previous: Annotated[str, Field(pattern="^([0-9a-f]{64})?$")]


def _line(content: Any, place: Location) -> Line:
    form = checked(_Form, content, place)
    body = dict(content["body"])  # as it was parsed
    said = {name: body.pop(name) for name in (PREVIOUS,) if name in body}
    return Line(form.sha256, checked(_Body, said, place.of("body")).previous, Entry(body, content["beside"]))
