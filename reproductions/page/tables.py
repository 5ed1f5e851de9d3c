"""A report's tables as files of their own: Markdown, and LaTeX to be taken into a document with booktabs."""

import re
from collections.abc import Iterable, Iterator

from ..report import markdown_table
from .chapters import Chapter
from .sections import CellText, Fold, Grid, HeatMap, Linked, Part

# What LaTeX takes for something else than itself, and what its default fonts lack.
LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "`": r"\textasciigrave{}",
    "[": "{[}",  # behind the end of a row these two would be read as its options
    "*": "{*}",
    "“": "``",
    "”": "''",
    "\N{EN DASH}": r"\textendash{}",
    "±": r"$\pm$",
    "°": r"$^\circ$",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "\N{MINUS SIGN}": "$-$",
}
LATEX_LETTERS = "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿßŒœŁł"
MARKDOWN = re.compile(r"([\\`*_\[\]<>|~#&$])")


def files(chapters: Iterable[Chapter]) -> dict[str, str]:
    """All tables of a report: the text of each file by its name."""
    made = {}
    for chapter in chapters:
        for section in chapter.sections:
            for grid in grids(section.parts):
                name = f"{chapter.key}-{grid.key}".removesuffix("-table")
                made[f"{name}.md"] = markdown(grid, chapter)
                made[f"{name}.tex"] = latex(grid, chapter)
    return made


def grids(parts: Iterable[Part]) -> Iterator[Grid]:
    """The tables to be written, those shown on demand and the numbers of heat maps among them."""
    for part in parts:
        if isinstance(part, Fold):
            yield from grids(part.parts)
        elif isinstance(part, HeatMap):
            yield as_grid(part)
        elif isinstance(part, Grid) and part.is_exported:
            yield part


def as_grid(heat: HeatMap) -> Grid:
    """A heat map's numbers."""
    rows = tuple((name, *heat.texts(index)) for index, name in enumerate(heat.rows))
    return Grid(heat.key, heat.title, (f"{heat.down} \\ {heat.across}", *heat.columns), rows, notes=heat.notes)


def origin(chapter: Chapter) -> str:
    """Which file a table was made from."""
    return f"Made from {chapter.name}; {chapter.hashed}: {chapter.hash}."


def markdown(grid: Grid, chapter: Chapter) -> str:
    """A table as Markdown, with its title, its notes and its origin."""
    notes = [f"{markdown_text(note)}\n" for note in (*grid.notes, origin(chapter))]
    return "\n".join([f"# {markdown_text(_one_line(grid.title))}", "", *markdown_lines(grid), "", *notes])


def markdown_lines(grid: Grid) -> list[str]:
    """The lines of a table alone."""
    rows = [[markdown_text(text_of(cell)) for cell in row] for row in grid.rows]
    for index in grid.strong:
        rows[index] = [f"**{cell}**" if cell else "" for cell in rows[index]]
    return markdown_table([markdown_text(name) for name in grid.full_columns], rows, aligns=grid.aligns)


def latex(grid: Grid, chapter: Chapter) -> str:
    r"""A table as a `tabular` for LaTeX with the package booktabs; to be taken in with \input."""
    wraps = grid.aligns.count("p")
    letters = "".join(rf"p{{{0.72 / wraps:.2f}\linewidth}}" if each == "p" else each for each in grid.aligns)
    lines = [f"% {_one_line(grid.title)}", f"% {_one_line(origin(chapter))}", r"% \usepackage{booktabs}"]
    lines += [rf"\begin{{tabular}}{{@{{}}{letters}@{{}}}}", r"\toprule", *_latex_groups(grid)]
    lines += [_latex_row(grid.columns), r"\midrule"]
    has_two = any("\n" in text_of(cell) for row in grid.rows for cell in row)
    for index, row in enumerate(grid.rows):
        if index in grid.strong and index - 1 not in grid.strong and index:
            lines.append(r"\midrule")
        elif has_two and index:
            lines.append(r"\addlinespace")
        texts = [text_of(cell).split("\n") for cell in row]
        for line in range(max(map(len, texts))):
            lines.append(_latex_row([text[line] if line < len(text) else "" for text in texts]))
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def text_of(cell: CellText) -> str:
    """What a cell says."""
    return cell.text if isinstance(cell, Linked) else cell


def markdown_text(text: str) -> str:
    """A text that Markdown shows as it is; lines stay lines."""
    return MARKDOWN.sub(r"\\\1", text)


def latex_text(text: str) -> str:
    """A text that LaTeX shows as it is; a character that its default fonts lack is told by its number."""
    shown = "".join(_latex_character(character) for character in text)
    return re.sub(r"(?<![\w-])-(?=\d)", "$-$", shown).replace("--", "-{}-")


def _latex_character(character: str) -> str:
    if character in LATEX:
        return LATEX[character]
    if " " <= character <= "~" or character in LATEX_LETTERS:
        return character
    return " " if character.isspace() else f"{{[}}U+{ord(character):04X}]"


def _latex_groups(grid: Grid) -> list[str]:
    if not grid.groups:
        return []
    cells, rules, at = [], [], 1
    for title, span in grid.groups:
        cells.append(rf"\multicolumn{{{span}}}{{c}}{{{latex_text(title)}}}" if title else " &" * (span - 1))
        if title:
            rules.append(rf"\cmidrule(lr){{{at}-{at + span - 1}}}")
        at += span
    return [" & ".join(cells) + r" \\", "".join(rules)]


def _latex_row(cells: Iterable[str]) -> str:
    return " & ".join(latex_text(cell) for cell in cells) + r" \\"


def _one_line(text: str) -> str:
    return " ".join(text.split())
