"""The documents as text to be held against the code: their links, their code, and the commands they show."""

import re
import shlex
from functools import cache
from pathlib import Path

from priot_hil.harness.paths import ROOT

README = ROOT / "README.md"
PAGES = (
    README,
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "tests" / "capsules" / "README.md",
    ROOT / "reproductions" / "checkpoints" / "README.md",
)
RESULTS = tuple(sorted((ROOT / "docs" / "results").glob("*.md")))
# What is built, kept and left behind beside the sources.
NOT_OURS = {
    ".git",
    ".venv",
    ".hypothesis",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    "build",
    "failures",
    "results",
    "sessions",
}


def name_of(page: Path) -> str:
    """As a test's id and a message have it."""
    return page.relative_to(ROOT).as_posix()


def read(page: Path | str) -> str:
    """A page's text; `page` may be its name in the checkout."""
    return (ROOT / page).read_text(encoding="utf-8")


def one_line(page: Path | str) -> str:
    """A page's text, wherever its lines are broken."""
    return " ".join(read(page).split())


@cache
def sources() -> frozenset[str]:
    """Every file and folder of the checkout, by its path, but for what is built or left behind."""
    tops = [path for path in ROOT.iterdir() if path.name not in NOT_OURS]
    paths = [*tops, *(path for top in tops if top.is_dir() for path in top.rglob("*"))]
    return frozenset(path.relative_to(ROOT).as_posix() for path in paths if "__pycache__" not in path.parts)


def code_spans(text: str) -> list[str]:
    """What stands between single backticks, on lines that are no code as a whole."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^(?: {4}).*$", "", prose, flags=re.MULTILINE)
    spans = re.findall(r"(?<!`)`([^`]+)`(?!`)", prose)
    return [" ".join(span.replace("\\|", "|").split()) for span in spans]


def code_lines(text: str) -> list[str]:
    """Lines of code: indented by four, or fenced."""
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    rest = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return [*(line for block in fenced for line in block.splitlines()), *re.findall(r"^ {4}(.*)$", rest, re.MULTILINE)]


def python_blocks(text: str) -> list[str]:
    """Fenced blocks of Python."""
    return re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def links(text: str) -> list[str]:
    """Targets of links, those that a line break splits too."""
    return re.findall(r"\[[^\]]+\]\(([^)\s]+)\)", text)


def anchors(text: str) -> set[str]:
    """The addresses of a page's headings."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(text: str, program: str) -> list[list[str]]:
    """Commands of `./run PROGRAM ...` that a page shows, as their words behind the program's name.

    A span that names the program alone is none. Words behind two spaces or a # say what a command is for; brackets hold
    what may be left out.
    """
    found = []
    for line in (*code_lines(text), *code_spans(text)):
        command = re.split(r"\s{2,}|\s#", line.replace("[", "").replace("]", ""))[0]
        match = re.match(rf"(?:[A-Z_]+=\S+ )*(?:\./run )?{program} (?!\.\.\.)(.+)", command)
        if match:
            found.append(shlex.split(match[1]))
    return found
