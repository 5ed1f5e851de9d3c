"""The hash chain: what it covers, what it does not, and that a change is found wherever it is made."""

import hashlib
import json

import pytest

from priot_hil.reference.errors import InputError
from priot_hil.reproductions.chain import Entry, breaks, linked, read_chain, read_lines, write_chain

HASH = "0" * 64
ENTRIES = [Entry({"a": 1}, {"seconds": 3}), Entry({"b": [1, 2], "a": "10 °"}), Entry({"c": None}, {"seconds": 4})]


@pytest.fixture
def path(tmp_path):
    """A file of three entries."""
    write_chain(tmp_path / "chain.jsonl", ENTRIES)
    return tmp_path / "chain.jsonl"


def edit(path, line, change):
    """Change the JSON of a line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    content = json.loads(lines[line])
    change(content)
    lines[line] = json.dumps(content)
    path.write_text("".join(f"{text}\n" for text in lines), encoding="utf-8")


def test_each_hash_is_of_the_body_with_the_hash_before_it(path):
    """Worked out with nothing but JSON and SHA-256: keys sorted, no spaces, UTF-8."""
    before = ""
    for text in path.read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        assert line["body"]["previous"] == before
        plain = json.dumps(line["body"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        before = hashlib.sha256(plain.encode("utf-8")).hexdigest()
        assert line["sha256"] == before
    assert linked(ENTRIES)[-1].sha256 == before


def test_what_is_written_is_read(path):
    """Bodies and what stands beside them."""
    assert read_chain(path) == ENTRIES
    assert breaks(read_lines(path)) == []


def test_what_stands_beside_is_not_hashed(tmp_path, path):
    """Other times, the same chain."""
    later = [Entry(entry.body, {"seconds": 99}) for entry in ENTRIES]
    assert write_chain(tmp_path / "later.jsonl", later) == read_lines(path)[-1].sha256


@pytest.mark.parametrize("line", [0, 1, 2])
def test_a_changed_body_is_found_where_it_is(path, line):
    """And nowhere else."""
    edit(path, line, lambda content: content["body"].update(a=2))
    (found,) = breaks(read_lines(path))
    assert found.startswith(f"line {line + 1}: its body has SHA-256")
    with pytest.raises(InputError, match=f"an unbroken chain of records, got line {line + 1}"):
        read_chain(path)


def test_a_body_hashed_anew_no_longer_fits_its_neighbour(path):
    """The next line names the old hash."""
    changed = linked([ENTRIES[0], Entry({"b": [1, 3], "a": "10 °"})])[1]

    def change(content):
        content["body"]["b"] = [1, 3]
        content["sha256"] = changed.sha256

    edit(path, 1, change)
    (found,) = breaks(read_lines(path))
    assert found.startswith("line 3: says that")


def test_a_missing_and_a_moved_line_are_found(path):
    """The chain says which came before."""
    first, second, third = path.read_text(encoding="utf-8").splitlines()
    path.write_text(f"{first}\n{third}\n", encoding="utf-8")
    assert len(breaks(read_lines(path))) == 1
    path.write_text(f"{second}\n{first}\n{third}\n", encoding="utf-8")
    assert len(breaks(read_lines(path))) == 3


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", ": expected a chain of records, got an empty file"),
        ("{}\n", ", line 1: sha256: expected a value, got nothing"),
        ("[1]\n", r", line 1: expected an object, got \[1\]"),
        ("not JSON\n", ", line 1: expected a chain of records, got no JSON"),
        ('{"sha256": "", "body": {}, "beside": {}}\n', ", line 1: sha256: expected"),
        (f'{{"sha256": "{HASH}", "body": {{}}, "beside": {{}}}}\n', ", line 1: body.previous: expected a value"),
        (f'{{"sha256": "{HASH}", "body": {{"previous": "x"}}, "beside": {{}}}}\n', ", line 1: body.previous: expected"),
        (
            f'{{"sha256": "{HASH}", "body": {{"previous": ""}}, "beside": {{}}, "x": 1}}\n',
            ", line 1: x: expected no su",
        ),
    ],
)
def test_what_is_no_chain_is_refused(path, content, reason):
    """With its name, the line and the field."""
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=f"{path}{reason}"):
        read_chain(path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text[:-1], r"line 3: expected an end of \\n: it is cut off, got the end of the file"),
        (lambda text: text[:-9], r"line 3: expected an end of \\n: it is cut off, got the end of the file"),
        (lambda text: text.replace(b"\n", b"\r\n"), r"line 1: expected text that ends with \\n alone, got an end of"),
        (lambda text: text.replace(b"\n", b"\n\n", 1), "line 2: expected text .* got an empty line"),
        (lambda text: text.replace(b"\n", b"\r"), "line 1: expected an end of"),
        (lambda text: b"\xef\xbb\xbf" + text, "expected a chain of records, got a byte order mark before it"),
        (lambda text: text.replace(b"\xc2\xb0", b"\xb0"), "line 2: expected a chain of records, got no JSON: invalid"),
        (lambda text: text.decode().encode("utf-16"), "line 1: expected"),
        (
            lambda text: text.replace(b'"a": 1', b'"a": 1, "a": 1'),
            "line 1: .* got no JSON: the key 'a' twice in one obj",
        ),
        (lambda text: text.replace(b"10 ", b"\\ud800"), "line 2: .* got no JSON: .*hex escape"),
        (lambda text: text.replace(b"null", b"[" * 100_000 + b"]" * 100_000), "line 3: .* recursion limit exceeded"),
        (lambda text: text.replace(b"null", b"1" * 10_000), "line 3: .* number out of range"),
    ],
)
def test_lines_are_whole_and_of_utf_8(path, change, reason):
    r"""They end at ``\n`` and at nothing else; a file that was cut off or converted is not the one written."""
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(InputError, match=reason):
        read_lines(path)


def test_a_text_may_have_what_ends_a_line_elsewhere(tmp_path):
    """Nothing but a newline parts two records, and one within a text is escaped."""
    ends = "\u2028 \u2029 \x85 \x0b \x0c \x1c \x1d \x1e \r \n \r\n"
    entries = [Entry({"text": ends, ends: 1}, {"text": ends}), Entry({"b": 2})]
    write_chain(tmp_path / "a.jsonl", entries)
    assert read_chain(tmp_path / "a.jsonl") == entries
    assert (tmp_path / "a.jsonl").read_bytes().count(b"\n") == 2
