"""The files that are mutated, and all their mutants."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from priot_hil.reference.errors import InputError

from .mutant import Edit, Mutant, Proposal, name_mutants
from .named import DOMAIN, named_changes
from .operators import OPERATORS

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

PATTERNS = ("kernels/*.[ch]", "engine/*.[ch]")
LEFT_OUT = {
    "engine/priot_status.h": "generated",
    "engine/priot_guard.h": "empty in this build",
}
DOMAIN_OPERATOR = "domain"


def mutated_files(firmware: Path) -> list[str]:
    """The files below a firmware folder that are mutated, in order."""
    found = {path.relative_to(firmware).as_posix() for pattern in PATTERNS for path in firmware.glob(pattern)}
    return sorted(found - LEFT_OUT.keys())


def all_mutants(firmware: Path) -> list[Mutant]:
    """Every mutant of a firmware folder, file by file.

    Raises:
        InputError: The parser is missing, a file cannot be parsed, or a named replacement does not fit any more.
    """
    domain = domain_proposals(firmware)
    mutants: list[Mutant] = []
    for file in mutated_files(firmware):
        source = (firmware / file).read_bytes()
        mutants += name_mutants(file, source, [*domain.get(file, ()), *proposals_of(file, source)])
    return mutants


def proposals_of(file: str, source: bytes) -> Iterator[Proposal]:
    """What the operators make of one file.

    Raises:
        InputError: It is not C that the parser understands.
    """
    root = parser().parse(source).root_node
    if root.has_error:
        raise InputError.about(file, expected="C that the parser understands", got="an error", do="build it first")
    for node, function in walk(root, "-"):
        for operator, propose in OPERATORS.items():
            for edit in propose(node):
                yield Proposal(operator, function, edit)


def walk(node: "Node", function: str) -> Iterator[tuple["Node", str]]:
    """Every node whose change can change code, with the function that it is in."""
    if node.type in ("preproc_include", "comment", "attribute_specifier"):
        return
    if node.type == "preproc_def":
        yield from walk_macro(node)
        return
    if node.type == "function_definition":
        function = name_of(node)
    elif node.type == "type_definition":
        function = named(node.child_by_field_name("declarator"))
    yield node, function
    for child in node.children:
        yield from walk(child, function)


def walk_macro(node: "Node") -> Iterator[tuple["Node", str]]:
    """The value of a #define, which the parser leaves as text."""
    value = node.child_by_field_name("value")
    if value is None or value.text is None:
        return
    # Blanks and a declaration in front put its bytes where they are in the file.
    declared = b"int v="
    padding = b" " * (value.start_byte - len(declared))
    root = parser().parse(padding + declared + value.text + b";").root_node
    if not root.has_error:
        for inner, _ in walk(root, named(node.child_by_field_name("name"))):
            if inner.start_byte >= value.start_byte:
                yield inner, named(node.child_by_field_name("name"))


def name_of(function: "Node") -> str:
    """The name of a function that is defined."""
    node = function.child_by_field_name("declarator")
    while node is not None and node.type != "identifier":
        node = node.child_by_field_name("declarator")
    return named(node)


def named(node: "Node | None") -> str:
    """The text of a name."""
    return node.text.decode() if node is not None and node.text is not None else "-"


@cache
def parser() -> "Parser":
    """The parser of C.

    Raises:
        InputError: It is not installed.
    """
    try:
        import tree_sitter_c
        from tree_sitter import Language, Parser
    except ImportError as error:
        do = "ask for it: PRIOT_EXTRAS=mutation ./run invoke mutate"
        raise InputError.about("the parser of C", expected="tree-sitter", got="none installed", do=do) from error
    return Parser(Language(tree_sitter_c.language()))


def domain_proposals(firmware: Path, replacements: Path = DOMAIN) -> dict[str, list[Proposal]]:
    """The named replacements, by file: mistakes that no change of a single node makes.

    Raises:
        InputError: A text to be replaced is not in its file, or more than once.
    """
    found: dict[str, list[Proposal]] = {}
    for name, change in named_changes(replacements).items():
        source, old = (firmware / change.file).read_bytes(), change.clean.encode()
        count = source.count(old)
        if count != 1:
            raise InputError.about(
                f"replacement {name} in {replacements.name}",
                expected=f"its text once in firmware/{change.file}",
                got=f"{count} times",
                do="bring the replacement up to date",
            )
        start = source.index(old)
        edit = Edit(start, start + len(old), change.broken)
        found.setdefault(change.file, []).append(Proposal(DOMAIN_OPERATOR, name, edit))
    return found
