"""The folder of a firmware build: one process at a time in it, and what it holds where it cannot be written."""

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from priot_hil.reference.errors import InputError

from .byproducts import by_product, reason, say_not_kept
from .files import replace_file

BUILT = "built"  # the state of the sources that all of the build was made from


@contextmanager
def turn(folder: Path) -> Iterator[OSError | None]:
    """One process at a time in the block; gives None, or why nothing can be written there."""
    lock = folder.with_name(folder.name + ".lock")
    with ExitStack() as stack:
        cannot: OSError | None = None
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(lock.open("w"))
        except OSError as error:
            cannot = error
        else:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield cannot


def state_of(sources: Path, configuration: str) -> str:
    """One number for all that decides a build.

    Args:
        sources: Their folder; every file below it counts, but for what Python leaves there.
        configuration: How the build is configured.
    """
    state = hashlib.sha256(configuration.encode())
    for path in sorted(sources.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            content = path.read_bytes()
            state.update(f"\0{path.relative_to(sources).as_posix()}\0{len(content)}\0".encode() + content)
    return state.hexdigest()


@contextmanager
def building(folder: Path, state: str, *, is_whole: bool) -> Iterator[None]:
    """The block brings a build up to date; where all of it, that is noted for when the folder cannot be written."""
    if _built(folder) != state:
        (folder / BUILT).unlink(missing_ok=True)
    yield
    if is_whole and _built(folder) != state:
        with by_product("notes of what was built", folder.parent):
            replace_file(folder / BUILT, state)


def require_built(folder: Path, state: str, cannot: OSError, command: str) -> None:
    """Let a folder pass that cannot be written, where its build is up to date.

    Args:
        folder: The build's.
        state: What it would have to be made from.
        cannot: Why it cannot be written.
        command: What builds it.

    Raises:
        InputError: The build is not there, or was made from other sources.
    """
    if _built(folder) != state:
        got = f"{reason(cannot)}, and no build there that is up to date"
        do = f"make room, or let it be written; or build there first with `{command}`"
        raise InputError.about(f"{folder}", expected="a folder that can be written", got=got, do=do)
    say_not_kept("changes to the build of the firmware", folder.parent, cannot)


def _built(folder: Path) -> str | None:
    try:
        return (folder / BUILT).read_text()
    except (OSError, UnicodeDecodeError):
        return None
