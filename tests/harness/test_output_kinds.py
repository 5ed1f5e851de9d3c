"""Each kind of file knows those that its command writes, and no other kind's."""

import json
from pathlib import Path

import pytest

from priot_hil.harness import output_kinds as kinds
from priot_hil.harness.chaos_results import Campaign, Tally, write_chunks
from priot_hil.harness.coverage.report import Evidence, report
from priot_hil.harness.outputs import FileKind
from priot_hil.harness.paths import ROOT
from priot_hil.harness.results import Results

COMMITTED = {
    "coverage.md": kinds.COVERAGE,
    "classes.md": kinds.CLASSES,
    "selftest.md": kinds.SELFTEST,
    "mutation.md": kinds.MUTATION_TABLE,
    "mutation.json": kinds.MUTATION_RECORDS,
    "bench.json": kinds.BENCH,
    "bench-vgg11.json": kinds.BENCH,
    "accuracy.jsonl": kinds.TABLE_RECORDS,
    "sensitivity.jsonl": kinds.TABLE_RECORDS,
    "accuracy.md": kinds.TABLE_PAGE,
    "sensitivity.md": kinds.TABLE_PAGE,
    "cost.json": kinds.COST_RECORDS,
    "cost.md": kinds.COST_PAGE,
    "accuracy-curves.svg": kinds.PICTURE,
    "sensitivity-maps.svg": kinds.PICTURE,
}
ALL = [kind for kind in vars(kinds).values() if isinstance(kind, FileKind)]


@pytest.mark.parametrize("name", COMMITTED)
def test_the_committed_ones_are_known(name: str) -> None:
    """Each by its own kind alone."""
    text = (ROOT / "docs" / "results" / name).read_text(encoding="utf-8")
    assert [kind.what for kind in ALL if kind.is_one(text)] == [COMMITTED[name].what]


def test_what_is_written_now_is_known(tmp_path: Path) -> None:
    """Reports that are not committed, made by what makes them."""
    write_chunks(tmp_path / "chaos.json", Campaign("process", "ab", 1, 10), {0: Tally(runs=100)})
    made = {
        (tmp_path / "chaos.json").read_text(): kinds.CHAOS,
        Results(("host",)).markdown(): kinds.MATRIX,
        report(Evidence({}, {}, ()), "head"): kinds.COVERAGE,  # type: ignore[arg-type]
    }
    for text, kind in made.items():
        assert [each.what for each in ALL if each.is_one(text)] == [kind.what]


@pytest.mark.parametrize("path", ["README.md", "tasks.py", "pyproject.toml", "docs/coverage.md", "docs/mutation.md"])
def test_no_other_file_of_the_checkout_is_taken_for_one(path: str) -> None:
    """What has been written by hand is nobody's output."""
    text = (ROOT / path).read_text(encoding="utf-8")
    assert [kind.what for kind in ALL if kind.is_one(text)] == []


@pytest.mark.parametrize("content", [{}, {"a": 1}, [], "machine", None, {"campaign": {}, "chunks": {}}])
def test_other_json_is_none(content: object) -> None:
    """As another program may have written it."""
    assert [kind.what for kind in ALL if kind.is_one(json.dumps(content))] == []
