"""`lint`: style and types of the whole checkout."""

import shutil
import subprocess
from pathlib import Path

from priot_hil.reference.errors import InputError

from .errors import CheckFailed

GENERATED = ("firmware/link/priot_protocol.h", "firmware/engine/priot_status.h")
TOOLS = ("ruff", "clang-format", "mypy")


def lint() -> None:
    """Run one tool after another.

    Raises:
        InputError: One of them is not installed.
        CheckFailed: One of them has found something; it has said what.
    """
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        got, do = f"no {' and no '.join(missing)}", "ask for them: PRIOT_EXTRAS=dev ./run invoke lint"
        raise InputError.about("lint", expected=", ".join(TOOLS), got=got, do=do)
    sources = {str(path) for folder in ("firmware", "harness", "tests") for path in Path(folder).rglob("*.[ch]")}
    format_c = ["clang-format", "--dry-run", "-Werror", *sorted(sources - set(GENERATED))]
    for check in (["ruff", "check", "."], ["ruff", "format", "--check", "."], format_c, ["mypy"]):
        if subprocess.run(check, check=False).returncode:
            raise CheckFailed(f"{check[0]} found something; see above.")
