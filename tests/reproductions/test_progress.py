"""What the epochs of a table's runs count for, and what people are told of them."""

import io
import sys
from dataclasses import replace

import pytest
from rich.console import Console

from priot_hil.reproductions.performance import perform
from priot_hil.reproductions.progress import reporting, work_of
from priot_hil.reproductions.recovery import LostWorker


@pytest.fixture
def some_runs(runs):
    """Two runs of 5 epochs on the host, and one of them that the emulator takes in step."""
    one, other = (replace(runs[row], epochs=5, devices=("host",)) for row in ("PRIOT", "static NITI"))
    return one, other, replace(one, devices=("host", "emulator"))


def test_what_was_performed_before_is_done(some_runs):
    """A run that is kept as a whole, and the epochs of one that was interrupted."""
    _, other, both = some_runs
    work = work_of(some_runs, {other: 2, both: 6})
    assert (work.total, work.done, work.left()) == (18, 6 + 4, None)
    assert work.what == "epochs of accuracy"
    for _ in range(2):
        work.advance(1, other)
    for _ in range(6):
        work.advance(1, both)
    assert (work.done, work.share(), work.left()) == (18, 1.0, 0.0)
    assert work_of(some_runs, {}).share() == 1.0


def test_a_run_that_an_emulator_takes_too_is_most_of_the_work(some_runs):
    """Its epochs cost 26 of one on the host alone, before any is measured; evaluating before training costs less."""
    both = some_runs[-1]
    assert work_of(some_runs, {both: 6}).share() == pytest.approx(2 / 28)
    assert work_of(some_runs, {both: 5}).share() == pytest.approx((2 + 26 * 0.3 / 5.3) / 28)


def test_each_run_is_told_where_there_is_no_bar(runs, material, reference, tmp_path, capsys):
    """On standard error, with its accuracy; a loss is told where the command's own words go."""
    run, console = runs["PRIOT"], Console(file=io.StringIO(), width=130)
    record = perform(run, material, [reference], reference, tmp_path / "run", lambda: None)
    with reporting(console, [run], {run: 3}) as reporter:
        reporter.begun(run)
        reporter.lost(LostWorker(0.0, run, -1))
        reporter.epochs(run, 3)
        reporter.run(run, record)
    accuracies = f"best {record.best:.1f} %, last {record.last:.1f} %"
    assert capsys.readouterr() == ("", f"[1/1 runs] PRIOT, 30 degrees, seed 10: {accuracies}\n")
    assert "PRIOT, 30 degrees, seed 10: its worker is gone" in console.file.getvalue()


def test_a_bar_needs_no_line_for_each_run(runs, material, reference, tmp_path, monkeypatch):
    """It says how far it is, and the table says the rest."""
    run, console = runs["PRIOT"], Console(file=io.StringIO(), width=130)
    record = perform(run, material, [reference], reference, tmp_path / "run", lambda: None)
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with reporting(console, [run], {run: 3}) as reporter:
        reporter.run(run, record)
    assert terminal.getvalue() == ""
