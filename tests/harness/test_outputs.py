"""Outputs are tried before the work: nothing is left behind, and nothing else is replaced or lost."""

import errno
import os
import tempfile
from pathlib import Path

import pytest

from priot_hil.harness.outputs import (
    FileKind,
    beginning,
    check_file,
    check_folder,
    containing,
    json_with,
    keep_aside,
    set_aside,
)
from priot_hil.harness.paths import ROOT
from priot_hil.reference.errors import InputError

KIND = beginning("a list of birds", "# Birds\n")


def everything(folder: Path) -> dict[str, bytes]:
    """All there is, with its content."""
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


@pytest.mark.parametrize("name", ["birds.md", "a/b/c/birds.md", "vögel.md", "b" * 200])
def test_a_new_name_is_free(tmp_path: Path, name: str) -> None:
    """Also in folders that are still to be made; nothing is there afterwards."""
    path = tmp_path / name
    assert check_file(path, KIND) == path
    assert check_folder(path) == path
    assert everything(tmp_path) == {}


@pytest.mark.parametrize("content", ["", "# Birds\n\nmagpie\n"])
def test_an_earlier_one_may_be_replaced(tmp_path: Path, content: str) -> None:
    """And an empty file, as `mktemp` makes one; the check itself replaces nothing."""
    path = tmp_path / "birds.md"
    path.write_text(content)
    check_file(path, KIND)
    assert everything(tmp_path) == {str(path): content.encode()}


@pytest.mark.parametrize("content", [b"# Birds of prey\n", b"a letter\n", b"\n# Birds\n", b"\xff\xfe", bytes(100)])
def test_somebody_else_s_file_stays(tmp_path: Path, content: bytes) -> None:
    """Whatever is in it, and through a link too."""
    path, link = tmp_path / "mine", tmp_path / "link"
    path.write_bytes(content)
    link.symlink_to(path)
    for place in (path, link):
        with pytest.raises(
            InputError, match=r"a new name for a list of birds, or an earlier one, got a file that is none"
        ):
            check_file(place, KIND)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("name", "got"),
    [
        ("folder", "a folder"),
        ("/dev/null", "a device"),
        ("file/below", "Not a directory"),
        ("/proc/nosuch/below", "No such file"),
        ("n" * 300, "too long"),
        ("n" * 250, "too long"),
    ],
)
def test_where_no_file_can_be(tmp_path: Path, name: str, got: str) -> None:
    """A sentence, and all is as it was; /dev/null is not replaced by a file, as root could do."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("a letter\n")
    before = everything(tmp_path)
    with pytest.raises(InputError, match=got):
        check_file(tmp_path / name, KIND)
    assert everything(tmp_path) == before
    assert not Path("/dev/null").is_file()


@pytest.mark.parametrize("name", ["file", "file/below", "/dev/null", "/proc/nosuch", "n" * 300])
def test_where_no_folder_can_be(tmp_path: Path, name: str) -> None:
    """A file, below one, and where the system lets nobody write."""
    (tmp_path / "file").write_text("a letter\n")
    before = everything(tmp_path)
    with pytest.raises(InputError, match="expected a folder"):
        check_folder(tmp_path / name)
    assert everything(tmp_path) == before


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EDQUOT])
def test_a_disk_that_takes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Full, read-only, somebody else's: seen before the work, with the system's own reason."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", refuse)
    for check in (lambda: check_file(tmp_path / "a" / "birds.md", KIND), lambda: check_folder(tmp_path / "a")):
        with pytest.raises(InputError, match=os.strerror(number)):
            check()


@pytest.mark.parametrize(
    ("kind", "own", "others"),
    [
        (KIND, "# Birds\nx", ["Birds", " # Birds\n"]),
        (containing("birds", "wings", "beak"), "a beak and wings", ["wings", "beak", ""]),
        (json_with("birds", "wings", "beak"), '{"beak": 1, "wings": 2}', ["[1]", '{"beak": 1}', "{", '"beak"', "1"]),
    ],
)
def test_kinds(kind: FileKind, own: str, others: list[str]) -> None:
    """Known by what is in them."""
    assert kind.is_one(own)
    assert not any(map(kind.is_one, others))


def test_what_is_kept_aside_is_never_lost(tmp_path: Path) -> None:
    """Each has a new name, in the order of the alphabet of numbers; what has such a name already stays."""
    path, said = tmp_path / "birds.json", list[str]()
    (tmp_path / "birds-earlier-2.json").write_text("an old one")
    for text in ("one", "two", "three"):
        path.write_text(text)
        set_aside(path, "holds other birds", said.append)
        assert not path.exists()
    names = ["birds-earlier-1.json", "birds-earlier-3.json", "birds-earlier-4.json"]
    assert [(tmp_path / name).read_text() for name in names] == ["one", "two", "three"]
    assert (tmp_path / "birds-earlier-2.json").read_text() == "an old one"
    assert said == [f"{path} holds other birds; it is kept as {tmp_path / name}." for name in names]


def test_kept_aside_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on some file systems; names that are taken stay."""

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "birds"
    for number, text in enumerate(("one", "two"), start=1):
        path.write_text(text)
        assert keep_aside(path) == tmp_path / f"birds-earlier-{number}"
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {
        "birds-earlier-1": "one",
        "birds-earlier-2": "two",
    }


@pytest.mark.parametrize("name", ["docs/results/classes.md", "docs/results/new.md", "docs", "docs/a/b/c.json"])
def test_what_is_published_is_left_to_publish(name: str) -> None:
    """A file or folder there, whether it is there yet or not, by whatever way it is named."""
    anything = FileKind("anything", lambda text: True)
    for path in (ROOT / name, ROOT / "tests" / ".." / name):
        for check in (lambda path: check_file(path, anything), check_folder):
            with pytest.raises(InputError, match=r"expected a place outside of docs/, got one in it; choose another"):
                check(path)
