"""Runs whose devices are lost: they end as undisturbed ones, or give up with the cause."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from priot_hil.harness.errors import DeviceFault, DeviceRestarted, EmulationStuck, LinkLost
from priot_hil.reference.errors import InputError
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reproductions import performance
from priot_hil.reproductions.kills import BLOWS, Board, drawn_material, drawn_runs, kills, performed
from priot_hil.reproductions.records import kept
from priot_hil.reproductions.recovery import TRIES, Engines, perform_through_losses

ROWS = ("dynamic NITI", "static NITI", "PRIOT", "PRIOT-S 20 % magnitude")
CAUSES = [LinkLost("gone"), DeviceRestarted("again"), DeviceFault("crashed", pc=4), EmulationStuck("stuck")]
MOMENTS = ("load", "load_data", "train_epoch", "evaluate", "state_crc", "state")


class Frail(ReferenceEngine):
    """A reference that fails when asked for something for the n-th time."""

    def __init__(self, moment="", nth=0, cause=None):
        super().__init__()
        self.moment, self.left, self.cause = moment, nth, cause

    def __getattribute__(self, name):
        """What was asked for, or its failure."""
        if name in MOMENTS and name == self.moment:
            self.left -= 1
            if self.left <= 0:
                raise self.cause
        return super().__getattribute__(name)


@pytest.fixture
def run_it(material, tmp_path):
    """Perform a run on engines that are opened in this order, the last of them again and again."""

    def perform_one(run, *engines, name="run", pauses=(0.0, 0.0, 0.0)):
        waiting = list(engines)
        losses = []

        def opened(device):
            if device == "host":
                return ReferenceEngine()
            engine = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            if isinstance(engine, BaseException):
                raise engine
            return engine

        path = tmp_path / f"{name}.npz"
        record = perform_through_losses(
            run, material, Engines(opened, pauses), "host", path, lambda: None, losses.append
        )
        return record, losses

    return perform_one


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: type(cause).__name__)
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_loss_leaves_no_trace(cause, moment, runs, run_it, tmp_path, lasting):
    """Whatever is lost, over whatever: the record and the kept bytes are those of an undisturbed run."""
    run = runs["PRIOT-S 20 % magnitude"]
    nth = {"load": 1, "load_data": 1}.get(moment, 2)
    whole, none = run_it(run, ReferenceEngine(), name="whole")
    record, losses = run_it(run, Frail(moment, nth, cause), ReferenceEngine())
    assert (record, none) == (whole, [])
    assert lasting(tmp_path / "run.npz") == lasting(tmp_path / "whole.npz")
    (loss,) = losses
    assert loss.epoch == {"load": 0, "load_data": 0, "train_epoch": 2}.get(moment, 1)
    assert str(cause) in str(loss)
    assert ("goes on behind epoch" in str(loss)) == (loss.epoch > 0)


def test_three_losses_over_one_epoch_are_given_up(runs, run_it, tmp_path):
    """With the cause, and what was done before is kept; three losses over different epochs are not."""
    run = runs["PRIOT"]
    whole, _ = run_it(run, ReferenceEngine(), name="whole")
    with pytest.raises(DeviceFault, match="crashed") as caught:
        run_it(run, *[Frail("train_epoch", 1, DeviceFault("crashed")) for _ in range(TRIES)])
    assert "given up, lost 3 times over epoch 1" in caught.value.__notes__[-1]
    kept_record, _ = kept(tmp_path / "run.npz", run.key)
    assert kept_record == whole.upto(0)
    frail = [
        Frail("evaluate", 1, LinkLost("a")),
        Frail("evaluate", 2, LinkLost("b")),
        Frail("evaluate", 2, LinkLost("c")),
    ]
    record, losses = run_it(run, *frail, ReferenceEngine(), name="different")
    assert [loss.epoch for loss in losses] == [0, 1, 2]
    assert record == whole


def test_a_device_that_is_away_is_waited_for(runs, run_it):
    """Opened again until it answers, but not for ever."""
    run = runs["PRIOT"]
    gone = Frail("evaluate", 2, LinkLost("unplugged"))
    away = (InputError("no such port"), LinkLost("no answer"))
    record, losses = run_it(run, gone, *away, ReferenceEngine())
    assert record == run_it(run, ReferenceEngine(), name="whole")[0]
    assert len(losses) == 1
    gone = Frail("evaluate", 2, LinkLost("unplugged"))
    with pytest.raises(InputError, match="no such port") as caught:
        run_it(run, gone, InputError("no such port"), name="away")
    assert "reference did not come back in 3 tries" in caught.value.__notes__[-1]


def test_a_checkpoint_one_epoch_off_is_told_apart(runs, run_it, monkeypatch):
    """By its record's checksum; and where that is not looked at, by the state in the end."""
    run = replace(runs["PRIOT"], epochs=3)
    whole, _ = run_it(run, ReferenceEngine(), name="whole")
    right = performance.kept

    def one_off(path, key):
        found = right(path, key)
        return found and (found[0].upto(found[0].trained - 1), found[1])

    monkeypatch.setattr(performance, "kept", one_off)
    frail = Frail("train_epoch", 3, LinkLost("gone"))
    with pytest.raises(InputError, match="expected CRC-32"):
        run_it(run, frail, ReferenceEngine(), name="off")
    monkeypatch.setattr(performance, "check_resumed", lambda *_: None)
    frail = Frail("train_epoch", 3, LinkLost("gone"))
    monkeypatch.setattr(performance, "kept", right)
    whole_again, _ = run_it(run, frail, ReferenceEngine(), name="right")
    monkeypatch.setattr(performance, "kept", one_off)
    frail = Frail("train_epoch", 3, LinkLost("gone"))
    wrong, _ = run_it(run, frail, ReferenceEngine(), name="wrong")
    assert whole_again == whole
    assert wrong.epochs[-1].state_crc != whole.epochs[-1].state_crc


@pytest.mark.parametrize("row", [ROWS[0], *[pytest.param(row, marks=pytest.mark.slow) for row in ROWS[1:]]])
def test_an_emulated_board_that_is_reset(row, tmp_path):
    """Its watchdog bites in the second epoch: the run ends as undisturbed, cycle counts and all."""
    material, run = drawn_material(2), next(run for run in drawn_runs(2) if run.row.name == row)
    run = replace(run, train_samples=6, test_samples=4, epochs=2)
    board = Board(BLOWS["reset"])
    whole, _ = performed(run, material, board, tmp_path)
    struck = Board(BLOWS["reset"], 0.7 * board.length)
    record, losses = performed(run, material, struck, tmp_path)
    assert record == whole
    assert len({epoch.state_crc for epoch in record.epochs}) == 3
    assert len(losses) == 1
    assert "has restarted" in losses[0].cause
    assert "watchdog" in losses[0].cause


@pytest.mark.slow
def test_a_board_s_process_that_is_killed(tmp_path):
    """By SIGKILL, in mid-run."""
    material, run = drawn_material(3), drawn_runs(3)[2]
    run = replace(run, train_samples=6, test_samples=4, epochs=2)
    board = Board(BLOWS["kill"])
    killed = Board(BLOWS["kill"])
    whole, _ = performed(run, material, board, tmp_path)
    after = iter(range(100))

    def open_board(name):
        engine = Board.open(killed, name)
        if name == "board" and next(after) == 0:
            evaluate = engine.evaluate
            engine.evaluate = lambda: (killed._first.device.link.transport.kill(), evaluate())[1]
        return engine

    losses = []
    engines = Engines(open_board, (0.0,))
    path = tmp_path / "run.npz"
    record = perform_through_losses(run, material, engines, "host", path, lambda: None, losses.append)
    engines.close_all()
    assert record == whole
    assert [loss.epoch for loss in losses] == [0]
    assert "status -9" in losses[0].cause


def test_kills_refuses_what_it_cannot_do():
    """A way that there is not; no kills at all."""
    console = Console(file=io.StringIO())
    with pytest.raises(InputError, match="expected kill or reset, got 'hammer'"):
        kills(1, 1, "hammer", console)
    with pytest.raises(InputError, match="expected 1 or more, got 0"):
        kills(0, 1, "kill", console)
