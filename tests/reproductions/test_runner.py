"""A whole table in the small, in worker processes: made, made again, gone on with, refused."""

from dataclasses import replace

import pytest

from priot_hil.harness.archive import pack, unpack
from priot_hil.harness.firmware import build
from priot_hil.harness.manifest import contents_of, vouched
from priot_hil.reference.errors import InputError
from priot_hil.reproductions.chain import read_lines
from priot_hil.reproductions.experiment import tables
from priot_hil.reproductions.material import MaterialLoader
from priot_hil.reproductions.runner import has_others, reproduce
from priot_hil.reproductions.table import Table, read_table


def shown(reproduction):
    """What was printed."""
    return reproduction.console.file.getvalue()


def test_a_table_is_made_and_written(small_table, tmp_path, capsys, works):
    """A line for each run on standard error, the table, Markdown and JSON Lines with the same records."""
    made = small_table()
    records = made.perform()
    text = shown(made)
    assert len(records) == 6
    told = capsys.readouterr().err
    assert "[6/6 runs] " in told
    assert f"PRIOT, 45 degrees, seed 10: best {records[-1].best:.1f} %" in told
    assert " runs] " not in text
    epochs = [(work.done, work.total) for work in works if work.what == "epochs of accuracy"]
    assert epochs == [(2 * (1 + 3 + 3), 2 * (1 + 3 + 3))]  # the evaluations before training included
    table_shown, claims_shown = text.split("Claims")
    assert table_shown.count("not run") == 3  # No row went through the board.
    assert claims_shown.count("not run") == 11  # One seed gives no verdict.
    written = read_table(tmp_path / "out" / "accuracy-reference.jsonl")
    assert list(written.records.values()) == records
    (made,) = records[0].made
    assert made["engines"]["host"] == {"build": build("host").build_id.hex()}
    assert records[0].beside["machine"]["system"]
    markdown = (tmp_path / "out" / "accuracy-reference.md").read_text()
    assert f"| PRIOT | {records[2].best:.1f} | {records[2].last:.1f} |" in markdown


@pytest.mark.slow
def test_the_second_time_nothing_is_performed(small_table, capsys):
    """The same records, without data, model or engine."""
    records = small_table().perform()
    nothing = MaterialLoader(open, "", {})
    again = small_table(loader=nothing)
    capsys.readouterr()
    assert again.perform() == records
    assert "[1/" not in capsys.readouterr().err


@pytest.mark.slow
def test_more_epochs_go_on_and_fewer_are_the_beginning(small_table, tmp_path):
    """Quick and full share their runs."""
    short = small_table(epochs=1).perform()
    long = small_table(epochs=3).perform()
    assert [record.upto(1) for record in long] == short
    assert small_table(epochs=1).perform() == short
    assert small_table(out="at once", epochs=3).perform() == long
    small_table(epochs=3).perform()
    one, two = (read_lines(tmp_path / out / "accuracy-reference.jsonl") for out in ("out", "at once"))
    assert [line.sha256 for line in one] == [line.sha256 for line in two]  # all but times is the same


@pytest.mark.slow
def test_a_failure_in_a_worker_ends_the_command(small_table, tmp_path):
    """With the worker's own sentence; the other runs are kept."""
    made = small_table()
    made.perform()
    path = tmp_path / "out" / "runs" / f"{made.runs[1].key}.npz"
    contents = contents_of(unpack(path.read_bytes(), "it", "do"))
    contents.arrays["v9"][0, 0] ^= 1
    path.write_bytes(pack(vouched(contents.meta, contents.arrays)))
    with pytest.raises(InputError, match="expected CRC-32"):
        small_table(epochs=3).perform()


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_damaged_kept_run_is_named(small_table, tmp_path, damage):
    """Before anything is performed, with what to do; the file is left as it is."""
    made = small_table()
    path = tmp_path / "out" / "runs" / f"{made.runs[1].key}.npz"
    path.parent.mkdir(parents=True)
    content = bytearray(pack(vouched({"record": {}}, {})))
    content[8] ^= 1  # the method of compression, the first member's
    path.write_bytes(content[:-1] if damage == "cut" else content)
    before = path.read_bytes()
    with pytest.raises(InputError, match=f"^kept run {path}: expected .*; delete it and give the same command again"):
        made.perform()
    assert path.read_bytes() == before
    assert [file.name for file in (tmp_path / "out").rglob("*")] == ["runs", path.name]


def test_a_table_of_other_code_is_kept(small_table, tmp_path):
    """Its runs took hours, and nothing else can show them; one with the same runs, or fewer, is replaced."""
    made = small_table()
    records = made.perform()
    path = tmp_path / "out" / "accuracy-reference.jsonl"
    path.unlink()
    for count in (2, len(records)):
        made.report({record.key: record for record in records[:count]})
    first = path.read_bytes()
    assert [each.name for each in path.parent.glob("*.jsonl")] == [path.name]
    other = replace(small_table(), runs=[replace(run, code="0" * 64) for run in made.runs])
    for count in (1, 2):  # as it goes on after Ctrl-C
        performed = zip(other.runs[:count], records, strict=False)
        other.report({run.key: replace(record, key=run.key, run=run.description()) for run, record in performed})
        assert len(read_table(path).records) == count
    aside = path.with_name("accuracy-reference-earlier-1.jsonl")
    assert aside.read_bytes() == first
    assert f"{path} holds other runs, as of other code; it is kept as {aside}." in shown(other)
    assert sorted(each.name for each in path.parent.glob("*.jsonl")) == sorted([aside.name, path.name])


@pytest.mark.parametrize("content", ["damaged", '{"sha256": "", "body": 1}', ""])
def test_records_that_cannot_be_read_are_not_replaced(small_table, tmp_path, content):
    """They may be of another version."""
    made = small_table()
    path = tmp_path / "table.jsonl"
    assert not has_others(path, Table(made.experiment, "host", {}))
    path.write_text(content)
    assert has_others(path, Table(made.experiment, "host", {}))


@pytest.mark.parametrize("name", ["accuracy-quick.jsonl", "accuracy-quick.md", "accuracy-quick-published.md"])
def test_another_file_where_a_result_would_be_is_refused(tmp_path, name):
    """Before the data is looked for."""
    (tmp_path / name).write_text("a letter\n")
    published = tmp_path / "published.toml"
    published.write_text(
        'format = "priot-published/1"\nsource = "a paper"\nmeasure = "best"\n[accuracies.PRIOT]\n30 = 90.0\n'
    )
    with pytest.raises(InputError, match=f"{name}: expected a new name for .*, got a file that is none"):
        reproduce("accuracy", quick=True, out=tmp_path, published=published)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "published.toml"])


def test_unknown_tables_and_devices_are_refused(tmp_path):
    """With what there is, before anything is fetched or built."""
    with pytest.raises(InputError, match=f"table: expected one of {', '.join(tables())}, got 'costs'"):
        reproduce("costs", out=tmp_path)
    with pytest.raises(InputError, match=r"device: expected one of .*emulator.*, got 'toaster'"):
        reproduce("accuracy", device="toaster", out=tmp_path)
    with pytest.raises(InputError, match="got 'host,emulator'"):
        reproduce("accuracy", device="host,emulator", out=tmp_path)
    assert list(tmp_path.iterdir()) == []
