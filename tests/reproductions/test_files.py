"""Files: whole or not there, and archives with the same bytes everywhere."""

import io

import numpy as np
import pytest

from priot_hil.harness.files import write_aside
from priot_hil.reference.errors import InputError
from priot_hil.reproductions.files import pack, sha256, unpack

ARRAYS = {"meta": np.array("{}"), "w0": np.arange(-3, 3, dtype=np.int8).reshape(2, 3)}


def test_archive_bytes_are_pinned():
    """No date, no system, no compression: one sum for all machines."""
    assert sha256(pack(ARRAYS)) == "f84188b608acbff9886e1cf9907a7df14dd85004e5e2d084522d22fda83e177f"


def test_archive_gives_the_arrays_back():
    """As they were, and numpy reads them too."""
    arrays = unpack(pack(ARRAYS), "it", "do")
    assert list(arrays) == ["meta", "w0"]
    assert np.array_equal(arrays["w0"], ARRAYS["w0"])
    assert np.array_equal(np.load(io.BytesIO(pack(ARRAYS)))["w0"], ARRAYS["w0"])


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text"])
def test_damaged_archive_is_refused(damage):
    """With its name and what to do."""
    content = bytearray(pack(ARRAYS))
    content[content.index(ARRAYS["w0"].tobytes())] ^= 1
    damaged = {"cut": pack(ARRAYS)[:-40], "flipped": bytes(content), "empty": b"", "text": b"not an archive"}
    with pytest.raises(InputError, match=r"^its name: expected a whole .npz.*; fetch it anew\.$"):
        unpack(damaged[damage], "its name", "fetch it anew")


def test_pickles_are_refused():
    """Reading an archive never runs what is in it."""
    file = io.BytesIO()
    np.savez(file, w0=np.array([{}], dtype=object))
    with pytest.raises(InputError):
        unpack(file.getvalue(), "it", "do")


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
