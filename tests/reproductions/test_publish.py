"""Publishing a table: what is written, and what is refused."""

import json
from dataclasses import replace

import pytest

from priot_hil.reference.errors import InputError
from priot_hil.reproductions.chain import linked
from priot_hil.reproductions.plan import plan
from priot_hil.reproductions.probe import Counts
from priot_hil.reproductions.publish import publish, published_tables, with_table
from priot_hil.reproductions.records import EpochRecord, RunRecord
from priot_hil.reproductions.table import Table, cell_of

MARKS = "<!-- made from docs/results/accuracy.jsonl, see docs/tables.md -->", "<!-- end -->"
README = f"# A\n\n{MARKS[0]}\n\n| old |\n\n{MARKS[1]}\n\n| another |\n\n<!-- end -->\n"


@pytest.fixture
def table(experiment):
    """The small table, whole."""
    counts = Counts(*[(1, 1)] * 6)
    records = [
        RunRecord(
            run.key,
            run.description(),
            {},
            (),
            None,
            1,
            counts,
            tuple(EpochRecord(i, 4, None, 0, None, None, counts) for i in range(run.epochs + 1)),
        )
        for run in plan(experiment, "host", None, {"float": "a"}, "b")
    ]
    return Table(experiment, "host", {cell_of(record): record for record in records})


@pytest.fixture
def root(tmp_path):
    """A checkout with a README, and with a file of records that is no table."""
    (tmp_path / "docs" / "results").mkdir(parents=True)
    (tmp_path / "docs" / "results" / "old.jsonl").write_text('{"format": "priot-run/1"}\n')
    (tmp_path / "README.md").write_text(README)
    return tmp_path


def test_a_table_is_published(table, root, tmp_path, works):
    """Records as they are; page, picture and README from them; what else the README says stays."""
    pytest.importorskip("matplotlib")
    last = table.write(tmp_path / "new.jsonl")
    said = []
    publish(tmp_path / "new.jsonl", root, said.append)
    assert [(work.done, work.total) for work in works] == [(1, 1)]
    folder = root / "docs" / "results"
    assert (folder / "accuracy.jsonl").read_bytes() == (tmp_path / "new.jsonl").read_bytes()
    page = (folder / "accuracy.md").read_text(encoding="utf-8")
    assert last in page
    assert "![Training curves](accuracy-curves.svg)" in page
    assert last in (folder / "accuracy-curves.svg").read_text(encoding="utf-8")
    readme = (root / "README.md").read_text(encoding="utf-8")
    assert "| PRIOT | 50.0 | 50.0 | +0.0 |" in readme
    assert "| old |" not in readme
    assert readme.endswith("| another |\n\n<!-- end -->\n")
    assert len(said) == 4
    publish(None, root, said.append)
    assert (root / "README.md").read_text(encoding="utf-8") == readme
    assert published_tables(folder) == [folder / "accuracy.jsonl"]


def test_only_its_own_marks_are_filled(table):
    """A text without them stays as it is."""
    assert with_table(README, table, "confirmation.jsonl") == README
    assert with_table("nothing", table, "accuracy.jsonl") == "nothing"


def test_half_a_table_is_refused(table, root, tmp_path):
    """A missing run, or the short form; nothing is written."""
    less = dict(list(table.records.items())[:-1])
    quick = replace(table, experiment=table.experiment.shortened())
    for part, got in ((replace(table, records=less), "8 of 9 runs"), (quick, "one in its short form")):
        part.write(tmp_path / "new.jsonl")
        with pytest.raises(InputError, match=f"expected a whole table, got {got}"):
            publish(tmp_path / "new.jsonl", root)
    assert not (root / "docs" / "results" / "accuracy.jsonl").exists()


def test_a_table_made_row_by_row_may_be_published_before_its_end(table, root, tmp_path):
    """It says how far it is, and which rows are not there; a whole one says nothing of that."""
    pytest.importorskip("matplotlib")
    rows = table.experiment.rows
    less = {cell: record for cell, record in table.records.items() if cell.row != rows[-1].name}
    names = tuple(row.name for row in rows)
    sources = {name: f"row_by_row = {json.dumps(names)}\n{text}" for name, text in table.experiment.sources}
    experiment = replace(table.experiment, row_by_row=names, sources=tuple(sources.items()))
    path = root / "docs" / "results" / "accuracy.md"
    for records, told in ((table.records, False), (less, True)):
        replace(table, experiment=experiment, records=records).write(tmp_path / "new.jsonl")
        publish(tmp_path / "new.jsonl", root)
        page = path.read_text(encoding="utf-8")
        assert ("1 of 9 runs have not been made; what needs them says “not run”." in page) is told
        assert (f"| {rows[-1].name} | not run |" in page) is told


def test_a_changed_file_is_refused(table, root, tmp_path):
    """Its chain is broken."""
    table.write(tmp_path / "new.jsonl")
    text = (tmp_path / "new.jsonl").read_text(encoding="utf-8")
    (tmp_path / "new.jsonl").write_text(text.replace('"test_correct": 4', '"test_correct": 5', 1), encoding="utf-8")
    with pytest.raises(InputError, match="unbroken chain"):
        publish(tmp_path / "new.jsonl", root)


def test_the_last_hash_is_the_table_s(table):
    """Another number, another hash."""
    cell, record = next(iter(table.records.items()))
    other = replace(record, epochs=(replace(record.epochs[0], test_correct=5), *record.epochs[1:]))
    one, two = (linked(each.entries())[-1] for each in (table, replace(table, records={**table.records, cell: other})))
    assert one.sha256 != two.sha256
