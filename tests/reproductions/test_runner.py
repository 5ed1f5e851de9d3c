"""A whole table in the small, in worker processes: made, made again, interrupted, refused."""

import io
import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from rich.console import Console

from priot_hil.harness.firmware import build
from priot_hil.reference.errors import InputError
from priot_hil.reproductions.chain import read_lines
from priot_hil.reproductions.experiment import tables
from priot_hil.reproductions.files import pack, unpack
from priot_hil.reproductions.material import MaterialLoader
from priot_hil.reproductions.plan import plan
from priot_hil.reproductions.records import kept
from priot_hil.reproductions.runner import Reproduction, reproduce
from priot_hil.reproductions.table import read_table

PATIENCE = 180  # seconds, for a machine that does other things too
# What a user does, but with the small table: a process of its own, which Ctrl-C reaches through its process group.
COMMAND = """
import pickle, sys
from rich.console import Console
from priot_hil.reproductions.runner import Reproduction

with open(sys.argv[1], "rb") as file:
    made = Reproduction(*pickle.load(file), Console(width=130))
try:
    made.perform()
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.fixture
def small(experiment):
    """Three rows, two angles, one seed."""
    rows = tuple(row for row in experiment.rows if row.name in ("before transfer", "static NITI", "PRIOT"))
    return replace(experiment, rows=rows, angles=(30, 45))


@pytest.fixture
def table(small, loader, tmp_path):
    """Makes the table; `changes` go to the experiment."""

    def make(out="out", loader=loader, **changes):
        console = Console(file=io.StringIO(), width=130)
        changed = replace(small, **changes)
        runs = plan(changed, "reference", None, {"float": "a checkpoint"}, "a code")
        return Reproduction(changed, runs, loader, tmp_path / out, "reference", "host", 2, console)

    return make


def shown(reproduction):
    """What was printed."""
    return reproduction.console.file.getvalue()


def test_a_table_is_made_and_written(table, tmp_path):
    """A line for each run, the table, Markdown and JSON Lines with the same records."""
    made = table()
    records = made.perform()
    text = shown(made)
    assert len(records) == 6
    assert "[6/6] " in text
    assert f"PRIOT, 45 degrees, seed 10: best {records[-1].best:.1f} %" in text
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
def test_the_second_time_nothing_is_performed(table):
    """The same records, without data, model or engine."""
    records = table().perform()
    nothing = MaterialLoader(open, "", {})
    again = table(loader=nothing)
    assert again.perform() == records
    assert "[1/" not in shown(again)


@pytest.mark.slow
def test_more_epochs_go_on_and_fewer_are_the_beginning(table, tmp_path):
    """Quick and full share their runs."""
    short = table(epochs=1).perform()
    long = table(epochs=3).perform()
    assert [record.upto(1) for record in long] == short
    assert table(epochs=1).perform() == short
    assert table(out="at once", epochs=3).perform() == long
    table(epochs=3).perform()
    one, two = (read_lines(tmp_path / out / "accuracy-reference.jsonl") for out in ("out", "at once"))
    assert [line.sha256 for line in one] == [line.sha256 for line in two]  # all but times is the same


@pytest.mark.slow
def test_a_failure_in_a_worker_ends_the_command(table, tmp_path):
    """With the worker's own sentence; the other runs are kept."""
    made = table()
    made.perform()
    path = tmp_path / "out" / "runs" / f"{made.runs[1].key}.npz"
    arrays = unpack(path.read_bytes(), "it", "do")
    arrays["v9"][0, 0] ^= 1
    path.write_bytes(pack(arrays))
    with pytest.raises(InputError, match="expected CRC-32"):
        table(epochs=3).perform()


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_done(table, tmp_path):
    """A sentence, a table that says what was not run, status 130; the same command then gives the same records."""
    interrupted = table(epochs=1000)
    path = tmp_path / "made.pickle"
    names = ("experiment", "runs", "loader", "out", "device", "calibrator")
    jobs = len(interrupted.runs)  # Some workers are out of work when Ctrl-C comes.
    path.write_bytes(pickle.dumps([*(getattr(interrupted, name) for name in names), jobs]))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", COMMAND, str(path)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )
    deadline = time.monotonic() + PATIENCE
    while len(list((tmp_path / "out" / "runs").glob("*.npz"))) < jobs:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, errors
    assert "Give the same command again to go on from there." in output
    assert "not run" in output
    assert "Traceback" not in errors
    kept_runs = [kept(tmp_path / "out" / "runs" / f"{run.key}.npz", run.key) for run in interrupted.runs]
    trained = max(record.trained for record, _ in kept_runs)
    assert trained < 1000
    whole = table(out="whole", epochs=trained + 1).perform()
    assert table(epochs=trained + 1).perform() == whole


def test_unknown_tables_and_devices_are_refused(tmp_path):
    """With what there is, before anything is fetched or built."""
    with pytest.raises(InputError, match=f"table: expected one of {', '.join(tables())}, got 'costs'"):
        reproduce("costs", out=tmp_path)
    with pytest.raises(InputError, match=r"device: expected one of .*emulator.*, got 'toaster'"):
        reproduce("accuracy", device="toaster", out=tmp_path)
    with pytest.raises(InputError, match="got 'host,emulator'"):
        reproduce("accuracy", device="host,emulator", out=tmp_path)
    assert list(tmp_path.iterdir()) == []
