"""Names of the same kind that a tired reader takes for each other: rows and columns, in and out."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from .mutant import Edit

if TYPE_CHECKING:
    from tree_sitter import Node

PAIRS = (
    ("y", "x"),
    ("ky", "kx"),
    ("height", "width"),
    ("in", "out"),
    ("input", "output"),
    ("row", "column"),
    ("rows", "columns"),
    ("up", "left"),
    ("top", "left"),
    ("begin", "end"),
    ("upper", "lower"),
    ("forward", "backward"),
    ("weights", "scores"),
    ("first", "input"),
)
PARTNERS: dict[str, tuple[str, ...]] = {}
for one, other in PAIRS:
    PARTNERS[one] = (*PARTNERS.get(one, ()), other)
    PARTNERS[other] = (*PARTNERS.get(other, ()), one)

DECLARING = ("_declarator", "_definition", "_specifier", "declaration", "_designator", "preproc_def")


def swapped_name(node: "Node") -> Iterator[Edit]:
    """Another name in a place of use, if the file knows it."""
    if node.type not in ("identifier", "field_identifier") or node.parent is None:
        return
    parent = node.parent
    is_value = parent.type == "init_declarator" and parent.child_by_field_name("value") == node
    if parent.type.endswith(DECLARING) and not is_value:
        return
    assert node.text is not None
    name = node.text.decode()
    for partner in partners(name):
        if partner in names_of(node):
            yield Edit(node.start_byte, node.end_byte, partner)


def partners(name: str) -> Iterator[str]:
    """The names that differ in one word: in_height gives out_height and in_width."""
    words = name.split("_")
    for place, word in enumerate(words):
        for partner in PARTNERS.get(word, ()):
            yield "_".join([*words[:place], partner, *words[place + 1 :]])


def names_of(node: "Node") -> set[str]:
    """Every word of the function around a node; for a field, of the whole file too."""
    around = node
    while around.parent is not None and (node.type == "field_identifier" or around.type != "function_definition"):
        around = around.parent
    assert around.text is not None
    return set(re.findall(r"\w+", around.text.decode()))


def swapped_arguments(node: "Node") -> Iterator[Edit]:
    """Two arguments that stand side by side; where their types differ, it does not compile."""
    if node.type not in ("argument_list", "initializer_list"):
        return
    for first, second in pairwise(node.named_children):
        assert node.text is not None
        if "comment" in (first.type, second.type) or "initializer_pair" in (first.type, second.type):
            continue
        between = node.text[first.end_byte - node.start_byte : second.start_byte - node.start_byte]
        text = b"".join((second.text or b"", between, first.text or b""))
        yield Edit(first.start_byte, second.end_byte, text.decode())
