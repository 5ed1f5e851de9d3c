"""The mistakes: each operator looks at one node of a syntax tree and says what could stand there instead."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from .mutant import Edit
from .swaps import swapped_arguments, swapped_name

if TYPE_CHECKING:
    from tree_sitter import Node

ARITHMETIC = {"+": "-", "-": "+", "*": "+", "/": "*", "%": "/", "+=": "-=", "-=": "+=", "*=": "+="}
BITWISE = {"&": "|", "|": "&", "^": "|", "&=": "|=", "|=": "&=", "^=": "|="}
SHIFT = {"<<": ">>", ">>": "<<", "<<=": ">>=", ">>=": "<<="}
STRICTNESS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
COMPARISON = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "!=", "!=": "=="}
LOGICAL = {"&&": "||", "||": "&&"}
NARROWER = {
    "int32_t": "int16_t",
    "uint32_t": "uint16_t",
    "int64_t": "int32_t",
    "uint64_t": "uint32_t",
    "size_t": "uint16_t",
    "uint16_t": "uint8_t",
}
OTHER_SIGN = {"int8_t": "uint8_t", "uint8_t": "int8_t", "int32_t": "uint32_t", "int64_t": "uint64_t"}
GEOMETRY = {
    "padding",
    "stride",
    "kernel",
    "size",
    "height",
    "width",
    "in_height",
    "in_width",
    "out_height",
    "out_width",
}
CLIPS = {"priot_clip_s8": "(int8_t)"}
EXPRESSIONS = {"binary_expression", "assignment_expression", "update_expression", "conditional_expression"}


def text_of(node: "Node") -> str:
    """The source of a node."""
    assert node.text is not None, "the tree was parsed from bytes"
    return node.text.decode()


def instead(node: "Node", text: str) -> Edit:
    """Another text for a node."""
    return Edit(node.start_byte, node.end_byte, text)


def field(node: "Node", name: str) -> "Node":
    """A child that the grammar promises."""
    child = node.child_by_field_name(name)
    assert child is not None, f"{node.type} has a {name}"
    return child


def by_table(table: dict[str, str]) -> Callable[["Node"], Iterator[Edit]]:
    """An operator that replaces the operators of a table."""

    def replace(node: "Node") -> Iterator[Edit]:
        if node.type in ("binary_expression", "assignment_expression"):
            operator = field(node, "operator")
            if text_of(operator) in table:
                yield instead(operator, table[text_of(operator)])

    return replace


def operand(node: "Node") -> Iterator[Edit]:
    """One side of a sum, product, shift or logical operator is forgotten."""
    if node.type == "binary_expression":
        operator, left, right = text_of(field(node, "operator")), field(node, "left"), field(node, "right")
        if operator in ("+", "-", "*", "<<", ">>", "&&", "||", "&", "|"):
            yield instead(node, text_of(left))
        if operator in ("+", "*", "&&", "||") and not _is_chain(left, operator):
            yield instead(node, text_of(right))


def sign(node: "Node") -> Iterator[Edit]:
    """A minus or a complement is forgotten; with it, the sign of a shift."""
    if node.type == "unary_expression" and text_of(field(node, "operator")) in "-~":
        yield instead(node, text_of(field(node, "argument")))


def shift_amount(node: "Node") -> Iterator[Edit]:
    """One bit too many, or too few; constant amounts are the constants' business."""
    if node.type == "binary_expression" and text_of(field(node, "operator")) in SHIFT:
        amount = field(node, "right")
        if amount.type != "number_literal":
            yield instead(amount, f"({text_of(amount)} + 1)")
            yield instead(amount, f"({text_of(amount)} - 1)")


def condition(node: "Node") -> Iterator[Edit]:
    """The opposite of a condition; that of a for loop is the comparisons' business."""
    if node.type in ("if_statement", "while_statement", "conditional_expression"):
        asked = field(node, "condition")
        yield instead(asked, f"(!({text_of(asked)}))")


def branch(node: "Node") -> Iterator[Edit]:
    """One way of a ?: for both, such as a limit that is missing or always there."""
    if node.type == "conditional_expression":
        yield instead(node, f"({text_of(field(node, 'consequence'))})")
        yield instead(node, f"({text_of(field(node, 'alternative'))})")


def bound(node: "Node") -> Iterator[Edit]:
    """A loop that ends one too early."""
    if node.type == "for_statement":
        asked = node.child_by_field_name("condition")
        if asked is not None and asked.type == "binary_expression" and text_of(field(asked, "operator")) in "< <= !=":
            last = field(asked, "right")
            if last.type != "number_literal":
                yield instead(last, f"({text_of(last)} - 1)")


def constant(node: "Node") -> Iterator[Edit]:
    """A constant one larger, one smaller, or 0."""
    if node.type == "number_literal":
        literal = text_of(node)
        digits = literal.rstrip("uUlL")
        value = int(digits, 0)
        shown = hex if digits.startswith("0x") else str
        for other in dict.fromkeys((value + 1, max(value - 1, 0), 0)):
            if other != value:
                yield instead(node, shown(other) + literal[len(digits) :])


def geometry(node: "Node") -> Iterator[Edit]:
    """A padding, stride, kernel or side that is off by one where it is read."""
    if node.type in ("field_expression", "identifier") and _is_read(node):
        name = text_of(field(node, "field")) if node.type == "field_expression" else text_of(node)
        if name in GEOMETRY:
            yield instead(node, f"({text_of(node)} + 1)")
            yield instead(node, f"({text_of(node)} - 1)")


def statement(node: "Node") -> Iterator[Edit]:
    """A statement is forgotten."""
    if node.type == "expression_statement" and not text_of(node).startswith("(void)"):
        yield instead(node, ";")


def jump(node: "Node") -> Iterator[Edit]:
    """A continue, a break or an early return is forgotten."""
    early = node.type == "return_statement" and node.parent is not None and _is_conditional(node.parent)
    if node.type in ("continue_statement", "break_statement") or early:
        yield instead(node, ";")


def saturation(node: "Node") -> Iterator[Edit]:
    """A value is cut to its type instead of clipped."""
    if node.type == "call_expression" and text_of(field(node, "function")) in CLIPS:
        yield instead(node, f"({CLIPS[text_of(field(node, 'function'))]}{text_of(field(node, 'arguments'))})")


def typed(table: dict[str, str]) -> Callable[["Node"], Iterator[Edit]]:
    """An operator that replaces the types of a table, where a value and not a pointer has them."""

    def replace(node: "Node") -> Iterator[Edit]:
        if node.type in ("declaration", "parameter_declaration", "field_declaration", "type_descriptor"):
            kind = field(node, "type")
            if text_of(kind) in table and not _is_pointer(node):
                yield instead(kind, table[text_of(kind)])

    return replace


OPERATORS: dict[str, Callable[["Node"], Iterator[Edit]]] = {
    "arithmetic": by_table(ARITHMETIC),
    "operand": operand,
    "sign": sign,
    "bitwise": by_table(BITWISE),
    "shift": by_table(SHIFT),
    "shift-amount": shift_amount,
    "strictness": by_table(STRICTNESS),
    "comparison": by_table(COMPARISON),
    "logical": by_table(LOGICAL),
    "condition": condition,
    "branch": branch,
    "bound": bound,
    "constant": constant,
    "geometry": geometry,
    "statement": statement,
    "jump": jump,
    "saturation": saturation,
    "narrow": typed(NARROWER),
    "signedness": typed(OTHER_SIGN),
    "name": swapped_name,
    "argument": swapped_arguments,
}
"""Every operator by its name."""


def _is_read(node: "Node") -> bool:
    """Whether a name stands for its value: not declared, assigned, counted up, or part of a longer name."""
    parent = node.parent
    if parent is None or (parent.type.endswith("_declarator") and parent.child_by_field_name("value") != node):
        return False
    if parent.type in ("assignment_expression", "update_expression"):
        return parent.child_by_field_name("right") == node
    return parent.type in (*EXPRESSIONS, "init_declarator", "argument_list", "initializer_list", "cast_expression")


def _is_chain(node: "Node", operator: str) -> bool:
    """Whether a left side is more of the same, so that the right one alone would be most of it forgotten."""
    return node.type == "binary_expression" and text_of(field(node, "operator")) == operator


def _is_conditional(block: "Node") -> bool:
    """Whether a block is one that not every call comes through."""
    outer = block.parent if block.type == "compound_statement" else block
    return outer is not None and outer.type in ("if_statement", "else_clause", "for_statement", "while_statement")


def _is_pointer(node: "Node") -> bool:
    declarators = node.children_by_field_name("declarator")
    found = [each.type.startswith(("abstract_pointer", "pointer", "abstract_array", "array")) for each in declarators]
    inner = [each.child_by_field_name("declarator") for each in declarators if each.type == "init_declarator"]
    return any(found) or any(each is not None and each.type.startswith(("pointer", "array")) for each in inner)
