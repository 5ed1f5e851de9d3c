"""`lint`: style and types of the whole checkout."""

import subprocess
from pathlib import Path

from .errors import CheckFailed

GENERATED = ("firmware/link/priot_protocol.h", "firmware/engine/priot_status.h")


def lint() -> None:
    """Run one tool after another.

    Raises:
        CheckFailed: One of them has found something; it has said what.
    """
    sources = {str(path) for folder in ("firmware", "harness", "tests") for path in Path(folder).rglob("*.[ch]")}
    format_c = ["clang-format", "--dry-run", "-Werror", *sorted(sources - set(GENERATED))]
    for check in (["ruff", "check", "."], ["ruff", "format", "--check", "."], format_c, ["mypy"]):
        if subprocess.run(check, check=False).returncode:
            raise CheckFailed(f"{check[0]} found something; see above.")
