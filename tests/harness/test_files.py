"""Files: read whole, and written whole or not at all."""

from pathlib import Path

import pytest

from priot_hil.harness.files import read_whole, write_aside
from priot_hil.reference.errors import InputError


def test_writing_replaces_and_leaves_nothing_else(tmp_path):
    """The folder is made; only the file is there at the end."""
    path = tmp_path / "new" / "file"
    write_aside(path, "first")
    write_aside(path, "second")
    assert path.read_text() == "second"
    assert [found.name for found in path.parent.iterdir()] == ["file"]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    """Whatever happens before the rename, the file is what it was."""
    path = tmp_path / "file"
    write_aside(path, "first")

    def fail(*_):
        raise OSError("no room")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(InputError, match="no room"):
        write_aside(path, "second")
    assert path.read_text() == "first"
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_cannot_be_is_refused(tmp_path):
    """A sentence, not a traceback."""
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="expected a file that can be written"):
        write_aside(tmp_path / "file" / "below", b"")


def test_what_can_be_read_is_read_whole(tmp_path):
    """Every byte of it."""
    (tmp_path / "file").write_bytes(b"\0\xff")
    assert read_whole(tmp_path / "file", "it", "do") == b"\0\xff"


@pytest.mark.parametrize(
    ("path", "got"),
    [
        ("none", "got No such file or directory"),
        (".", "got a folder or a device"),
        ("file/below", "got Not a directory"),
        ("x" * 300, "got File name too long"),
        ("/dev/zero", "got a folder or a device"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, path, got):
    """With what it is called, why, and what to do; what never ends is not begun."""
    (tmp_path / "file").write_text("")
    assert Path("/dev/zero").exists()
    with pytest.raises(InputError, match=f"^its name: expected a file.*, {got}; do it again\\.$"):
        read_whole(tmp_path / path, "its name", "do it again")
