"""`lint`: style and types of the whole checkout."""

import os
import subprocess
import sys
from pathlib import Path

from .errors import CheckFailed
from .progress import Part, Work, shown

SECONDS = (0.5, 0.5, 2, 40)  # what each check takes, roughly
GENERATED = ("firmware/link/priot_protocol.h", "firmware/engine/priot_status.h")


def lint() -> None:
    """Run one tool after another.

    Raises:
        CheckFailed: One of them has found something; it has said what.
    """
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
