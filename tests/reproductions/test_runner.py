"""A whole table in the small, in worker processes: made, made again, gone on with, refused."""

import pytest

from priot_hil.harness.firmware import build
from priot_hil.reference.errors import InputError
from priot_hil.reproductions.chain import read_lines
from priot_hil.reproductions.experiment import tables
from priot_hil.reproductions.files import pack, unpack
from priot_hil.reproductions.material import MaterialLoader
from priot_hil.reproductions.runner import reproduce
from priot_hil.reproductions.table import read_table


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
    arrays = unpack(path.read_bytes(), "it", "do")
    arrays["v9"][0, 0] ^= 1
    path.write_bytes(pack(arrays))
    with pytest.raises(InputError, match="expected CRC-32"):
        small_table(epochs=3).perform()


def test_unknown_tables_and_devices_are_refused(tmp_path):
    """With what there is, before anything is fetched or built."""
    with pytest.raises(InputError, match=f"table: expected one of {', '.join(tables())}, got 'costs'"):
        reproduce("costs", out=tmp_path)
    with pytest.raises(InputError, match=r"device: expected one of .*emulator.*, got 'toaster'"):
        reproduce("accuracy", device="toaster", out=tmp_path)
    with pytest.raises(InputError, match="got 'host,emulator'"):
        reproduce("accuracy", device="host,emulator", out=tmp_path)
    assert list(tmp_path.iterdir()) == []
