"""What a command is going to write is tried before it works, and nothing is replaced but an earlier one of its kind."""

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from priot_hil.reference.errors import InputError

from .paths import ROOT

ELSEWHERE = "choose another name"


@dataclass(frozen=True)
class FileKind:
    """A kind of file that a command writes.

    Attributes:
        what: It is, for people, such as "a table of costs".
        is_one: Whether a text is the content of such a file.
    """

    what: str
    is_one: Callable[[str], bool]


def beginning(what: str, *words: str) -> FileKind:
    """Files that begin with certain words, one of these."""
    return FileKind(what, lambda text: text.startswith(words))


def containing(what: str, *words: str) -> FileKind:
    """Files that have certain words in them, all of these."""
    return FileKind(what, lambda text: all(word in text for word in words))


def json_with(what: str, *keys: str) -> FileKind:
    """JSON objects that have certain keys."""

    def is_one(text: str) -> bool:
        try:
            content = json.loads(text)
        except ValueError:
            return False
        return isinstance(content, dict) and all(key in content for key in keys)

    return FileKind(what, is_one)


def check_file(path: Path, kind: FileKind) -> Path:
    """See that a file can be written, and that nothing else is lost by it; nothing is left behind.

    Args:
        path: The file; it may be there, and its folder may be missing.
        kind: What is going to be written.

    Returns:
        The path.

    Raises:
        InputError: It is a folder or a device, a file of another kind or below `docs`, or cannot be written.
    """
    _refuse_published(path)
    try:
        if path.is_dir():
            raise _refusal(path, kind, "a folder", "name a file in it")
        if path.exists():
            if not path.is_file():
                raise _refusal(path, kind, "a device", ELSEWHERE)
            text = path.read_bytes().decode("utf-8", errors="replace")
            if text and not kind.is_one(text):
                raise _refusal(path, kind, "a file that is none", ELSEWHERE)
        _try(path)
    except OSError as error:
        raise _refusal(path, kind, _reason(error), "choose a folder that can be written and has room") from error
    return path


def check_folder(path: Path) -> Path:
    """See that files can be written into a folder, which may be missing; nothing is left behind.

    Args:
        path: The folder.

    Returns:
        The path.

    Raises:
        InputError: It is a file, or below `docs`, or nothing can be written there.
    """
    _refuse_published(path)
    do = "choose a folder that can be written and has room"
    try:
        if path.exists() and not path.is_dir():
            raise InputError.about(f"{path}", expected="a folder", got="a file", do=do)
        _try(path / "file")
    except OSError as error:
        raise InputError.about(f"{path}", expected="a folder to write to", got=_reason(error), do=do) from error
    return path


def set_aside(path: Path, why: str, say: Callable[[str], None]) -> None:
    """Keep a file that is there under another name, and say so: hours may be in it.

    Args:
        path: The file.
        why: What it is that it has to make room, such as "holds another campaign".
        say: Told of the new name.
    """
    say(f"{path} {why}; it is kept as {keep_aside(path)}.")


def keep_aside(path: Path) -> Path:
    """Give a file that is there another name, that nothing has yet: NAME-earlier-1, NAME-earlier-2, ...

    Returns:
        The new name.
    """
    for number in count(1):
        aside = path.with_name(f"{path.stem}-earlier-{number}{path.suffix}")
        try:
            os.link(path, aside)  # unlike a rename it never replaces what another process has just put there
        except FileExistsError:
            continue
        except OSError:  # a file system without hard links
            if aside.exists():
                continue
            path.rename(aside)
            return aside
        path.unlink()
        return aside
    raise AssertionError("numbers do not end")


def _refuse_published(path: Path) -> None:
    """What is published is for `publish` to write, which takes it over from elsewhere."""
    if path.resolve().is_relative_to(ROOT / "docs"):
        do = "choose another place, and give the result to `invoke publish`"
        raise InputError.about(f"{path}", expected="a place outside of docs/", got="one in it", do=do)


def _try(path: Path) -> None:
    """Write a file of that name, aside, where the nearest folder is that there is, and take it away.

    Raises:
        OSError: It cannot be written.
    """
    folder = path.parent
    while not folder.exists():
        folder = folder.parent
    with tempfile.NamedTemporaryFile(dir=folder, prefix=f".{path.name}.") as file:
        file.write(b"tried")


def _reason(error: OSError) -> str:
    return error.strerror or str(error)


def _refusal(path: Path, kind: FileKind, got: str, do: str) -> InputError:
    expected = f"a new name for {kind.what}, or an earlier one"
    return InputError.about(f"{path}", expected=expected, got=got, do=do)
