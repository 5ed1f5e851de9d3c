"""The report's tables as Markdown and LaTeX: their cells, their rules, and names that mean harm."""

import re

import pytest

from priot_hil.reproductions.page.chapters import Chapter
from priot_hil.reproductions.page.sections import Fold, Grid, Heat, HeatMap, Linked, Section
from priot_hil.reproductions.page.tables import files, latex, latex_text, markdown

GRID = Grid(
    key="table",
    title="A title\nof 100 %",
    columns=("", "best", "last", "board"),
    rows=(
        ("a & b", Linked("-1.5 ± 0.2\n-1.7 to -1.3", "why"), "9", "[yes]"),
        ("c|d", "not run", "8\n7 to 9", ""),
        ("all", "3", "4", "*"),
    ),
    align="lrrl",
    groups=(("", 1), ("30°", 2), ("", 1)),
    strong=(2,),
    notes=("A note_",),
)
HEAT = HeatMap("map", "Map", "mu", "theta", ("5",), ("-64", "0"), ((Heat(1, "1.0"), None),), 0, 2)
LONG = Grid("long", "Long", ("claim", "read", "verdict"), (("x", "y", "z"),), "ppl")
HIDDEN = Grid("runs", "Runs", ("a", "b"), (("1", "2"),), is_exported=False)
CHAPTER = Chapter(
    "accuracy",
    "Title",
    "a_file.jsonl",
    "16 runs",
    "chain's last SHA-256",
    "ab" * 32,
    (Section("one", "One", (GRID, Fold("f", "F", (HEAT, HIDDEN)))), Section("two", "Two", (LONG,))),
)


def test_every_table_becomes_two_files():
    """Those on demand too, and the numbers of heat maps; those of single runs do not."""
    made = files([CHAPTER])
    assert list(made) == [f"accuracy{name}.{kind}" for name in ("", "-map", "-long") for kind in ("md", "tex")]
    assert made["accuracy-map.md"].splitlines()[2:5] == [
        "| mu \\\\ theta | -64 | 0 |",
        "| :-- | --: | --: |",
        "| 5 | 1.0 | not run |",
    ]


def test_markdown():
    """Cells as they are read, headings with their groups, sums in bold type."""
    assert markdown(GRID, CHAPTER).splitlines() == [
        "# A title of 100 %",
        "",
        "|  | 30° best | 30° last | board |",
        "| :-- | --: | --: | :-- |",
        r"| a \& b | -1.5 ± 0.2<br>-1.7 to -1.3 | 9 | \[yes\] |",
        r"| c\|d | not run | 8<br>7 to 9 |  |",
        r"| **all** | **3** | **4** | **\*** |",
        "",
        r"A note\_",
        "",
        rf"Made from a\_file.jsonl; chain's last SHA-256: {'ab' * 32}.",
    ]


def test_latex():
    """By hand: rules of booktabs, a line below each figure for its interval, nothing that TeX reads as its own."""
    assert latex(GRID, CHAPTER).splitlines() == [
        "% A title of 100 %",
        f"% Made from a_file.jsonl; chain's last SHA-256: {'ab' * 32}.",
        r"% \usepackage{booktabs}",
        r"\begin{tabular}{@{}lrrl@{}}",
        r"\toprule",
        r" & \multicolumn{2}{c}{30$^\circ$} &  \\",
        r"\cmidrule(lr){2-3}",
        r" & best & last & board \\",
        r"\midrule",
        r"a \& b & $-$1.5 $\pm$ 0.2 & 9 & {[}yes] \\",
        r" & $-$1.7 to $-$1.3 &  &  \\",
        r"\addlinespace",
        r"c\textbar{}d & not run & 8 &  \\",
        r" &  & 7 to 9 &  \\",
        r"\midrule",
        r"all & 3 & 4 & {*} \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]
    assert r"\begin{tabular}{@{}p{0.36\linewidth}p{0.36\linewidth}l@{}}" in latex(LONG, CHAPTER)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (r"\input{x}", r"\textbackslash{}input\{x\}"),
        ("50 % of $1 & #2_3^4~5", r"50 \% of \$1 \& \#2\_3\textasciicircum{}4\textasciitilde{}5"),
        (
            '<a> "b" `c`',
            r"\textless{}a\textgreater{} ''b'' \textasciigrave{}c\textasciigrave{}",
        ),
        ("“x” é -- 8-16, -3, +-4", "``x'' é -{}- 8-16, $-$3, +$-$4"),
        ("a\tb\n中\0", "a b {[}U+4E2D]{[}U+0000]"),
    ],
)
def test_latex_shows_a_text_as_it_is(text, shown):
    """What means something to TeX, and what its fonts lack."""
    assert latex_text(text) == shown


def test_every_printable_character_is_either_plain_or_replaced():
    """Nothing that TeX acts upon is left as it is."""
    for character in map(chr, range(0x20, 0x7F)):
        left = re.sub(r"\\[a-z]+(\{\})?|\\[{}$&#%_]|\{[*\[]\}", "", latex_text(character))
        assert not set(left) & set("\\{}$&#^_~%"), character
