"""The kinds of options: what each takes, and the sentence with which it refuses all else."""

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from priot_hil.harness.options import BAUD, BITS_PER_SECOND, Existing, Kind, Number, OneOf, Place, Text, Whole, shown
from priot_hil.reference.errors import InputError

SMALL = Whole(-3, 40)
RATIO = Number(0, 1e6)


def taken(kind: Kind, text: str) -> object:
    """The value, or None where the text is refused, in one sentence of the usual form."""
    try:
        return kind.read("--it", text)
    except InputError as error:
        said = str(error)
    assert re.fullmatch(r"--it: expected .+, got .+; .+\.", said), said
    assert said.isprintable()
    assert len(said) < 300
    return None


@given(value=st.integers())
@example(value=-4)
@example(value=-3)
@example(value=40)
@example(value=41)
def test_whole_numbers_in_their_range_are_taken_and_no_others(value: int) -> None:
    """As Python writes them; zeros before them, as many as you like, are no harm."""
    expected = value if -3 <= value <= 40 else None
    assert taken(SMALL, str(value)) == expected
    sign = "-" if value < 0 else ""
    assert taken(SMALL, f"{sign}{'0' * 5000}{abs(value)}") == expected


@given(text=st.text())
def test_any_text_is_a_whole_number_or_refused(text: str) -> None:
    """Never something else, and never another exception: Python's own int() takes much more."""
    if re.fullmatch("-?[0-9]+", text):
        assert taken(SMALL, text) == (int(text) if -3 <= int(text) <= 40 else None)
    else:
        assert taken(SMALL, text) is None


@pytest.mark.parametrize("text", ["1_0", " 5", "5 ", "٣", "\uff15", "1e1", "5.0", "0x5", "+5", "", "-", "9" * 5000])
def test_what_python_would_take_and_we_do_not(text: str) -> None:
    """Numbers to somebody, but not the ones that are asked for; five thousand digits are more than int() reads."""
    assert taken(SMALL, text) is None


@pytest.mark.parametrize(("text", "value"), [("0", 0.0), ("2.5", 2.5), ("1000000", 1e6), ("007", 7.0)])
def test_numbers(text: str, value: float) -> None:
    """In decimal notation."""
    assert taken(RATIO, text) == value


@pytest.mark.parametrize("text", ["nan", "inf", "1e3", "-0.1", "1000000.1", "1_0", "", ".5", "5.", "9" * 5000, "1,5"])
def test_numbers_that_are_none(text: str) -> None:
    """Infinity and what is no number are in no range."""
    assert taken(RATIO, text) is None


@given(text=st.text())
def test_texts_are_on_one_line_and_not_empty(text: str) -> None:
    """What is taken is taken as it is, also as a path."""
    is_legal = bool(text.strip()) and text.isprintable()
    assert taken(Text("a name"), text) == (text if is_legal else None)
    assert taken(Place("a place"), text) == (Path(text) if is_legal else None)
    assert taken(OneOf(("kill", "reset")), text) == (text if text in ("kill", "reset") else None)


def test_the_longest_text() -> None:
    """Four thousand characters, and not one more."""
    assert taken(Text("a name"), "a" * 4000) == "a" * 4000
    assert taken(Text("a name"), "a" * 4001) is None


def test_one_of_many_names() -> None:
    """All of them are in the sentence."""
    with pytest.raises(InputError, match=r"^--how: expected a, b or c, got 'd'; name one of them\.$"):
        OneOf(("a", "b", "c")).read("--how", "d")
    assert OneOf(("a",)).legal == "a"


def test_what_is_there(tmp_path: Path) -> None:
    """A file; a folder only where one will do; nothing else."""
    file = tmp_path / "file"
    file.write_text("")
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    (tmp_path / "link").symlink_to(file)
    (tmp_path / "round").symlink_to(tmp_path / "round")
    here = {"file": file, "link": tmp_path / "link", "": tmp_path}
    for name in ("file", "link", "", "nothing", "dangling", "round", "file/below", "n" * 300):
        path = tmp_path / name
        assert taken(Existing("a file"), str(path)) == (here.get(name) if name else None)
        assert taken(Existing("a file", or_folder=True), str(path)) == here.get(name)
    assert taken(Existing("a file", or_folder=True), "/dev/null") is None


def test_a_long_value_is_cut_in_a_refusal() -> None:
    """It stands on one line, whatever is in it."""
    assert shown("a" * 61) == repr("a" * 60 + "...")
    assert shown("a\nb") == r"'a\nb'"
    assert BITS_PER_SECOND.read("--baud", str(BAUD)) == BAUD
