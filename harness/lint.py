"""`lint`: style and types of the whole checkout."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from priot_hil.reference.errors import InputError

from .errors import CheckFailed
from .progress import Part, Work, shown

SECONDS = (0.5, 0.5, 2, 40)  # what each check takes, roughly
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
    checks = (["ruff", "check", "."], ["ruff", "format", "--check", "."], format_c, ["mypy"])
    parts = {number: Part(1, kind=number, weight=seconds) for number, seconds in enumerate(SECONDS)}
    colours = {"FORCE_COLOR": "1"} if sys.stdout.isatty() and "NO_COLOR" not in os.environ else {}
    with shown(Work("checks", parts)) as work:
        for number, check in enumerate(checks):
            done = subprocess.run(check, capture_output=True, text=True, env=os.environ | colours, check=False)
            print(done.stdout + done.stderr, end="", flush=True)
            if done.returncode:
                raise CheckFailed(f"{check[0]} found something; see above.")
            work.advance(name=number)
