"""Verification: a table that is sound, one that was tampered with, and a lie that hangs together."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from priot_hil.reference.errors import InputError
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reproductions.chain import Entry, read_chain, write_chain
from priot_hil.reproductions.performance import Material, perform
from priot_hil.reproductions.plan import key_of, plan
from priot_hil.reproductions.records import EpochRecord
from priot_hil.reproductions.table import Cell, Table, cell_of, read_table
from priot_hil.reproductions.verify import Recomputation, check, choose, differences, other_makers, verify

PRIOT = Cell("PRIOT", 30, 10)
MADE = {
    "git": {"commit": "a" * 40, "is_dirty": False},
    "packages": {"numpy": "2.0", "ziglang": "0.1", "unicorn": "2.1"},
    "engines": {},
}
MACHINE = {"system": "one", "processor": "it", "python": "3"}


@pytest.fixture(scope="module")
def table(experiment, material, loader, tmp_path_factory):
    """Three rows of the small table, performed on the reference."""
    folder = tmp_path_factory.mktemp("runs")
    wanted = ("before transfer", "static NITI", "PRIOT")
    known = Material(material.images, material.models, MADE, MACHINE)
    runs = plan(experiment, "reference", None, loader.sums, "e" * 64)
    records = [
        perform(run, known, [ReferenceEngine()], ReferenceEngine(), folder / run.key, lambda: None)
        for run in runs
        if run.row.name in wanted
    ]
    return Table(experiment, "reference", {cell_of(record): record for record in records})


def changed(table, cell=PRIOT, epoch=2, **changes):
    """The table with something else in an epoch."""
    record = table.records[cell]
    epochs = list(record.epochs)
    epochs[epoch] = replace(epochs[epoch], **changes)
    return replace(table, records={**table.records, cell: replace(record, epochs=tuple(epochs))})


def said(path, **options):
    """What `verify` finds and says."""
    console = Console(file=io.StringIO(), width=200)
    return verify(path, console=console, **options), console.file.getvalue()


def test_a_table_s_file_is_its_table(table, tmp_path):
    """Everything comes back from the file alone, and the same bytes from what came back."""
    last = table.write(tmp_path / "a.jsonl")
    again = read_table(tmp_path / "a.jsonl")
    assert again == table
    assert [record.beside for record in again.records.values()] == [record.beside for record in table.records.values()]
    assert again.write(tmp_path / "b.jsonl") == last
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


def test_performed_again_only_what_stands_beside_differs(table, material, tmp_path):
    """Times and machine; the chains are the same."""
    run = next(run for run in plan(table.experiment, "reference", None, {"float": ""}, "") if run.row.name == "PRIOT")
    record = table.records[PRIOT]
    run = replace(run, checkpoint=record.run["checkpoint_sha256"], code=record.run["code_sha256"])
    known = Material(material.images, material.models, MADE, {**MACHINE, "system": "two"})
    again = perform(run, known, [ReferenceEngine()], ReferenceEngine(), tmp_path / "run", lambda: None)
    assert again.beside["machine"] != record.beside["machine"]
    first, second = (Table(table.experiment, "reference", {PRIOT: each}) for each in (record, again))
    assert first.write(tmp_path / "a.jsonl") == second.write(tmp_path / "b.jsonl")
    one, two = ((tmp_path / name).read_text().splitlines() for name in ("a.jsonl", "b.jsonl"))
    assert one[0] == two[0]
    assert json.loads(one[1])["body"] == json.loads(two[1])["body"]
    assert one[1] != two[1]


def test_a_record_carries_where_it_comes_from(table, material):
    """The body has seed, data, checkpoint, code, engines and what made it; the head has the experiment's text."""
    head, first, *_ = table.entries()
    assert head.body["experiment"] == dict(table.experiment.sources)
    body = first.body
    assert (body["seed"], body["devices"], body["made"]) == (10, ["reference"], [MADE])
    assert body["data"]["mnist_sha256"] == material.data_sha256
    assert len(body["data"]["drawn_sha256"]) == len(body["checkpoint_sha256"]) == 64
    assert set(first.beside) == {"finished", "seconds", "machine"}
    seeds = {
        replace(run, seed=11).description()["seed"] for run in plan(table.experiment, "host", None, {"float": ""}, "")
    }
    assert seeds == {11}


def test_a_sound_file(table, tmp_path):
    """Nothing is found; it says how much there is, and how the chain ends."""
    last = table.write(tmp_path / "a.jsonl")
    wrong, text = said(tmp_path / "a.jsonl")
    assert wrong == 0
    assert "4 lines, 3 of 9 runs; the chain hangs together" in text
    assert last in text


def test_a_changed_number_breaks_the_chain(table, tmp_path):
    """The line is named."""
    path = tmp_path / "a.jsonl"
    table.write(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    content = json.loads(lines[3])
    content["body"]["epochs"][2]["test_correct"] += 1
    path.write_text("\n".join([*lines[:3], json.dumps(content), ""]), encoding="utf-8")
    wrong, text = said(path)
    assert wrong == 1
    assert "wrong: line 4: its body has SHA-256" in text
    assert "the chain is broken" in text


@pytest.mark.slow
def test_recomputation_finds_a_lie_that_hangs_together(table, loader, tmp_path):
    """Written with hashes that fit; where it differs is said, and an honest record beside it is equal."""
    lie = changed(table, test_correct=table.records[PRIOT].epochs[2].test_correct + 1)
    lie.write(tmp_path / "a.jsonl")
    assert said(tmp_path / "a.jsonl")[0] == 0
    console = Console(file=io.StringIO(), width=200)
    honest = Cell("static NITI", 30, 10)
    again = Recomputation(read_table(tmp_path / "a.jsonl"), loader, None, 1, console)
    assert again.perform([honest, PRIOT]) == 1
    text = console.file.getvalue()
    assert "static NITI, 30 degrees, seed 10: equal, 2 epochs" in text
    right = table.records[PRIOT].epochs[2].test_correct
    expected = f"PRIOT, 30 degrees, seed 10: wrong: after epoch 2: test_correct is {right + 1} in the file, {right}"
    assert expected in text
    assert "made by other sources than are here" in text


@pytest.mark.parametrize("name", ["test_correct", "train_correct", "state_crc", "pruned"])
def test_each_number_of_an_epoch_is_compared(table, name):
    """And the first epoch that differs is named."""
    record = table.records[PRIOT]
    lie = changed(table, epoch=1, **{name: getattr(record.epochs[1], name) + 1}).records[PRIOT]
    (found,) = differences(lie, record)
    assert found.startswith(f"after epoch 1: {name} is ")
    assert differences(record, record) == []


def test_counts_scales_data_and_length_are_compared(table):
    """Everything that a run gives."""
    record = table.records[PRIOT]
    counts = record.epochs[1].counts
    moved = replace(counts, moved=(counts.moved[0] + 1, *counts.moved[1:]))
    assert "moved is [" in differences(changed(table, epoch=1, counts=moved).records[PRIOT], record)[0]
    others = {
        "scales": {**record.scales, "9": [1, 1, 1]},
        "edges": 1,
        "data": {**record.data, "drawn_sha256": ""},
        "totals": moved,
    }
    for name, value in others.items():
        assert differences(replace(record, **{name: value}), record)[0].startswith(f"{name}: ")
    both = replace(changed(table, test_correct=0).records[PRIOT], edges=1)
    assert [line.split(":")[0] for line in differences(both, record)] == ["edges", "after epoch 2"]
    assert differences(record.upto(1), record) == ["epochs: 1 in the file, 2 recomputed"]
    other = replace(record, run={**record.run, "checkpoint_sha256": "0" * 64})
    assert differences(other, record)[0].startswith("checkpoint: 0000")


def test_cycles_count_where_the_engines_are_the_same(table):
    """Another engine counts other cycles, or none."""
    record = table.records[PRIOT]
    counted = changed(table, epoch=1, cycles=5).records[PRIOT]
    assert differences(counted, record) == ["after epoch 1: cycles is 5 in the file, None recomputed"]
    elsewhere = replace(counted, run={**record.run, "devices": ["reference", "emulator"]})
    assert differences(elsewhere, record) == []


def test_a_record_that_is_not_the_experiment_s_is_found(table):
    """Another parameter, more epochs, a run that is not planned."""
    record = table.records[PRIOT]
    assert check(table) == []
    for run, finding in (
        ({"mu": 4}, "mu is 4 in the record, 5 in the experiment"),
        ({"theta": 0}, "theta is 0 in the record, -64 in the experiment"),
        ({"train_samples": 32}, "train_samples is 32 in the record, 16 in the experiment"),
    ):
        other = replace(record, run={**record.run, **run})
        assert f"{PRIOT}: {finding}" in check(replace(table, records={PRIOT: other}))
    assert check(replace(table, records={PRIOT: record.upto(1)})) == [
        f"{PRIOT}: 1 epochs in the record, 2 in the experiment"
    ]
    stranger = Cell("PRIOT", 30, 11)
    assert check(replace(table, records={stranger: record})) == [f"{stranger}: the experiment has no such run"]
    other = replace(record, run={**record.run, "devices": ["host"]})
    assert check(replace(table, records={PRIOT: other})) == [f"{PRIOT}: performed on host, the table on reference"]


def test_cells_are_chosen(table):
    """Those named, and as many drawn as asked for; the same seed draws the same."""
    there = [cell for cell in table.cells if cell in table.records]
    assert choose(table, ["PRIOT,30,10"], 0, None) == [PRIOT]
    assert choose(table, [" PRIOT , 30 , 10 "], 2, 1) == there
    drawn = {tuple(choose(table, [], 1, seed)) for seed in range(20)}
    assert len(drawn) == 3
    assert choose(table, [], 2, 5) == choose(table, [], 2, 5)
    for cells, sample, reason in (
        (["PRIOT,30,11"], 0, "cell: expected ROW,ANGLE,SEED such as before transfer,30,10, got 'PRIOT,30,11'"),
        (["PRIOT"], 0, "cell: expected"),
        ([], 4, "sample: expected 0..3 cells"),
        (["PRIOT,30,10"], 3, "sample: expected 0..2 cells"),
        ([], -1, "sample: expected"),
    ):
        with pytest.raises(InputError, match=reason):
            choose(table, cells, sample, None)


@pytest.mark.parametrize("asked", [None, "nosuch"])
def test_an_engine_that_is_not_here_is_said_before_anything_starts(table, tmp_path, asked):
    """Whether the records name it or the command does."""
    record = table.records[PRIOT]
    run = {**record.run, "devices": ["nosuch" if asked is None else "reference"]}
    other = replace(record, run=run, key=key_of(run))
    replace(table, device=run["devices"][0], records={PRIOT: other}).write(tmp_path / "a.jsonl")
    with pytest.raises(InputError, match=r"device: expected one of .*, got 'nosuch'"):
        verify(tmp_path / "a.jsonl", sample=1, device=asked, console=Console(file=io.StringIO()))


def test_what_cannot_be_is_refused_and_what_is_not_the_experiment_s_is_found(table, tmp_path):
    """Impossible numbers end whatever reads a table; strange runs are listed by this command, and end the others."""
    changed(table, test_correct=9).write(tmp_path / "a.jsonl")
    for read in (verify, read_table):
        with pytest.raises(InputError, match=r"a\.jsonl, line 4: epochs\[2\]\.test_correct: expected .* 8, got 9"):
            read(tmp_path / "a.jsonl")
    run = {**table.records[PRIOT].run, "mu": 4}
    other = replace(table.records[PRIOT], run=run, key=key_of(run))
    replace(table, records={**table.records, PRIOT: other}).write(tmp_path / "b.jsonl")
    wrong, text = said(tmp_path / "b.jsonl")
    assert wrong == 1
    assert f"wrong: {PRIOT}: mu is 4 in the record, 5 in the experiment" in text
    with pytest.raises(InputError, match=f"expected records of its own experiment, got {PRIOT}: mu is 4"):
        read_table(tmp_path / "b.jsonl")


def test_an_experiment_s_files_are_those_that_it_names(table, tmp_path):
    """The head's texts are part of what is read; one that nothing names, or that is none, is refused with the line."""
    table.write(tmp_path / "a.jsonl")
    head, *records = read_chain(tmp_path / "a.jsonl")
    texts = head.body["experiment"]
    for change, reason in (
        ({"experiment": {**texts, "other.toml": ""}}, "files: expected accuracy.toml and those that it builds on"),
        ({"experiment": {"accuracy.toml": "["}}, "got no TOML"),
        ({"experiment": {"accuracy.toml": f"a = {'[' * 10_000}"}}, "got no TOML"),
        ({"experiment": {}}, "format: expected text, got nothing"),
        ({"table": "../accuracy"}, "table: expected string should match pattern"),
    ):
        write_chain(tmp_path / "b.jsonl", [Entry({**head.body, **change}), *records])
        with pytest.raises(InputError, match=f"b.jsonl, line 1: .*{reason}"):
            verify(tmp_path / "b.jsonl")


def test_other_makers_are_told(table):
    """Versions and builds that are not those here: no fault."""
    record = table.records[PRIOT]
    made = {**MADE, "packages": {"numpy": "1.0"}, "git": None}
    lines = other_makers(replace(record, made=(made,)), record)
    assert lines == ["made by packages numpy 1.0, here 2.0"]
    assert other_makers(record, record) == []


def test_a_file_that_is_no_table_is_refused(table, tmp_path):
    """A chain of something else, or of fewer or of other records than its head says."""
    path = tmp_path / "a.jsonl"
    path.write_text("{}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"a\.jsonl, line 1: sha256: expected a value, got nothing"):
        verify(path)
    table.write(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([*lines[:-1], ""]), encoding="utf-8")
    with pytest.raises(InputError, match="line 1: records: expected 2, as many as follow, got 3"):
        verify(path)
    write_chain(path, [*table.entries()[:3], table.entries()[2]])
    with pytest.raises(InputError, match="line 4: expected one record of each run, got a second one of"):
        verify(path)
    path.write_text("\n".join([*lines[1:], ""]), encoding="utf-8")
    with pytest.raises(InputError, match="line 1: format: expected priot-table/2, got 'priot-run/2'"):
        verify(path)


def test_epochs_have_no_field_that_is_not_compared():
    """A new one has to be thought of here."""
    compared = {"epoch", "test_correct", "train_correct", "state_crc", "pruned", "cycles", "counts"}
    assert set(EpochRecord.__dataclass_fields__) == compared
