"""Builds whose folder cannot be written: taken where they are up to date, else refused in one sentence."""

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest
from unwritable import unwritable

from priot_hil.harness import byproducts, firmware_folder
from priot_hil.harness.emulator import shim
from priot_hil.harness.firmware import BuildError, build
from priot_hil.harness.firmware_folder import building, require_built, state_of, turn
from priot_hil.harness.paths import BUILD
from priot_hil.reference.errors import InputError

CANNOT = OSError(errno.EROFS, "Read-only file system")


@pytest.fixture(autouse=True)
def said(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is said of by-products."""
    sentences: list[str] = []
    monkeypatch.setattr(byproducts, "_said", set())
    earlier = byproducts.use_listener(sentences.append)
    yield sentences
    byproducts.use_listener(earlier)


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC, errno.EACCES])
def test_the_build_of_this_checkout_needs_no_writing(said: list[str], number: int) -> None:
    """The same library and process, without a look at what would have to be built."""
    built = build("host")
    with unwritable(BUILD / "firmware", number):
        assert build("host") == built
    assert len(said) == 1


def test_a_build_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """With the reason why it cannot be made, and the command that makes it."""
    sources = tmp_path / "firmware"
    (sources / "cmake").mkdir(parents=True)
    (sources / "CMakePresets.json").write_text("{}")
    pattern = (
        r"host: expected a folder that can be written, got No space left on device, and no build .* --preset host`"
    )
    with unwritable(tmp_path / "build", errno.ENOSPC), pytest.raises(InputError, match=pattern):
        build("host", tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a build."""
    path = tmp_path / "build" / "host"
    path.mkdir(parents=True)
    return path


def test_only_a_whole_build_counts(folder: Path) -> None:
    """One of a single target, one that failed and one of other sources do not; the last whole one does."""
    with building(folder, "first", is_whole=True):
        pass
    require_built(folder, "first", CANNOT, "x")
    with pytest.raises(InputError):
        require_built(folder, "second", CANNOT, "x")
    with building(folder, "second", is_whole=False):
        pass
    for state in ("first", "second"):
        with pytest.raises(InputError):
            require_built(folder, state, CANNOT, "x")
    with pytest.raises(BuildError), building(folder, "second", is_whole=True):
        raise BuildError("compiler")
    with pytest.raises(InputError):
        require_built(folder, "second", CANNOT, "x")
    with building(folder, "second", is_whole=True):
        pass
    with building(folder, "second", is_whole=False):  # a part of what is there already
        pass
    require_built(folder, "second", CANNOT, "x")


def test_each_change_is_another_state(tmp_path: Path) -> None:
    """Content, name, place and configuration; not what Python leaves there."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.c").write_text("1")
    states = [state_of(tmp_path, "gcc"), state_of(tmp_path, "zig")]
    (tmp_path / "a" / "x.c").write_text("2")
    states.append(state_of(tmp_path, "zig"))
    (tmp_path / "a" / "x.c").rename(tmp_path / "a" / "y.c")
    states.append(state_of(tmp_path, "zig"))
    (tmp_path / "a" / "z.c").touch()
    states.append(state_of(tmp_path, "zig"))
    assert len(set(states)) == len(states)
    (tmp_path / "a" / "__pycache__").mkdir()
    (tmp_path / "a" / "__pycache__" / "x.pyc").write_text("x")
    assert state_of(tmp_path, "zig") == states[-1]


def test_a_turn_says_why_nothing_can_be_written(tmp_path: Path) -> None:
    """And the block runs in any case."""
    with turn(tmp_path / "good" / "host") as cannot:
        assert cannot is None
    with unwritable(tmp_path / "bad", errno.EROFS), turn(tmp_path / "bad" / "host") as cannot:
        assert cannot is not None
        assert cannot.errno == errno.EROFS


def test_what_was_built_need_not_be_noted(folder: Path, said: list[str]) -> None:
    """A disk that is full just then costs only the note."""
    with unwritable(folder / firmware_folder.BUILT, errno.ENOSPC), building(folder, "state", is_whole=True):
        pass
    assert said == [] or len(said) == 1


@pytest.mark.slow
def test_the_emulator_is_compiled_where_its_cache_cannot_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    """For this process alone; nothing is left in the temporary folder."""
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(shim, "CACHE", tmp_path / "cache")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    with unwritable(tmp_path / "cache", errno.EROFS):
        library = shim._built()
    assert library.machine_state_bytes
    assert len(said) == 1
    assert not list((tmp_path / "scratch").iterdir())


def test_the_emulator_needs_room_somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence where there is none at all."""
    monkeypatch.setattr(shim, "CACHE", tmp_path / "cache")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    with unwritable(tmp_path, errno.ENOSPC), pytest.raises(InputError, match=r"room to compile .* No space .* TMPDIR"):
        shim._built()
