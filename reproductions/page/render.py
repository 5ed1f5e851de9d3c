"""The page, from what the files have to say."""

import re
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import jinja2
import markupsafe as markup

from .chapters import Chapter
from .pictures import with_ids
from .sections import NOT_RUN, Grid, Linked, Picture
from .tables import text_of

FOLDER = Path(__file__).resolve().parent
TITLE = "priot-hil: results"
LEAD = "Integer-only learning on the RP2040 with PRIOT, PRIOT-S and NITI: what was run, and what came of it."
HOW = (
    "Every figure here was worked out from the files of records that are named at the end. What is not in them is not "
    f"here, and what has not been run says “{NOT_RUN}”.",
    "A figure that is underlined leads to the runs behind it: their seeds and hashes, what they were made from and by, "
    "and the command that recomputes them from scratch. A line with a triangle opens. What is open is printed.",
    "All tables lie beside this page as Markdown and as LaTeX, in the folder tables.",
)
HASH = re.compile(r"[0-9a-f]{16,}")


def page(chapters: Sequence[Chapter], left_out: Sequence[str]) -> str:
    """The page as HTML: one file that asks for no other.

    Args:
        chapters: What the files have to say.
        left_out: A sentence for each file that is left out.

    Returns:
        The same text each time for the same records, by the same versions of jinja2 and matplotlib.

    Raises:
        ValueError: Two parts have one address, or one leads to none.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    numbers = count(1)

    def running(text: str) -> Any:
        escaped = str(markup.escape(text)).replace(" %", "\N{NO-BREAK SPACE}%")
        return markup.Markup(re.sub(r"\*(\w[^*]*)\*", r"<em>\1</em>", escaped))

    def drawn(picture: Picture) -> Any:
        return markup.Markup(with_ids(picture.svg, f"picture-{next(numbers)}"))

    filters: dict[str, Callable[[Any], Any]] = {
        "kind": lambda part: type(part).__name__,
        "drawn": drawn,
        "figure": "{:g}".format,
        "running": running,
    }
    environment.filters |= filters
    environment.tests |= {
        "linked": lambda cell: isinstance(cell, Linked),
        "hash": lambda cell: all(map(HASH.fullmatch, text_of(cell).split("\n"))),
        "not_run": lambda cell: text_of(cell) == NOT_RUN,
    }
    own = {name: markup.Markup((FOLDER / f"page.{name}").read_text("utf-8")) for name in ("css", "js")}
    text = environment.get_template("page.html").render(
        title=TITLE,
        lead=LEAD,
        how=HOW,
        left_out=left_out,
        chapters=chapters,
        sources=sources(chapters),
        style=own["css"],
        script=own["js"],
        not_run=NOT_RUN,
    )
    check_addresses(text)
    return f"{text.strip()}\n"


def sources(chapters: Sequence[Chapter]) -> Grid:
    """The table of the files."""
    return Grid(
        key="table",
        title="What this page was made from",
        columns=("file", "what is in it", "hash of", "SHA-256"),
        rows=tuple((each.name, each.records, each.hashed, each.hash) for each in chapters),
        align="lllp",
    )


def check_addresses(text: str) -> None:
    """See that no two parts of a page have one address, and that every address that is led to is there.

    Raises:
        ValueError: It is not so.
    """
    found = re.findall(r'<[^>]* id="([^"]*)"', text)
    if twice := {each for each in found if found.count(each) > 1}:
        raise ValueError(f"addresses given twice: {sorted(twice)}")
    if lost := set(re.findall(r'href="#([^"]*)"', text)) - set(found):
        raise ValueError(f"addresses that lead nowhere: {sorted(lost)}")
