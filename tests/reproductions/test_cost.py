"""The table of costs: counts split by hand, held against the firmware's own clock, and memory against what it loads."""

import io
import struct
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from priot_hil.harness.debug_info import DebugInfo
from priot_hil.harness.description import describe_run
from priot_hil.harness.devices import open_emulated, open_engine
from priot_hil.harness.emulator import Change
from priot_hil.harness.engines import EPOCH_SAMPLES
from priot_hil.harness.firmware import build
from priot_hil.harness.paths import ROOT
from priot_hil.harness.protocol import CommandCode, LoadResponse
from priot_hil.harness.transports.emulator import EmulatorTransport
from priot_hil.reference.errors import InputError
from priot_hil.reproductions.cost import make, report
from priot_hil.reproductions.cost.bed import CycleCounter, make_bed, open_cycle_counter
from priot_hil.reproductions.cost.memory import arena, paint_stack, program, room, stack_high_water
from priot_hil.reproductions.cost.phases import PHASES, Part, Pass, split
from priot_hil.reproductions.cost.records import read_record
from priot_hil.reproductions.cost.rows import measure_row
from priot_hil.reproductions.cost.scales import measure_scales
from priot_hil.reproductions.cost.setting import Amount, read_setting
from priot_hil.reproductions.experiment import FOLDER
from priot_hil.reproductions.performance import EnginesDiffer
from serial_boards import PtyBoard

LAYERS = (0, 3, 7, 9)
COSTS = read_record(ROOT / "docs" / "results" / "cost.json")
AMOUNT = Amount(epochs=(1, 3), steps=2, scale_steps=2)
FORWARD, ERROR, GRADIENT, UPDATE, LOSS = 1, 2, 3, 4, 5


@pytest.fixture(scope="module")
def bed(material, experiment):
    """Two rows on the stand-in for MNIST."""
    rows = tuple(row for row in experiment.rows if row.name in ("dynamic NITI", "PRIOT-S 10 % random"))
    setting = replace(read_setting(), experiment=replace(experiment, rows=rows))
    return make_bed(setting, material, {"float": "c" * 64})


@pytest.fixture(scope="module")
def host():
    """The engine that goes ahead."""
    host = open_engine("host")
    yield host
    host.close()


@pytest.fixture
def counter():
    """A fresh emulated board that is watched."""
    counter = open_cycle_counter("emulator")
    yield counter
    counter.engine.close()


@pytest.fixture(scope="module")
def info():
    """Of the image that it runs."""
    return DebugInfo(build("rp2040").ram.debug)


def changes(*notes):
    """(stage, operation, instructions, cycles) as a log."""
    return [Change(struct.pack("<II", stage, operation), *counts) for stage, operation, *counts in notes]


def test_steps_are_split_by_hand():
    """Two steps of a network with two layers, and what lies between them and around them."""
    log = changes(
        (0, FORWARD, 100, 1000),
        (1, FORWARD, 110, 1020),
        (1, LOSS, 120, 1050),
        (1, ERROR, 121, 1051),
        (1, UPDATE, 131, 1091),
        (0, UPDATE, 141, 1191),
        (0, 0, 151, 1291),
        (0, FORWARD, 152, 1298),
        (1, FORWARD, 162, 1308),
        (0, 0, 172, 1408),
    )
    assert split(log, 2, 420, (4, 6)) == Pass(
        steps=2,
        cycles=420,
        least=110,
        most=291,
        parts=(
            Part(4, "forward", 30, 20),
            Part(6, "forward", 130, 20),
            Part(6, "loss", 1, 1),
            Part(6, "error", 40, 10),
            Part(6, "update", 100, 10),
            Part(4, "update", 100, 10),
        ),
        between=7,
        clock=12,
        instructions=72,
    )


def test_another_number_of_steps_is_refused():
    """Fewer, more, none, or one that has not ended."""
    log = changes((0, FORWARD, 0, 0), (0, 0, 1, 1), (0, FORWARD, 2, 2), (0, 0, 3, 3))
    assert split(log, 2, 3, (0,)).steps == 2
    for wrong, steps in ((log, 1), (log, 3), (log[:3], 1), ([], 0), (log[1:], 2)):
        with pytest.raises(ValueError, match="steps leave the note idle"):
            split(wrong, steps, 3, (0,))


def test_two_passes_add_up():
    """Sums of sums, the least and the most of both; where nothing is known by phase, nothing is made up."""
    one = Pass(2, 30, 4, 9, (Part(0, "forward", 10, 5), Part(0, "loss", 1, 1)), 3, 2, 8)
    two = Pass(1, 7, 3, 3, (Part(0, "forward", 3, 2),), 1, 1, 3)
    assert one + two == Pass(3, 37, 3, 9, (Part(0, "forward", 13, 7), Part(0, "loss", 1, 1)), 4, 3, 11)
    assert Pass(1, 5) + Pass(2, 6) == Pass(3, 11)
    assert (one + two).mean(0, "forward") == 13 / 3
    assert (one + two).mean(0) == 14 / 3
    assert (one + two).mean(phase="loss") == 1 / 3
    assert (one + two).mean() == 37 / 3


@pytest.mark.parametrize("row", ["dynamic NITI", "PRIOT-S 10 % random"])
def test_phases_and_the_firmwares_own_clock_agree(bed, host, counter, row):
    """SysTick sees what the phases add up to, and the same work is the same wherever it is done."""
    bed.load(counter.engine, row, bed.first_state(row, host), 2)
    network, (image, label) = bed.network, (bed.task.train.images[3], int(bed.task.train.labels[3]))
    inferred = counter.infer(network)
    trained = counter.train(np.array([3, 1, 4]), network)
    for taken in (inferred, trained):
        assert sum(part.cycles for part in taken.parts) + taken.between + taken.clock == taken.cycles
        assert 0 < taken.clock < 600
        assert 0 < taken.between < 400 * taken.steps
        assert taken.steps * taken.least <= taken.cycles <= taken.steps * taken.most + 2000
    phases = {(part.layer, part.phase) for part in trained.parts}
    all_phases = {(layer, phase) for layer in LAYERS for phase in ("forward", "error", "scale", "update")}
    assert phases == all_phases - {(0, "error")} | {(9, "loss")}
    assert {(part.layer, part.phase) for part in inferred.parts} == {(layer, "forward") for layer in LAYERS}
    is_dynamic = row == "dynamic NITI"
    assert all((trained.mean(layer, "scale") > 1000) == is_dynamic for layer in LAYERS)
    bed.load(counter.engine, row, bed.first_state(row, host), 2)
    counter.machine.take_changes()
    counter.engine.predict(image)
    predicted = split(counter.machine.take_changes(), 1, 0, network.weighted)
    stepped, _ = counter.step(image, label, network)
    for layer in LAYERS[:-1]:  # the last one's forward pass is followed by the prediction, in training only
        assert predicted.mean(layer, "forward") == stepped.mean(layer, "forward")


@pytest.mark.slow
def test_the_flash_image_takes_the_same_cycles(bed, host, counter):
    """Its flash being zero-wait, the table holds for it as a lower bound."""
    other = CycleCounter(open_emulated(build("rp2040").flash.elf))
    passes = []
    for each in (counter, other):
        bed.load(each.engine, "dynamic NITI", bed.first_state("dynamic NITI", host), 2)
        passes.append((each.train(np.array([1, 2]), bed.network), each.infer(bed.network)))
    other.engine.close()
    assert passes[0] == passes[1]


def test_a_row_is_measured_where_its_training_has_come_to(bed, host, counter, info):
    """The third epoch starts from the state of two; the arena is what the firmware says it uses, tensor by tensor."""
    row = "PRIOT-S 10 % random"
    told = []
    measured = measure_row(bed, row, AMOUNT, host, counter, info, lambda: told.append(row))
    assert len(told) == 2
    reference, state = open_engine("reference"), bed.first_state(row, host)
    bed.load(reference, row, state, 2)
    for epoch, cost in zip((1, 3), measured.epochs, strict=True):
        reference.train_epoch(bed.visits(epoch)[:2])
        assert (cost.epoch, cost.state_crc) == (epoch, reference.state_crc())
        assert (cost.training.steps, cost.inference.steps) == (2, 2)
        reference.train_epoch(bed.visits(epoch)[2:])
        reference.train_epoch(bed.visits(2))
    description = describe_run(bed.material.model(bed.runs[row]), bed.runs[row].method, state, EPOCH_SAMPLES)
    loaded = LoadResponse.unpack(counter.engine.device.command(CommandCode.LOAD, description))
    assert sum(tensor.bytes for tensor in measured.tensors) == loaded.arena_used
    scored = {layer: int(mask.sum()) for layer, mask in state.scored.items()}
    found = {(tensor.name, tensor.layer): tensor.bytes for tensor in measured.tensors}
    expected = {
        **{("weights", layer): weights.size for layer, weights in bed.material.model(bed.runs[row]).weights.items()},
        **{(name, layer): count for layer, count in scored.items() for name in ("scores", "unmasked")},
        **{("columns", layer): 2 * count for layer, count in scored.items()},
        **{("row_ends", layer): 4 * rows for layer, rows in zip(LAYERS, (8, 16, 64, 10), strict=True)},
        **{(name, at): n for at, n in zip(LAYERS, (1568, 784, 64, 10), strict=True) for name in ("output", "error")},
        **{("route", 0): 4 * 1568, ("route", 3): 4 * 784},
        **{("accumulator", None): 4 * 8 * 28 * 28, ("image", None): 784, ("order", None): 2 * EPOCH_SAMPLES},
    }
    assert set(found) == {*expected, ("terms", None), ("errors", None)}
    assert all(0 <= found[key] - bytes_ < 8 for key, bytes_ in expected.items())
    assert measured.scales == {layer: tuple(shifts) for layer, shifts in state.scales.items()}


def test_the_stack_is_seen_as_deep_as_it_was(bed, host, counter, info):
    """A command needs some, a step more; one byte written far below is what counts then."""
    bed.load(counter.engine, "dynamic NITI", bed.first_state("dynamic NITI", host), 2)
    depths = []
    for use in (lambda: counter.engine.state_crc(), lambda: counter.engine.train_epoch(np.array([0]))):
        paint_stack(counter.machine)
        use()
        depths.append(stack_high_water(counter.machine))
    assert 0 < depths[0] < depths[1] < 4096
    counter.machine.write(0x20000010, b"\0")
    assert stack_high_water(counter.machine) == 4096 - 16
    assert {tensor.name for tensor in arena(counter.machine, info)} >= {"weights", "accumulator"}


@pytest.mark.slow
def test_the_price_of_dynamic_scales_is_that_of_equal_steps(bed, host, counter):
    """Looking for maxima and a pass over all gradients; what follows from the scales costs the same."""
    told = []
    costs = measure_scales(bed, AMOUNT, host, counter, lambda: told.append(1))
    assert [(cost.epoch, cost.found.steps, cost.given.steps) for cost in costs] == [(1, 2, 2), (3, 2, 2)]
    assert len(told) == 4
    reference = open_engine("reference")
    bed.load(reference, "dynamic NITI", bed.first_state("dynamic NITI", host), 2)
    for epoch in (1, 2, 3):
        reference.train_epoch(bed.visits(epoch))
    assert host.state_crc() == reference.state_crc()  # no step was left out
    for cost in costs:
        price = {phase: cost.found.mean(phase=phase) - cost.given.mean(phase=phase) for phase in PHASES.values()}
        assert price["scale"] > 100_000
        assert price["forward"] > 10_000
        assert price["error"] > 1_000
        assert max(abs(price["loss"]), abs(price["update"])) < 20


def test_steps_that_are_not_the_same_have_no_price(bed, host, counter):
    """A host that names other scales than a step uses."""

    class Wrong:
        """It says one more than it has shifted by."""

        def __getattr__(self, name):
            return getattr(host, name)

        def train_step(self, image, label):
            step = host.train_step(image, label)
            return replace(step, shifts={i: s._replace(forward=s.forward + 1) for i, s in step.shifts.items()})

    with pytest.raises(EnginesDiffer, match="ends elsewhere"):
        measure_scales(bed, AMOUNT, Wrong(), counter, lambda: None)


def test_a_host_that_trains_otherwise_is_told(bed, host, counter):
    """The measured steps are those of the run, or there is no table."""

    class Wrong:
        """A host that skips a sample."""

        def __getattr__(self, name):
            return getattr(host, name)

        def train_epoch(self, visits):
            return host.train_epoch(visits[1:])

    with pytest.raises(EnginesDiffer, match="in epoch 1: state CRC is"):
        measure_row(bed, "dynamic NITI", AMOUNT, Wrong(), counter, None, lambda: None)


def test_devices_without_a_clock_are_refused():
    """And unknown ones."""
    for device in ("process", "reference"):
        with pytest.raises(InputError, match=f"device {device}: expected one that counts cycles"):
            open_cycle_counter(device)


@pytest.mark.slow
def test_a_table_is_made_kept_and_the_same_again(bed, tmp_path, monkeypatch, works):
    """From nothing twice: the same bytes. Kept: nothing is measured. A board on a port counts the same cycles."""
    board = PtyBoard(EmulatorTransport(build("rp2040").ram.elf))

    def table(out, device=None):
        console = Console(file=io.StringIO(), width=130)
        return make.CostTable(bed, AMOUNT, build("rp2040"), device, tmp_path / out, "cost", console)

    try:
        record = table("one", board.path).perform()
    finally:
        board.close()
    for mine, theirs in zip(record.rows, record.counted, strict=True):
        for ours, other in zip(mine.epochs, theirs.epochs, strict=True):
            assert (ours.training.cycles, ours.inference.cycles) == (other.training.cycles, other.inference.cycles)
            assert other.training.parts == ()
        assert theirs.stack is None
    assert read_record(tmp_path / "one" / "cost.json") == record
    text = (tmp_path / "one" / "cost.md").read_text()
    assert f"training on {board.path}: cycles" in text
    assert report.markdown(record) == text
    first = table("two").perform()
    assert replace(record, device=None, counted=()) == first
    written = (tmp_path / "two" / "cost.json").read_bytes()
    table("three").perform()
    assert (tmp_path / "three" / "cost.json").read_bytes() == written
    damaged = sorted((tmp_path / "two" / "kept").iterdir())[0]
    damaged.write_text("{")
    measured = []
    monkeypatch.setattr(make, "measure_row", lambda *a: measured.append(1) or measure_row(*a))
    monkeypatch.setattr(make, "measure_scales", lambda *a: measured.append(1) or measure_scales(*a))
    again = table("two")
    again.perform()
    assert len(measured) == 1
    measuring = [work for work in works if work.what == "parts measured"]
    assert [work.share() for work in measuring] == [1.0] * 4  # what is kept and what is measured
    assert f"{damaged} is damaged" in again.console.file.getvalue().replace("\n", "")
    assert (tmp_path / "two" / "cost.json").read_bytes() == written


def test_which_costs_are_others(tmp_path):
    """Another build, amount or device; what cannot be read is another's too."""
    path = tmp_path / "cost.json"
    path.write_text(COSTS.content())
    assert not make.is_other(path, COSTS)
    assert not make.is_other(path, replace(COSTS, made={}))
    assert make.is_other(path, replace(COSTS, device="/dev/ttyACM0"))
    for name in COSTS.description:
        assert make.is_other(path, replace(COSTS, description=COSTS.description | {name: "another"}))
    path.write_text("{")
    assert make.is_other(path, COSTS)


@pytest.mark.slow
def test_costs_of_another_build_are_kept(bed, tmp_path, monkeypatch):
    """What was measured before stays beside what is measured now; the same costs are replaced."""
    published = {row.row: row for row in COSTS.rows}
    monkeypatch.setattr(make, "measure_row", lambda bed, row, *_: published[row])
    monkeypatch.setattr(make, "measure_scales", lambda *_: COSTS.scales)
    amount_of = COSTS.description
    all_of_it = Amount(tuple(amount_of["epochs"]), amount_of["steps"], amount_of["scale_steps"])
    console = Console(file=io.StringIO(), width=500)
    path = tmp_path / "cost.json"
    for amount in (all_of_it, all_of_it, replace(all_of_it, steps=4)):
        make.CostTable(bed, amount, build("rp2040"), None, tmp_path, "cost", console).perform()
        if amount is all_of_it:
            first = path.read_bytes()
            assert not (tmp_path / "cost-earlier-1.json").exists()
    assert (tmp_path / "cost-earlier-1.json").read_bytes() == first != path.read_bytes()
    assert f"it is kept as {tmp_path / 'cost-earlier-1.json'}." in console.file.getvalue()


def test_an_interrupted_table_says_how_to_go_on(bed, tmp_path, monkeypatch):
    """Ctrl-C."""

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(make, "measure_row", interrupt)
    console = Console(file=io.StringIO(), width=130)
    with pytest.raises(KeyboardInterrupt):
        make.CostTable(bed, AMOUNT, build("rp2040"), None, tmp_path, "cost", console).perform()
    assert "Give the same command again" in console.file.getvalue()
    assert not list(tmp_path.glob("cost*"))


def test_the_program_by_room(info):
    """Every byte of an image is in one room or in the rest."""
    image = build("rp2040").ram
    whole = program("ram", image, info)
    rooms = report.by_room(whole.stored)
    assert rooms.total() == image.sizes.text + image.sizes.data
    assert min(rooms[name] for name in ("kernels", "engine", "link", "boards")) > 5000
    assert whole.stack + image.sizes.arena + 1024 < 264 * 1024
    assert [room(source) for source in ("kernels/a.c", "compiler_rt", "", "boards/rp2040/main.c")] == [
        "kernels",
        "rest",
        "rest",
        "boards",
    ]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('format = "priot-cost/1"', 'format = "priot-run/1"', "format: expected one of priot-cost/1"),
        ("epochs = [1, 30]", "epochs = [0]", "epochs: expected a whole number in 1..30, got 0"),
        ("epochs = [1, 30]", "epochs = [31]", "epochs: expected a whole number in 1..30, got 31"),
        ("steps = 1024 ", "steps = 1025 ", "steps: expected a whole number in 1..1024, got 1025"),
        ("scale_steps = 8", "scale_steps = 8\nspeed = 1", "quick: keys: expected only known ones, got speed"),
        ('setting = "accuracy"', 'setting = "nosuch"', "expected one of accuracy, .*cost.*, got 'nosuch'"),
        ("seed = 10", "", "seed: expected a whole number, got nothing"),
    ],
)
def test_an_illegal_setting_is_refused(tmp_path, old, new, reason):
    """With what, where and why."""
    content = (FOLDER / "cost.toml").read_text(encoding="utf-8")
    assert old in content
    path = tmp_path / "cost.toml"
    path.write_text(content.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError, match=reason) as refused:
        read_setting(path)
    assert str(path) in str(refused.value)
