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
    """This session's folder, by its local time; made, and the oldest ones removed, when first asked for."""
    if _current is None:
        use_session(SESSIONS.absolute() / time.strftime(NAME))
    assert _current is not None
    _current.mkdir(parents=True, exist_ok=True)
    return _current


def use_session(folder: Path) -> None:
    """Makes a folder this session's, so that the workers of one session share it; see `session_folder`."""
    global _current
    _current = folder
    earlier = sorted(path for path in folder.parent.glob("*T*") if _is_session(path) and path != folder)
    for path in earlier[: max(0, len(earlier) - KEPT + 1)]:
        shutil.rmtree(path, ignore_errors=True)


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
