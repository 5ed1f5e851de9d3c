"""Files that the project reads back: JSON, JSON Lines and TOML, each held against a schema of types and ranges.

A schema is a dataclass whose annotations say what is legal. Nothing is converted: `true` and `1.0` are no whole
numbers, a text is no number, and a key that is missing, unknown or there twice is refused.
"""

import codecs
import json
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from reprlib import Repr
from typing import Annotated, Any, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from priot_hil.reference.errors import InputError

T = TypeVar("T")
Finding = tuple[str, object, object]  # a field that does not fit the others, what was expected there, and what it says

Count = Annotated[int, Field(ge=0, lt=2**64)]
Positive = Annotated[int, Field(ge=1, lt=2**64)]
Seconds = Annotated[float, Field(ge=0)]
Text = Annotated[str, Field(min_length=1)]
Crc32 = Annotated[int, Field(ge=0, lt=2**32)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Index = Annotated[str, Field(pattern="^(0|[1-9][0-9]{0,8})$")]  # a key of JSON that counts from 0
Hexadecimal = Annotated[str, Field(pattern="^([0-9a-f]{2})+$")]

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
_short = Repr()
_short.maxstring = _short.maxother = _short.maxlong = 60


@dataclass(frozen=True)
class Location:
    """Where something was read, and what to do where it is not legal.

    Attributes:
        name: The file, and the line where it has lines.
        expected: What should stand there, in words.
        do: What to do, as an imperative without a full stop.
        field: The path of a value within it; empty for all of it.
    """

    name: str
    expected: str
    do: str
    field: str = ""

    def line(self, number: int) -> "Location":
        """A line of the file, counted from 1."""
        return replace(self, name=f"{self.name}, line {number}")

    def of(self, field: str) -> "Location":
        """What stands under a path within this place."""
        joint = "." if self.field and field and not field.startswith("[") else ""
        return replace(self, field=f"{self.field}{joint}{field}")

    def refusal(self, field: str = "", *, got: object, expected: object = None) -> InputError:
        """The sentence that says what is wrong here.

        Args:
            field: The path of the value within this place.
            got: What stands there.
            expected: What should; None for what this place should be.
        """
        path = self.of(field).field
        what = f"{self.name}: {path}" if path else self.name
        return InputError.about(what, expected=self.expected if expected is None else expected, got=got, do=self.do)


def shown(value: object) -> str:
    """A value of a file for a sentence, cut where it is long."""
    return _short.repr(value)


def read_bytes(path: Path, place: Location) -> bytes:
    """The content of a file.

    Raises:
        InputError: It cannot be read, is no regular file, is empty or begins with a byte order mark.
    """
    if path.exists() and not path.is_file():
        raise place.refusal(got="a folder or a device")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise place.refusal(got=error.strerror or error) from error
    if not content:
        raise place.refusal(got="an empty file")
    if content.startswith(codecs.BOM_UTF8):
        raise place.refusal(got="a byte order mark before it")
    return content


def lines_of(content: bytes, place: Location, *, may_be_cut: bool = False) -> Iterator[tuple[Location, bytes]]:
    r"""The lines of a file, each with its place; they end at ``\n`` and at no other character.

    Args:
        content: Of the file.
        place: The file.
        may_be_cut: Whether whoever wrote it may have been killed over the last line, which is left out then.

    Raises:
        InputError: A line is empty, ends with ``\r\n`` or, as the last one, with nothing.
    """
    *lines, rest = content.split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line or line.endswith(b"\r"):
            got = "an end of \\r\\n" if line else "an empty line"
            raise place.line(number).refusal(got=got, expected="text that ends with \\n alone")
        yield place.line(number), line
    if rest and not may_be_cut:
        raise place.line(len(lines) + 1).refusal(got="the end of the file", expected="an end of \\n: it is cut off")


def parse_json(text: bytes, place: Location) -> Any:
    """Parse JSON in UTF-8; NaN and infinities, which are no JSON, are left to the schema, which names their field.

    Raises:
        InputError: It is not JSON, is nested more than 200 deep, has a key twice in one object or half of a surrogate
            pair in a text.
    """
    try:
        from_json(text)  # stricter than Python's own, which in turn shows the keys that are there twice
        return json.loads(text.decode(), object_pairs_hook=_unique)
    except ValueError as error:
        raise place.refusal(got=f"no JSON: {error}".replace(" at line 1 column ", " at column ")) from error


def read_json(path: Path, place: Location) -> Any:
    """Parse a file of JSON; see `read_bytes` and `parse_json`."""
    return parse_json(read_bytes(path, place), place)


def read_toml(path: Path, place: Location) -> dict[str, Any]:
    """Parse a file of TOML.

    Raises:
        InputError: See `read_bytes`; or it is not TOML.
    """
    return parse_toml(read_bytes(path, place), place)


def parse_toml(text: bytes | str, place: Location) -> dict[str, Any]:
    """Parse TOML; see `read_toml`."""
    try:
        return tomllib.loads(text.decode() if isinstance(text, bytes) else text)
    except (ValueError, RecursionError) as error:
        raise place.refusal(got=f"no TOML: {error}") from error


def checked(kind: Callable[..., T], content: object, place: Location) -> T:
    """Hold parsed JSON against a schema.

    Args:
        kind: The schema: a dataclass, or a container of such.
        content: What was parsed.
        place: Where it comes from.

    Returns:
        The content as an object of that kind.

    Raises:
        InputError: It is not legal; names the field.
    """
    try:
        found: T = _adapter(kind).validate_json(json.dumps([content]))[0]
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
    else:
        return found
    field = path_of(first["loc"][1:])
    if first["type"] == "missing":
        raise place.refusal(field, expected="a value", got="nothing")
    if first["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        raise place.refusal(field, expected="no such key", got=shown(first["input"]))
    message = first["msg"].removeprefix("Input should be ")
    raise place.refusal(field, expected=message[:1].lower() + message[1:], got=shown(first["input"]))


def under(field: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Findings within a value, as those of what holds it."""
    return ((f"{field}.{below}", expected, got) for below, expected, got in findings)


def expect_none(findings: Iterable[Finding], place: Location) -> None:
    """Refuse content in which something does not fit together.

    Raises:
        InputError: There is a finding; the first is said.
    """
    for field, expected, got in findings:
        raise place.refusal(field, expected=expected, got=got if got and isinstance(got, str) else shown(got))


def expect_format(content: object, expected: str, place: Location) -> None:
    """Refuse another format than this one before anything else is said of a file.

    Raises:
        InputError: It is no object, or its key "format" says otherwise.
    """
    found = content.get("format") if isinstance(content, Mapping) else None
    if found != expected:
        raise place.refusal("format", expected=expected, got="nothing" if found is None else shown(found))


def expect_as_written(content: object, written: object, place: Location) -> None:
    """Refuse a file that would be written otherwise: where something is left out, or a number is no plain number.

    Args:
        content: What was parsed.
        written: What is written of the objects that it was read as, parsed.
        place: Where it comes from.

    Raises:
        InputError: The two differ.
    """
    if (path := _difference(content, written)) is not None:
        raise place.refusal(path_of(path), expected="what would be written there", got="something else, or nothing")


def path_of(parts: tuple[int | str, ...]) -> str:
    """A path within JSON, such as ``epochs[3].counts.moved``."""
    steps = (f".{part}" if str(part).isidentifier() else f"[{shown(part)}]" for part in parts if part != "[key]")
    return "".join(steps).removeprefix(".")


def _difference(one: object, other: object) -> tuple[int | str, ...] | None:
    """The path to the first value that differs; None where all is equal."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        pairs: Iterable[tuple[int | str, object, object]] = ((key, value, other[key]) for key, value in one.items())
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = ((i, *both) for i, both in enumerate(zip(one, other, strict=True)))
    else:
        return None if one == other else ()
    below = ((step, _difference(mine, theirs)) for step, mine, theirs in pairs)
    return next(((step, *path) for step, path in below if path is not None), None)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(tuple[kind], config=STRICT)  # which dataclasses within it take over


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {shown(twice)} twice in one object")
    return content
