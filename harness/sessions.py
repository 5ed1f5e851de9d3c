"""One folder for each session: what its devices said, and which of them failed."""

import re
import shutil
import time
from pathlib import Path

SESSIONS = Path("sessions")
KEPT = 20  # sessions; older ones are removed when a new one begins
NAME = "%Y-%m-%dT%H-%M-%S"

_current: Path | None = None


def session_folder() -> Path:
    """This session's folder, made when it is not there."""
    if _current is None:
        use_session(new_session())
    assert _current is not None
    _current.mkdir(parents=True, exist_ok=True)
    return _current


def new_session() -> Path:
    """A folder below the current one, called by the local time; the oldest of the earlier ones are removed."""
    base = SESSIONS.absolute()
    earlier = sorted(path for path in base.glob("*T*") if _is_session(path))
    for path in earlier[: max(0, len(earlier) - KEPT + 1)]:
        shutil.rmtree(path, ignore_errors=True)
    return base / time.strftime(NAME)


def use_session(folder: Path | None) -> Path | None:
    """Makes a folder this session's, a new one when asked for where it is None; returns the one before."""
    global _current
    earlier, _current = _current, folder
    return earlier


def new_file(stem: str, suffix: str) -> Path:
    """An empty file of its own in this session's folder; numbered where the name is taken."""
    folder = session_folder()
    stem = re.sub(r"[^A-Za-z0-9.]+", "-", stem.removeprefix("/dev/")).strip("-") or "device"
    number = 1
    while True:
        path = folder / (f"{stem}{suffix}" if number == 1 else f"{stem}-{number}{suffix}")
        try:
            path.touch(exist_ok=False)
            return path
        except FileExistsError:
            number += 1


def _is_session(path: Path) -> bool:
    try:
        time.strptime(path.name, NAME)
    except ValueError:
        return False
    return path.is_dir()
