"""The one reader of JSON, JSON Lines and TOML: what it takes as it is, and what it refuses with the field's name."""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from priot_hil.harness.schema import (
    Count,
    Crc32,
    Hexadecimal,
    Index,
    Location,
    Positive,
    Seconds,
    Sha256,
    Text,
    checked,
    expect_as_written,
    expect_format,
    expect_none,
    lines_of,
    parse_json,
    parse_toml,
    read_bytes,
    read_json,
    read_toml,
    under,
)
from priot_hil.reference.errors import InputError

FILE = Location("a file", "what it should be", "correct it")


class Way(StrEnum):
    """Two names."""

    ONE = "one"
    OTHER = "other"


@dataclass(frozen=True)
class Inner:
    """Within another."""

    count: int
    ways: tuple[Way, ...] = ()


@dataclass(frozen=True)
class Outer:
    """One field of each kind."""

    count: Count
    positive: Positive
    crc: Crc32
    seconds: Seconds
    text: Text
    sha256: Sha256
    build: Hexadecimal
    flag: bool
    inner: Inner
    by_index: dict[Index, tuple[int, int]] | None


SOUND: dict[str, Any] = {
    "count": 0,
    "positive": 1,
    "crc": 2**32 - 1,
    "seconds": 1,
    "text": "a \u2028 b",
    "sha256": "0a" * 32,
    "build": "0a1b",
    "flag": False,
    "inner": {"count": -5, "ways": ["one", "other"]},
    "by_index": {"0": [1, 2], "10": [-1, 0]},
}


def test_what_is_legal_is_read() -> None:
    """As objects that are written as they were."""
    found = checked(Outer, SOUND, FILE)
    assert found.inner == Inner(-5, (Way.ONE, Way.OTHER))
    assert json.loads(json.dumps(asdict(found))) == SOUND
    assert checked(dict[str, tuple[Inner, ...]], {"a": [{"count": 1}]}, FILE) == {"a": (Inner(1),)}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"count": -1}, "count: expected greater than or equal to 0, got -1; correct it."),
        ({"count": 2**64}, "count: expected less than 18446744073709551616, got 18446744073709551616;"),
        ({"count": True}, "count: expected a valid integer, got True;"),
        ({"count": 1.0}, "count: expected a valid integer, got 1.0;"),
        ({"count": "1"}, "count: expected a valid integer, got '1';"),
        ({"count": None}, "count: expected a valid integer, got None;"),
        ({"count": float("nan")}, "count: expected a valid integer, got nan;"),
        ({"positive": 0}, "positive: expected greater than or equal to 1, got 0;"),
        ({"crc": 2**32}, "crc: expected less than 4294967296, got 4294967296;"),
        ({"seconds": -0.5}, "seconds: expected greater than or equal to 0, got -0.5;"),
        ({"seconds": float("nan")}, "seconds: expected a finite number, got nan;"),
        ({"seconds": float("inf")}, "seconds: expected a finite number, got inf;"),
        ({"seconds": False}, "seconds: expected a valid number, got False;"),
        ({"text": ""}, "text: expected string should have at least 1 character, got '';"),
        ({"text": 5}, "text: expected a valid string, got 5;"),
        ({"text": ["a"]}, "text: expected a valid string, got ['a'];"),
        ({"sha256": "0A" * 32}, "sha256: expected string should match pattern"),
        ({"sha256": "0a" * 31}, "sha256: expected string should match pattern"),
        ({"sha256": "0a" * 32 + "\n"}, "sha256: expected string should match pattern"),
        ({"build": "0a1"}, "build: expected string should match pattern"),
        ({"flag": 0}, "flag: expected a valid boolean, got 0;"),
        ({"flag": "true"}, "flag: expected a valid boolean, got 'true';"),
        ({"inner": {}}, "inner.count: expected a value, got nothing;"),
        ({"inner": {"count": 1, "more": 2}}, "inner.more: expected no such key, got 2;"),
        ({"inner": {"count": 1, "ways": ["one", "third"]}}, "inner.ways[1]: expected 'one' or 'other', got 'third';"),
        ({"inner": [1]}, "inner: expected an object, got [1];"),
        ({"by_index": {"07": [1, 2]}}, "by_index['07']: expected string should match pattern"),
        ({"by_index": {"-1": [1, 2]}}, "by_index['-1']: expected string should match pattern"),
        ({"by_index": {"7": [1]}}, "by_index['7'][1]: expected a value, got nothing;"),
        ({"by_index": {"7": [1, 2, 3]}}, "by_index['7']: expected tuple should have at most 2 items"),
        ({"by_index": []}, "by_index: expected an object, got [];"),
        ({"a\nkey": 1}, "['a\\nkey']: expected no such key, got 1;"),
        ({"text": "x" * 1000, "more": "y" * 1000}, "more: expected no such key, got 'yyy"),
    ],
)
def test_what_is_not_is_refused_in_one_line(change: dict[str, Any], reason: str) -> None:
    """With the file, the field, what was expected, what came and what to do."""
    with pytest.raises(InputError) as refused:
        checked(Outer, SOUND | change, FILE)
    said = str(refused.value)
    assert said.startswith(f"a file: {reason}")
    assert len(said) < 300
    assert "\n" not in said


@given(st.sampled_from(sorted(SOUND)), st.booleans())
def test_every_field_is_needed_and_no_other_is_known(name: str, is_missing: bool) -> None:
    """Whichever it is."""
    content = {key: value for key, value in SOUND.items() if key != name}
    with pytest.raises(InputError, match=f"a file: {name}_?: expected (a value, got nothing|no such key)"):
        checked(Outer, content if is_missing else {**SOUND, f"{name}_": SOUND[name]}, FILE)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_json_is_parsed_as_it_is_written(value: object) -> None:
    """Whatever it is, but for floats, which are written in more than one way."""
    for is_ascii in (True, False):
        text = json.dumps(value, ensure_ascii=is_ascii).encode()
        assert parse_json(text, FILE) == value
        assert b"\n" not in text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "EOF"),
        (b"{", "EOF"),
        (b"{}{}", "trailing characters"),
        (b"nonsense", "expected ident"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "the key 'c' twice in one object"),
        (b'{"a": 1, "\\u0061": 2}', "the key 'a' twice in one object"),
        (b'"\xff"', "invalid unicode"),
        (b'"\xed\xa0\x80"', "invalid unicode"),
        (b'"\\ud800"', "hex escape"),
        (b'"\\udc00"', "surrogate|hex escape"),
        (b'"\n"', "control character"),
        (b"[" * 202 + b"]" * 202, "recursion limit exceeded"),
        (b"[" * 10**6, "recursion limit exceeded"),
        (b"1" * 5000, "number out of range"),
        (b"'a'", "expected value"),
        (b"[1,]", "trailing comma"),
        (b"// a\n1", "expected value"),
    ],
)
def test_what_is_no_json_is_refused(text: bytes, reason: str) -> None:
    """Python's own reader takes some of these, ends in a traceback over others, or keeps the last of two keys."""
    with pytest.raises(InputError, match=f"a file: expected what it should be, got no JSON: .*({reason})"):
        parse_json(text, FILE)


@given(st.lists(st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), min_size=1)))
def test_lines_end_at_a_newline_alone(texts: list[str]) -> None:
    """No other character does, whatever Unicode says of it."""
    content = "".join(f"{text}\n" for text in texts).encode()
    found = list(lines_of(content, FILE))
    assert [line.decode() for _, line in found] == texts
    assert [place.name for place, _ in found] == [f"a file, line {n}" for n in range(1, len(texts) + 1)]
    assert list(lines_of(content + b"cut", FILE, may_be_cut=True)) == found
    with pytest.raises(InputError, match=f"a file, line {len(texts) + 1}: expected an end of .*n: it is cut off"):
        list(lines_of(content + b"cut", FILE))


@pytest.mark.parametrize(("content", "got"), [(b"a\n\nb\n", "an empty line"), (b"a\nb\r\n", r"an end of \\r\\n")])
def test_other_ends_are_refused(content: bytes, got: str) -> None:
    """A file that something has converted or filled."""
    with pytest.raises(InputError, match=rf"a file, line 2: expected text that ends with \\n alone, got {got}"):
        list(lines_of(content, FILE))


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    """Missing, a folder, empty, or of another encoding."""
    path = tmp_path / "a"
    for content, got in (
        (None, "No such file or directory"),
        (b"", "an empty file"),
        (b"\xef\xbb\xbf{}", "a byte order mark before it"),
        ("{}".encode("utf-16"), "no (JSON|TOML)"),
        (b"\xff", "no (JSON|TOML)"),
    ):
        if content is not None:
            path.write_bytes(content)
        for read in (read_json, read_toml):
            with pytest.raises(InputError, match=f"a file: expected what it should be, got {got}"):
                read(path, FILE)
    with pytest.raises(InputError, match="got a folder or a device"):
        read_bytes(tmp_path, FILE)


def test_toml_is_parsed() -> None:
    """And what is none is a sentence, also where Python's reader gives up on depth or on digits."""
    assert parse_toml(b'a = "\xc2\xb0"', FILE) == {"a": "°"}
    for text in ("a", f"a = {'[' * 10_000}", f"a = {'1' * 5000}", "a = 1\na = 2", "a = 2025-02-30"):
        with pytest.raises(InputError, match="a file: expected what it should be, got no TOML"):
            parse_toml(text, FILE)


def test_what_is_left_out_or_written_otherwise_is_found() -> None:
    """By its path."""
    written = {"a": [{"b": 1}, {"b": 2}], "c": None}
    expect_as_written(written, written, FILE)
    for content, path in (
        ({"a": [{"b": 1}, {"b": 3}], "c": None}, r": a\[1\]\.b"),
        ({"a": [{"b": 1}, {}], "c": None}, r": a\[1\]"),
        ({"a": [{"b": 1}], "c": None}, ": a"),
        ({"a": [{"b": 1}, {"b": 2}]}, ""),
    ):
        with pytest.raises(InputError, match=f"a file{path}: expected what would be written there"):
            expect_as_written(content, written, FILE)


def test_another_format_is_said_first() -> None:
    """Whatever else is in the file."""
    expect_format({"format": "a/1"}, "a/1", FILE)
    for content, got in (({"format": "a/2"}, "'a/2'"), ({}, "nothing"), ([], "nothing"), ({"format": 1}, "1")):
        with pytest.raises(InputError, match=f"a file: format: expected a/1, got {got};"):
            expect_format(content, "a/1", FILE)


def test_findings_are_said_where_they_are() -> None:
    """The first one, under what holds it."""
    expect_none([], FILE)
    with pytest.raises(InputError, match=r"a file, line 3: a\[2\]\.b\.c: expected 1, got 2; correct it\."):
        expect_none(under("b", [("c", 1, 2), ("d", 3, 4)]), FILE.line(3).of("a").of("[2]"))
