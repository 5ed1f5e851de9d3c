"""Files that are read whole, and written whole or not at all."""

import hashlib
import os
import re
import tempfile
from pathlib import Path

from priot_hil.reference.errors import InputError

STEM_LENGTH = 60  # characters of a file's name; file systems take 255 bytes


def read_whole(path: Path, what: str, do: str) -> bytes:
    """Read a file.

    Args:
        path: The file.
        what: What to call it in a refusal.
        do: What to do about one that cannot be read.

    Raises:
        InputError: It is missing, may not be read, or is no regular file, such as a folder or a device without an end.
    """
    try:
        if not path.is_file() and path.exists():
            raise InputError.about(what, expected="a file", got="a folder or a device", do=do)
        return path.read_bytes()
    except OSError as error:
        got = error.strerror or str(error)
        raise InputError.about(what, expected="a file that can be read", got=got, do=do) from error


def write_aside(path: Path, content: bytes | str) -> None:
    """Write a file under a name of its own, then rename it, so that nobody ever sees half of it.

    Args:
        path: The file; its folder is made where it is missing.
        content: All of it; text is written as UTF-8.

    Raises:
        InputError: The folder cannot be written.
    """
    try:
        replace_file(path, content)
    except OSError as error:
        do = "choose a folder that can be written and has room"
        raise InputError.about(f"{path}", expected="a file that can be written", got=str(error), do=do) from error


def replace_file(path: Path, content: bytes | str) -> None:
    """`write_aside` for what is no more than a by-product.

    Raises:
        OSError: The folder cannot be written; the file is as it was.
    """
    data = content.encode() if isinstance(content, str) else content
    aside = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(aside).chmod(0o644)
        Path(aside).replace(path)
    finally:
        if aside:
            Path(aside).unlink(missing_ok=True)


def file_stem(name: str) -> str:
    """A name, of a port perhaps, as the beginning of a file's name; two names may give the same one."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", name)[:STEM_LENGTH].strip("-.")


def own_file_stem(name: str) -> str:
    """The same, but another one for each name."""
    stem = file_stem(name)
    return stem if stem == name else f"{stem}-{hashlib.sha256(name.encode()).hexdigest()[:8]}".lstrip("-")
