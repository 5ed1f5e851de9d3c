"""Mutants of small pieces of C: what each operator makes, what they are called, and which are chosen."""

import re
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("tree_sitter", reason="needs PRIOT_EXTRAS=mutation")

from priot_hil.harness.mutation.mutant import Edit, Mutant, Proposal, name_mutants
from priot_hil.harness.mutation.operators import OPERATORS
from priot_hil.harness.mutation.sample import sample
from priot_hil.harness.mutation.sources import all_mutants, domain_proposals, mutated_files, proposals_of
from priot_hil.harness.paths import ROOT
from priot_hil.reference.errors import InputError


def made(source: str, operator: str) -> list[str]:
    """The changed lines that an operator makes of a source."""
    proposals = [each for each in proposals_of("a.c", source.encode()) if each.operator == operator]
    return [mutant.after for mutant in name_mutants("a.c", source.encode(), proposals)]


def body(statements: str) -> str:
    """A function of these statements, on one line."""
    return f"int f(int a, int b) {{ {statements} }}"


@pytest.mark.parametrize(
    ("operator", "statements", "expected"),
    [
        ("arithmetic", "return a + b;", ["return a - b;"]),
        ("arithmetic", "a *= b; return a;", ["a += b; return a;"]),
        ("operand", "return a - b;", ["return a;"]),
        ("operand", "return a && b;", ["return a;", "return b;"]),
        ("operand", "return a + b + 1;", ["return a + b;", "return a + 1;", "return b + 1;"]),
        ("sign", "return a >> -b;", ["return a >> b;"]),
        ("bitwise", "return a ^ b;", ["return a | b;"]),
        ("shift", "a >>= b; return a << b;", ["a <<= b; return a << b;", "a >>= b; return a >> b;"]),
        ("shift-amount", "return a << b;", ["return a << (b + 1);", "return a << (b - 1);"]),
        ("shift-amount", "return a << 3;", []),
        ("strictness", "return a < b;", ["return a <= b;"]),
        ("comparison", "return a >= b;", ["return a <= b;"]),
        ("comparison", "return a == b;", ["return a != b;"]),
        ("logical", "return a || b;", ["return a && b;"]),
        ("condition", "if (a) return b; return a;", ["if (!((a))) return b; return a;"]),
        ("branch", "return a ? b : 7;", ["return (b);", "return (7);"]),
        ("bound", "for (; a < b;) a++; return a;", ["for (; a < (b - 1);) a++; return a;"]),
        ("constant", "return 2u;", ["return 3u;", "return 1u;", "return 0u;"]),
        ("constant", "return 0;", ["return 1;"]),
        ("constant", "return 0xfful;", ["return 0x100ul;", "return 0xfeul;", "return 0x0ul;"]),
        ("statement", "a = b; return a;", ["; return a;"]),
        ("jump", "while (a) { if (b) continue; a--; } return a;", ["while (a) { if (b) ; a--; } return a;"]),
        ("jump", "if (a) { return b; } return a;", ["if (a) { ; } return a;"]),
        ("saturation", "return priot_clip_s8(a);", ["return ((int8_t)(a));"]),
        ("narrow", "int32_t c = 1; return c;", ["int16_t c = 1; return c;"]),
        ("narrow", "return (uint32_t)a;", ["return (uint16_t)a;"]),
        ("narrow", "int32_t *c = &a; return *c;", []),
        ("signedness", "return (int8_t)a;", ["return (uint8_t)a;"]),
        ("argument", "return g(a, b);", ["return g(b, a);"]),
        ("geometry", "return a + g->padding;", ["return a + (g->padding + 1);", "return a + (g->padding - 1);"]),
        ("geometry", "g->padding = a; return &g->stride;", []),
    ],
)
def test_what_an_operator_makes(operator: str, statements: str, expected: list[str]) -> None:
    """Each mistake at each of its places, and nowhere else."""
    got = [line.removeprefix(body("")[:-3]).removesuffix("}").strip() for line in made(body(statements), operator)]
    assert got == expected


def test_names_of_the_same_kind_are_swapped_where_both_are_known() -> None:
    """Rows for columns, in one word of several; a name that nobody declared is none."""
    source = "typedef struct { int in_height, in_width, out_height; } s;\nint f(s *g, int y, int x) {\n%s\n}"
    assert made(source % "return g->in_height;", "name") == ["return g->out_height;", "return g->in_width;"]
    assert made(source % "return y;", "name") == ["return x;"]
    assert made("int f(int y) { return y; }", "name") == []


def test_the_value_of_a_macro_is_mutated_and_its_guard_is_not() -> None:
    """A #define is text to the parser; a mutant of it lies in its own line all the same."""
    source = "#ifndef A_H\n#define A_H\n#define LIMIT (127 * 3) /* a comment of 5 */\n#endif\n"
    assert made(source, "arithmetic") == ["#define LIMIT (127 + 3) /* a comment of 5 */"]
    assert len(made(source, "constant")) == 6


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_operator_finds_work_in_the_firmware(operator: str) -> None:
    """An operator that makes nothing would be missed by nobody."""
    sources = {file: (ROOT / "firmware" / file).read_bytes() for file in mutated_files(ROOT / "firmware")}
    assert any(each.operator == operator for file, source in sources.items() for each in proposals_of(file, source))


def test_ids_outlive_edits_elsewhere() -> None:
    """New lines above, and another function, leave the ids; the same mistake twice in a function has two."""
    source = body("a = a + 1; return a + 1;")
    names = {mutant.id for mutant in named(source)}
    assert names <= {mutant.id for mutant in named(f"/* new */\n\nint g(int c) {{ return c + 1; }}\n{source}\n")}
    assert len(names) == len(named(source))
    assert all(re.fullmatch(r"a\.c:f:[a-z-]+:[0-9a-f]{6}", name) for name in names)


def named(source: str) -> list[Mutant]:
    """All mutants of a source."""
    return name_mutants("kernels/a.c", source.encode(), proposals_of("a.c", source.encode()))


def test_two_ways_to_one_mistake_count_once() -> None:
    """What is written the same is one mutant; what changes nothing is none."""
    proposals = [Proposal("one", "f", Edit(0, 1, "b")), Proposal("other", "f", Edit(0, 1, "b"))]
    assert [mutant.operator for mutant in name_mutants("a.c", b"a", proposals)] == ["one"]
    assert name_mutants("a.c", b"a", [Proposal("none", "f", Edit(0, 1, "a"))]) == []


def test_the_firmware_has_thousands_of_mutants_and_each_differs() -> None:
    """One file changed, ids unlike, and the sample from every file and operator with all that are named."""
    mutants = all_mutants(ROOT / "firmware")
    assert len(mutants) > 3000
    assert len({mutant.id for mutant in mutants}) == len(mutants)
    assert all(mutant.source != (ROOT / "firmware" / mutant.file).read_bytes() for mutant in mutants)
    chosen = sample(mutants, 600)
    assert len(chosen) == 600
    assert chosen == sample(mutants[::-1], 600)[::-1]
    assert {(each.file, each.operator) for each in chosen} == {(each.file, each.operator) for each in mutants}
    few = Counter(each.operator for each in sample(mutants, 30))
    assert sum(few.values()) == 30
    assert max(few.values()) < 10
    counts = [Counter(each.operator for each in some)["domain"] for some in (chosen, mutants)]
    assert counts[0] == counts[1] > 20


def test_a_named_replacement_that_does_not_fit_is_said(tmp_path: Path) -> None:
    """Its text changed in the firmware: one sentence that names it."""
    replacements = tmp_path / "domain.toml"
    replacements.write_text('[old]\nfile = "kernels/priot_terms.c"\nfind = "no such text"\nreplace = "a"\n')
    with pytest.raises(InputError, match=r"replacement old in domain.toml: expected its text once in firmware/kern"):
        domain_proposals(ROOT / "firmware", replacements)


def test_what_is_no_c_is_refused() -> None:
    """Rather than half of it mutated."""
    with pytest.raises(InputError, match=r"a\.c: expected C that the parser understands"):
        list(proposals_of("a.c", b"int f( {"))
