"""Boards that work on without their host: started, left, found again, collected, refused, checked."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from priot_hil.harness.detached import progress, stop_run
from priot_hil.harness.devices import open_engine
from priot_hil.harness.errors import DeviceFault, DeviceRestarted
from priot_hil.harness.firmware import build
from priot_hil.harness.transports.emulator import EmulatorTransport
from priot_hil.reference.errors import InputError
from priot_hil.reproductions import run_epochs as module
from priot_hil.reproductions.experiment import read_experiment
from priot_hil.reproductions.kills import drawn_material
from priot_hil.reproductions.performance import EnginesDiffer, perform
from priot_hil.reproductions.plan import plan
from priot_hil.reproductions.records import read_records
from priot_hil.reproductions.run_epochs import Detached, chosen, run_epochs
from serial_boards import PtyBoard

EPOCHS = 3


@pytest.fixture(scope="module")
def material():
    """Random images."""
    return drawn_material(4)


@pytest.fixture
def port() -> Iterator[str]:
    """A board that lives as long as the test, behind a pseudo-terminal."""
    board = PtyBoard(EmulatorTransport(build("rp2040").ram.elf))
    yield board.path
    board.close()


@pytest.fixture
def command(material, tmp_path, monkeypatch):
    """The command as far as it concerns a board: a host that comes, does its part, and goes."""
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.02)

    def give(device, row="PRIOT", train=24, end=None, after=None):
        experiment = replace(
            chosen(read_experiment("accuracy"), row, 30, 4, EPOCHS), train_samples=train, test_samples=8
        )
        (run,) = plan(experiment, "host", None, {"float": "c" * 64}, "d" * 64)
        told = []

        def tell(line):
            told.append(line)
            if end is not None and end in line:
                raise KeyboardInterrupt
            if after is not None and after[0] in line:
                after[1](engine)

        engine = open_engine(device) if isinstance(device, str) else device
        try:
            return Detached(run, material, engine, engine.device, tmp_path, tell).perform(), told
        except KeyboardInterrupt:
            return None, told
        finally:
            if isinstance(device, str):
                engine.close()

    return give


@pytest.mark.slow
def test_a_board_is_left_and_found_again(command, port, material, tmp_path):
    """Ctrl-C in mid-run, another run refused, the same command follows, and a fourth time collects; all bit-exact."""
    nothing, told = command(port, end="epoch 0:")
    assert nothing is None
    assert "has started" in told[0]
    assert "works on as long as it has power" in told[-1]
    with pytest.raises(InputError, match=r"expected an idle board, got one at work on another run.*--stop"):
        command(port, row="static NITI")
    record, told = command(port)
    assert "at this run already: epoch" in told[0]
    assert "results equal the host's" in told[-1]
    again, told = command(port)
    assert "has finished this run" in told[0]
    assert again == record
    (run,) = plan(
        replace(chosen(read_experiment("accuracy"), "PRIOT", 30, 4, EPOCHS), train_samples=24, test_samples=8),
        "host", None, {"float": "c" * 64}, "d" * 64,
    )  # fmt: skip
    host = open_engine("host")
    expected = perform(run, material, [host], host, tmp_path / "host.npz", lambda: None)
    assert [replace(epoch, cycles=None) for epoch in record.epochs] == list(expected.epochs)
    assert all(epoch.cycles > 0 for epoch in record.epochs[1:])
    assert read_records(tmp_path / f"{record.key}.jsonl") == [record]
    other, told = command(port, row="static NITI")
    assert "results of another run" in told[0]
    assert other.epochs[-1].state_crc != record.epochs[-1].state_crc


@pytest.mark.slow
def test_a_run_that_was_stopped_begins_again(command, port):
    """Somebody stopped it meanwhile."""
    command(port, end="epoch 0:")
    engine = open_engine(port)
    stop_run(engine.device)
    assert not progress(engine.device).is_running
    engine.close()
    record, told = command(port)
    assert "was stopped in epoch" in told[0]
    assert len(record.epochs) == EPOCHS + 1


@pytest.mark.slow
@pytest.mark.parametrize("device", ["process", "emulator"])
def test_a_device_of_this_process(command, device):
    """Runs all the same, and says that it ends with the command."""
    record, told = command(device, row="PRIOT-S 20 % magnitude")
    assert len(record.epochs) == EPOCHS + 1
    assert not any("Ctrl-C" in line for line in told)
    _, told = command(device, train=40, end="epoch 0:")
    assert "ends with it; the run is lost" in told[-1]


def test_a_restart_loses_the_run(command):
    """It is not said to work on."""
    with pytest.raises(DeviceRestarted, match="has restarted before or during progress") as caught:
        command("process", after=("epoch 0:", lambda engine: engine.device.link.transport.reset()))
    notes = caught.value.__notes__
    assert any("the same command begins it again" in note for note in notes)
    assert not any("works on" in note or "lives in this command" in note for note in notes)


@pytest.mark.slow
def test_a_crash_is_told_to_who_comes_next(command):
    """Once; a board that has done another run since has not lost one."""
    engine = open_engine("emulator")
    machine = engine.device.link.transport.machine
    place = machine.symbols["priot_engine_train_step"] & ~1
    whole = machine.read(place, 2)
    with pytest.raises(DeviceFault, match="HardFault during progress at priot_engine_train_step"):
        command(engine, after=("has started", lambda _: machine.write(place, b"\x00\xde")))
    machine.write(place, whole)
    record, told = command(engine)
    assert "has crashed and restarted" in told[0]
    assert len(record.epochs) == EPOCHS + 1
    _, told = command(engine, row="static NITI")
    assert "holds the results of another run" in told[0]
    engine.close()


def test_results_that_differ_are_told(command, monkeypatch):
    """A host that trains in another order: epoch and both values."""
    perform_here = module.perform
    monkeypatch.setattr(
        module, "perform", lambda run, *rest: perform_here(replace(run, seed=run.seed + 1, epochs=run.epochs), *rest)
    )
    with pytest.raises(EnginesDiffer, match=r"after epoch 0: .* on the host, .* on process"):
        command("process")


@pytest.mark.parametrize(("angle", "seed", "epochs"), [(-360, 0, 0), (360, 2**32 - 1, 40)])
def test_the_ends_of_what_can_be_run(angle, seed, epochs):
    """They are taken as they are."""
    experiment = chosen(read_experiment("accuracy"), "PRIOT", angle, seed, epochs)
    assert (experiment.angles, experiment.seeds, experiment.epochs) == ((angle,), (seed,), epochs)


def test_what_cannot_be_run_is_refused():
    """Before any data is looked at."""
    for options, expected in (
        ({"row": "before transfer"}, "row: expected one of dynamic NITI"),
        ({"epochs": 41}, r"epochs: expected a whole number in 0\.\.40, got 41"),
        ({"epochs": -1}, r"epochs: expected a whole number in 0\.\.40, got -1"),
        ({"angle": 361}, r"angle: expected a whole number in -360\.\.360, got 361"),
        ({"angle": -361}, r"angle: expected a whole number in -360\.\.360, got -361"),
        ({"seed": -1}, r"seed: expected a whole number in 0\.\.4294967295, got -1"),
        ({"seed": 2**32}, r"seed: expected a whole number in 0\.\.4294967295, got 4294967296"),
    ):
        with pytest.raises(InputError, match=expected):
            run_epochs("process", **options)
    for device in ("host", "reference"):
        with pytest.raises(InputError, match="expected one that trains on its own"):
            run_epochs(device)
