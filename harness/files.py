"""Files that are either whole or not there."""

import os
import tempfile
from pathlib import Path

from priot_hil.reference.errors import InputError


def write_aside(path: Path, content: bytes | str) -> None:
    """Write a file under a name of its own, then rename it, so that nobody ever sees half of it.

    Args:
        path: The file; its folder is made where it is missing.
        content: All of it; text is written as UTF-8.

    Raises:
        InputError: The folder cannot be written.
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
    except OSError as error:
        do = "choose a folder that can be written and has room"
        raise InputError.about(f"{path}", expected="a file that can be written", got=str(error), do=do) from error
    finally:
        if aside:
            Path(aside).unlink(missing_ok=True)
