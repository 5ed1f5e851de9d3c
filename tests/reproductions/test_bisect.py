"""`bisect` as a command: a run of a table, from its name to the capsule of the step that differs."""

import shlex
from dataclasses import replace

import pytest
from harness.test_bisection import FlippedBit
from rich.console import Console

from priot_hil.harness import devices
from priot_hil.harness.cases import read_case
from priot_hil.harness.device_kinds import DeviceKind
from priot_hil.harness.devices import open_engine
from priot_hil.harness.replay import replay
from priot_hil.reference.loss import next_random
from priot_hil.reference.run import run_rng
from priot_hil.reproductions import bisect as module
from priot_hil.reproductions.experiment import read_experiment
from priot_hil.reproductions.kills import drawn_material

STEP, SAMPLES = 37, 16


@pytest.fixture
def command(monkeypatch, tmp_path, capsys):
    """The command on random images, sixteen an epoch; `flipped` is the host's engine with a wrong bit after a step."""
    rng = run_rng(10)
    for _ in range(10 * STEP):
        rng = next_random(rng)
    short = replace(read_experiment("accuracy"), train_samples=SAMPLES, test_samples=8)
    monkeypatch.setattr(module, "read_experiment", lambda table: short)
    monkeypatch.setattr(module, "load_data", lambda network, say: drawn_material(4).images)
    monkeypatch.setitem(devices.DEVICES, "flipped", DeviceKind(lambda _: FlippedBit(rng)))

    def give(device, **options):
        found = module.bisect(device, out=tmp_path, console=Console(width=200), **options)
        return found, capsys.readouterr().out

    return give


@pytest.mark.parametrize("epoch", [pytest.param(None, marks=pytest.mark.slow), 3])
def test_a_run_is_bisected(command, tmp_path, epoch):
    """The step, the element, and a capsule that shows it on that device and is equal on the other."""
    found, said = command("flipped", epochs=4, epoch=epoch)
    assert found
    assert f"PRIOT, 30 degrees, seed 10: first different step: {STEP} of the run, {STEP % SAMPLES} of epoch 3" in said
    assert "first divergence at step 0, layer 7 linear 784->64, tensor scores" in said
    (path,) = tmp_path.iterdir()
    assert f"capsule: {path}  (1x28x28 input, 52,040 weights, 1 step" in said
    assert f"replay:  ./run invoke replay --capsule {shlex.quote(str(path))} --device flipped" in said
    case = read_case(path)
    assert replay(case, open_engine("flipped")).tensor == "scores"
    assert replay(case, open_engine("host")) is None


@pytest.mark.slow
def test_equal_runs_are_said_to_be_equal(command, tmp_path):
    """No step, no file."""
    found, said = command("process", epochs=1, row="static NITI")
    assert not found
    assert "all 1 epochs are equal" in said
    assert list(tmp_path.iterdir()) == []
