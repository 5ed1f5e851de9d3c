"""Programs that tests put in the place of a machine's own."""

import sys
from pathlib import Path

STUB = """#!/bin/sh
exec "{python}" "{source}" "$@"
"""


def write_program(path: Path, source: str) -> Path:
    """Write a program in Python that can be called like any other.

    It starts through `sh`: a first line that names the interpreter can hold neither a space nor a long path.

    Args:
        path: The program; its source is put beside it.
        source: What it does.

    Returns:
        The program's path.
    """
    text = path.with_name(f"{path.name}.py")
    text.write_text(source, encoding="utf-8")
    path.write_text(STUB.format(python=sys.executable, source=text), encoding="utf-8")
    path.chmod(0o755)
    return path
