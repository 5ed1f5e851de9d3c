"""What a report is made of: sections of text, tables, heat maps and pictures, told apart from how they are drawn.

Texts are plain: whoever draws a part escapes it. In prose, *words* between asterisks are stressed.

A key names a part among those of the same file of records: letters, digits and hyphens. It becomes the part's address
in the page, and a table's file name.
"""

from dataclasses import dataclass
from typing import TypeAlias

NOT_RUN = "not run"


@dataclass(frozen=True)
class Prose:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Command:
    """A command to copy, one or more lines."""

    text: str


@dataclass(frozen=True)
class Facts:
    """Names with what belongs to each, such as hashes and versions."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Linked:
    """A cell that leads to the part that says where it comes from.

    Attributes:
        text: What the cell says.
        to: The key of that part, a `Fold`.
    """

    text: str
    to: str


CellText: TypeAlias = str | Linked


@dataclass(frozen=True)
class Grid:
    r"""A table.

    Attributes:
        key: Its key, see above.
        title: Its caption.
        columns: A heading for each column.
        rows: A list of cells for each row; the first is the row's heading. A cell may have several lines, of which
            every second says more about the one above it, as an interval does about its mean.
        align: A letter for each column: "l" words, "r" numbers, "p" sentences. Empty: words first, then numbers.
        groups: Headings above those of the columns, each with how many columns it spans; empty where there are none.
        strong: Indices of rows that stand out, such as sums.
        notes: What one must know to read it, a paragraph each.
        is_exported: Whether it is also written as Markdown and LaTeX.
    """

    key: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[CellText, ...], ...]
    align: str = ""
    groups: tuple[tuple[str, int], ...] = ()
    strong: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    is_exported: bool = True

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows) or len(self.aligns) != len(self.columns):
            raise ValueError(f"{self.key}: a table of {len(self.columns)} columns has rows or letters of other lengths")
        if self.groups and sum(span for _, span in self.groups) != len(self.columns):
            raise ValueError(f"{self.key}: the groups do not span all columns")

    @property
    def aligns(self) -> str:
        """The letters of `align`, one a column."""
        return self.align or "l" + "r" * (len(self.columns) - 1)

    @property
    def full_columns(self) -> list[str]:
        """The columns' headings with their groups', for where there is but one line of headings."""
        groups = [title for title, span in self.groups for _ in range(span)] or [""] * len(self.columns)
        return [f"{group} {column}".strip() for group, column in zip(groups, self.columns, strict=True)]


@dataclass(frozen=True)
class Heat:
    """A cell of a heat map.

    Attributes:
        value: Decides its colour.
        text: What it says; may have several lines.
        to: The key of the part that says where it comes from; empty where there is none.
    """

    value: float
    text: str
    to: str = ""


@dataclass(frozen=True)
class HeatMap:
    """A table whose cells are coloured by their values.

    Attributes:
        key: Its key, see above.
        title: Its caption.
        down: What its rows are.
        across: What its columns are.
        rows: A heading for each row.
        columns: A heading for each column.
        cells: By row and column; None where nothing was run, and it says so.
        low: The value of one end of the colours, and
        high: of the other; values beyond them have the ends' colours.
        middle: A value with no colour, from which two scales part, such as 0 of differences; None for a single scale.
        unit: Of the values, for the legend.
        notes: What one must know to read it, a paragraph each.
    """

    key: str
    title: str
    down: str
    across: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[Heat | None, ...], ...]
    low: float
    high: float
    middle: float | None = None
    unit: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.cells) != len(self.rows) or any(len(row) != len(self.columns) for row in self.cells):
            raise ValueError(f"{self.key}: the cells are not {len(self.rows)} rows of {len(self.columns)}")
        if not self.low < self.high or (self.middle is not None and not self.low <= self.middle <= self.high):
            raise ValueError(f"{self.key}: expected low below high, and the middle between them")

    def shade(self, value: float) -> float:
        """How much of an end's colour a value has: 0 to 1 of the high end's, 0 to -1 of the low end's."""
        value = min(max(value, self.low), self.high)
        middle = self.low if self.middle is None else self.middle
        end = self.high if value >= middle else self.low
        return 0.0 if end == middle else (value - middle) / abs(end - middle)

    def texts(self, row: int) -> list[str]:
        """What the cells of a row say."""
        return [NOT_RUN if cell is None else cell.text for cell in self.cells[row]]


@dataclass(frozen=True)
class Picture:
    """A drawing.

    Attributes:
        svg: An `<svg>` element, see `pictures.py`. It takes its colours from the page: `currentColor` and the variables
            `--series-1` to `--series-6`, `--rule`, `--quiet` and `--paper`.
        caption: What stands below it.
        description: What it shows, for who does not see it.
    """

    svg: str
    caption: str
    description: str


@dataclass(frozen=True)
class Pictures:
    """Small drawings of one kind, side by side where there is room.

    Attributes:
        title: What they show.
        key: What the colours are: a name and the variable's number, 1 to 6, each.
        pictures: The drawings.
        notes: What one must know to read them, a paragraph each.
        has_lines: Whether the colours are of lines, each with dashes of its own.
    """

    title: str
    key: tuple[tuple[str, int], ...]
    pictures: tuple[Picture, ...]
    notes: tuple[str, ...] = ()
    has_lines: bool = False


@dataclass(frozen=True)
class Fold:
    """Parts that are shown on demand.

    Attributes:
        key: Its key, see above; `Linked.to` leads here.
        title: What is shown while they are not.
        parts: What is inside.
    """

    key: str
    title: str
    parts: tuple["Part", ...]


Part: TypeAlias = Prose | Command | Facts | Grid | HeatMap | Picture | Pictures | Fold


@dataclass(frozen=True)
class Section:
    """A section of what a file of records has to say.

    Attributes:
        key: Its key, see above.
        title: Its heading.
        parts: In order.
    """

    key: str
    title: str
    parts: tuple[Part, ...]
