"""Publishing a table: what is written, and what is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest

from priot_hil.harness.paths import ROOT
from priot_hil.reference.errors import InputError
from priot_hil.reference.kinds import MethodKind
from priot_hil.reference.run import Method, Model, State
from priot_hil.reproductions.chain import linked
from priot_hil.reproductions.data import Samples
from priot_hil.reproductions.networks import TINY_CNN
from priot_hil.reproductions.plan import plan
from priot_hil.reproductions.probe import Counts, Probe
from priot_hil.reproductions.publish import publish, published_tables, with_table
from priot_hil.reproductions.records import EpochRecord, RunRecord
from priot_hil.reproductions.table import Table, cell_of

MARKS = "<!-- made from docs/results/accuracy.jsonl, see docs/tables.md -->", "<!-- end -->"
README = f"# A\n\n{MARKS[0]}\n\n| old |\n\n{MARKS[1]}\n\n| another |\n\n<!-- end -->\n"


@pytest.fixture
def table(experiment, material):
    """The small table, whole; half of the predictions are right, and nothing moves."""
    layers = TINY_CNN.weighted
    samples = Samples(np.empty((16, 0), np.int8), np.empty(16, np.int64))
    probe = Probe(Model(TINY_CNN, {}, {}), Method(MethodKind.NITI_DYNAMIC), samples, 4)
    nothing = Counts(*[(0,) * len(layers)] * 6)

    def record(run):
        is_static, theta = run.method.kind is not MethodKind.NITI_DYNAMIC, run.method.theta
        return RunRecord(
            run.key,
            run.description(),
            {"mnist_sha256": material.data_sha256, "drawn_sha256": "0" * 64},
            (material.made,),
            {str(i): [0, 0, 0] for i in layers} if is_static else None,
            52040,
            probe.totals(State({}, 1)),
            tuple(
                EpochRecord(i, 4, 4 if i else None, 0, None if theta is None else 0, None, nothing)
                for i in range(run.epochs + 1)
            ),
            {"finished": "2026-11-28T04:16:38+00:00", "seconds": 1.5, "machine": material.machine},
        )

    records = [record(run) for run in plan(experiment, "host", None, {"float": "a" * 64}, "b" * 64)]
    return Table(experiment, "host", {cell_of(each): each for each in records})


@pytest.fixture
def root(tmp_path):
    """A checkout with a README, and with a file of records that is no table."""
    (tmp_path / "docs" / "results").mkdir(parents=True)
    (tmp_path / "docs" / "results" / "old.jsonl").write_text('{"format": "priot-run/1"}\n')
    (tmp_path / "README.md").write_text(README)
    return tmp_path


def test_a_table_is_published(table, root, tmp_path, works):
    """Records as they are; page, picture and README from them; what else the README says stays."""
    last = table.write(tmp_path / "new.jsonl")
    said = []
    publish(tmp_path / "new.jsonl", (), root, said.append)
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
    publish(None, (), root, said.append)
    assert (root / "README.md").read_text(encoding="utf-8") == readme
    assert published_tables(folder) == [folder / "accuracy.jsonl"]


def test_only_its_own_marks_are_filled(table):
    """A text without them stays as it is."""
    assert with_table(README, table, "confirmation.jsonl") == README
    assert with_table("nothing", table, "accuracy.jsonl") == "nothing"


def test_half_a_table_is_refused(table, root, tmp_path):
    """A missing run, or the short form; nothing is written."""
    less = dict(list(table.records.items())[:-1])
    quick = replace(table, experiment=table.experiment.shortened(), records={})
    for part, got in ((replace(table, records=less), "8 of 9 runs"), (quick, "one in its short form")):
        part.write(tmp_path / "new.jsonl")
        with pytest.raises(InputError, match=f"expected a whole table, got {got}"):
            publish(tmp_path / "new.jsonl", (), root)
    assert not (root / "docs" / "results" / "accuracy.jsonl").exists()


def test_a_table_made_row_by_row_may_be_published_before_its_end(table, root, tmp_path):
    """It says how far it is, and which rows are not there; a whole one says nothing of that."""
    rows = table.experiment.rows
    less = {cell: record for cell, record in table.records.items() if cell.row != rows[-1].name}
    names = tuple(row.name for row in rows)
    sources = {name: f"row_by_row = {json.dumps(names)}\n{text}" for name, text in table.experiment.sources}
    experiment = replace(table.experiment, row_by_row=names, sources=tuple(sources.items()))
    path = root / "docs" / "results" / "accuracy.md"
    for records, told in ((table.records, False), (less, True)):
        replace(table, experiment=experiment, records=records).write(tmp_path / "new.jsonl")
        publish(tmp_path / "new.jsonl", (), root)
        page = path.read_text(encoding="utf-8")
        assert ("1 of 9 runs have not been made; what needs them says “not run”." in page) is told
        assert (f"| {rows[-1].name} | not run |" in page) is told


def test_a_changed_file_is_refused(table, root, tmp_path):
    """Its chain is broken."""
    table.write(tmp_path / "new.jsonl")
    text = (tmp_path / "new.jsonl").read_text(encoding="utf-8")
    (tmp_path / "new.jsonl").write_text(text.replace('"test_correct": 4', '"test_correct": 5', 1), encoding="utf-8")
    with pytest.raises(InputError, match="unbroken chain"):
        publish(tmp_path / "new.jsonl", (), root)


def test_the_last_hash_is_the_table_s(table):
    """Another number, another hash."""
    cell, record = next(iter(table.records.items()))
    other = replace(record, epochs=(replace(record.epochs[0], test_correct=5), *record.epochs[1:]))
    one, two = (linked(each.entries())[-1] for each in (table, replace(table, records={**table.records, cell: other})))
    assert one.sha256 != two.sha256


REPORTS = ("coverage.md", "classes.md", "selftest.md", "mutation.json", "bench-vgg11.json", "bench.json", "cost.json")
CALLED = {
    "coverage.md": ["coverage-thorough.md"],
    "selftest.md": ["selftest-host.md"],
    "bench-vgg11.json": ["bench-vgg11_step.json"],
}


@pytest.mark.parametrize("name", REPORTS)
def test_reports_are_taken_over(name, root, tmp_path):
    """As they are, under the name that the documents link to, and each with its page; nothing else is written."""
    source = ROOT / "docs" / "results" / name
    for called in [name, *CALLED.get(name, [])]:
        path = tmp_path / "results" / called
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(source.read_bytes())
        said = []
        publish(None, [path], root, said.append)
        folder = root / "docs" / "results"
        page = {"mutation.json": ["mutation.md"], "cost.json": ["cost.md"]}.get(name, [])
        assert said == [
            f"Written: {each}" for each in (*(f"docs/results/{each}" for each in (name, *page)), "README.md")
        ]
        for each in (name, *page):
            assert (folder / each).read_bytes() == (ROOT / "docs" / "results" / each).read_bytes()
            (folder / each).unlink()
        assert [path.name for path in folder.iterdir()] == ["old.jsonl"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("coverage.md", "# Notes\n"),
        ("notes.md", "# Coverage of the kernels and the engine\n"),
        ("mutation.json", '{"host": {"of": 3, "records": [1]}}'),
        ("bench.json", "[]"),
        ("cost.json", '{"format": "priot-cost/9"}'),
        ("bench.json", b"\xff\xfe"),
        ("chaos-process.json", '{"campaign": {}, "total": {}, "chunks": {}}'),
    ],
)
def test_what_is_no_report_is_refused(name, content, root, tmp_path):
    """With a sentence, and nothing is written, not even of those that are reports."""
    path, good = tmp_path / name, tmp_path / "classes.md"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    good.write_text("# Classes of generated cases\n")
    before = (root / "README.md").read_bytes()
    with pytest.raises(InputError, match=name):
        publish(None, [good, path], root)
    assert [path.name for path in (root / "docs" / "results").iterdir()] == ["old.jsonl"]
    assert (root / "README.md").read_bytes() == before
