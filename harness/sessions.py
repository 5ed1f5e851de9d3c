"""One folder for each session: what its devices said, and which of them failed.

A process that works in a session holds a lock on its folder, so that no other one removes it; the lock goes with the
process, however that ends.
"""

import contextlib
import fcntl
import itertools
import os
import re
import shutil
import time
from pathlib import Path

from .byproducts import by_product
from .files import file_stem
from .locks import alone_in, lock

SESSIONS = Path("sessions")
KEPT = 20  # sessions; older ones that have ended are removed when a new one begins
NAME = "%Y-%m-%dT%H-%M-%S"
FORM = re.compile(r"(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d)(-\d+)?")
NUMBER = re.compile(r"\.session-(\d+)")  # an empty file, which takes no room on a full disk

_current: Path | None = None
_locks: dict[Path, int] = {}  # folders in use, with the file descriptor that holds the lock


def session_folder() -> Path:
    """This session's folder, made when it is not there, which is said where it cannot be."""
    if _current is None:
        use_session(new_session())
    assert _current is not None
    with by_product("transcripts", _current.parent):
        _current.mkdir(parents=True, exist_ok=True)
        _hold(_current)
    return _current


def new_session() -> Path:
    """A folder of its own below the current one, called by the local time; the oldest that have ended are removed."""
    base = SESSIONS.absolute()
    name = time.strftime(NAME)
    with by_product("transcripts", base):
        base.mkdir(parents=True, exist_ok=True)
        with alone_in(base) as is_alone:
            earlier = sorted((path for path in base.iterdir() if _is_session(path)), key=_age)
            if is_alone:
                _remove_old(earlier)
            return _made(base, name, 1 + max(map(_number, earlier), default=0))
    return base / f"{name}-{os.getpid()}"  # a name only


def use_session(folder: Path | None) -> Path | None:
    """Makes a folder this session's, a new one when asked for where it is None; returns the one before; it lives on."""
    global _current
    earlier, _current = _current, folder
    if folder is not None and folder.is_dir():
        _hold(folder)
    return earlier


def end_session(earlier: Path | None) -> None:
    """Ends this session, so that its folder may be removed one day, and goes back to the one before."""
    if _current is not None and _current != earlier:
        _let_go(_current)
    use_session(earlier)


def new_file(stem: str, suffix: str) -> Path:
    """An empty file of its own in this session's folder; numbered where the name is taken.

    Raises:
        OSError: The folder cannot be written.
    """
    folder = session_folder()
    folder.mkdir(parents=True, exist_ok=True)  # where it was in vain just now, this says why
    stem = file_stem(stem.removeprefix("/dev/")) or "device"
    for number in itertools.count(1):
        path = folder / (f"{stem}{suffix}" if number == 1 else f"{stem}-{number}{suffix}")
        try:
            path.touch(exist_ok=False)
            return path
        except FileExistsError:
            continue
    raise AssertionError("there is always another number")


def _made(base: Path, name: str, number: int) -> Path:
    """A new folder, held and numbered.

    The numbers say in which order the sessions began; clocks are set back.
    """
    for suffix in itertools.count(1):
        folder = base / (name if suffix == 1 else f"{name}-{suffix}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        _hold(folder)
        with contextlib.suppress(OSError):
            (folder / f".session-{number}").touch()
        return folder
    raise AssertionError("there is always another number")


def _remove_old(earlier: list[Path]) -> None:
    """Removes the first of them, so that with a new one as many are left as are kept; not those that are in use."""
    for folder in earlier[: max(0, len(earlier) - KEPT + 1)]:
        if (descriptor := _open(folder)) is None:
            continue
        try:
            if lock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB):
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(descriptor)


def _hold(folder: Path) -> None:
    """Takes this process's share of a folder's lock; once more where the folder was removed and has been made again."""
    held = _locks.get(folder)
    if held is not None and os.path.samestat(os.fstat(held), folder.stat()):
        return
    _let_go(folder)
    if (descriptor := _open(folder)) is not None:
        lock(descriptor, fcntl.LOCK_SH)
        _locks[folder] = descriptor


def _let_go(folder: Path) -> None:
    if (descriptor := _locks.pop(folder, None)) is not None:
        os.close(descriptor)


def _open(folder: Path) -> int | None:
    try:
        return os.open(folder, os.O_RDONLY)
    except OSError:  # another process has removed it
        return None


def _is_session(path: Path) -> bool:
    found = FORM.fullmatch(path.name)
    try:
        time.strptime(found[1] if found else "", NAME)
    except ValueError:
        return False
    return path.is_dir() and not path.is_symlink()


def _age(folder: Path) -> tuple[int, str]:
    return _number(folder), folder.name


def _number(folder: Path) -> int:
    """The session's place in the order in which they began; 0 where it is not known."""
    try:
        found = [NUMBER.fullmatch(name) for name in os.listdir(folder)]
    except OSError:
        return 0
    return max((int(number[1]) for number in found if number), default=0)
