"""`invoke bench`: how fast the engines are and what a training step costs the board, as JSON."""

import json
import platform
import time
from collections.abc import Callable, Iterable
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from rich.console import Console

from priot_hil.harness.device import LinkDevice
from priot_hil.harness.devices import open_emulator, open_engine
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.files import write_aside
from priot_hil.harness.firmware import build
from priot_hil.harness.output_kinds import BENCH
from priot_hil.harness.outputs import check_file
from priot_hil.harness.progress import Part, Work, shown
from priot_hil.harness.strategies import kernel_cases
from priot_hil.harness.transports.emulator import EmulatorTransport
from priot_hil.reference.engine import DatasetEngine, KernelCase
from priot_hil.reference.errors import InputError
from priot_hil.reference.run import State
from priot_hil.reference.streams import order

from .bench_vgg11 import vgg11_step
from .checkpoint import committed_models, sums_by_pretraining
from .data import TransferTask, load_mnist, transfer_task
from .experiment import read_experiment
from .float_training import import_torch
from .performance import Material, first_state
from .plan import Run, plan
from .runner import RESULTS

ENGINES = {"reference": 64, "host": 1024, "emulator": 256}  # and the steps that are timed on each
COSTED = ("static NITI", "PRIOT", "PRIOT-S 10 % random")
COSTED_STEPS = 1024
BOARD_ROW = "PRIOT"
KERNEL_CASES = 600
BOARD_HZ = 125_000_000


def bench(out: Path | None = None, console: Console | None = None, only: str | None = None) -> dict[str, Any]:
    """Measure and write.

    Args:
        only: The one part to measure; None for all, that for torch only where torch is installed.
        out: The file; None for ``results/bench.json`` here, of one part ``results/bench-PART.json``.
        console: Where figures go as they come; None for standard output.

    Returns:
        What was written.

    Raises:
        InputError: The data or the checkpoint is not to be had, there is no such part, or it needs torch;
            or the file cannot be written.
    """
    say = (console or Console()).print
    measured = parts(only)
    out = check_file(RESULTS / (f"bench-{only}.json" if only else "bench.json") if out is None else out, BENCH)
    figures: dict[str, Any] = {"machine": machine()}
    work_parts = {name: Part(UNITS[name][0], kind=name, weight=UNITS[name][1]) for name in measured}
    with shown(Work("figures and epochs", work_parts)) as work:
        for name in measured:
            done = partial(work.advance, name=name)
            figures[name] = vgg11_step() if name == VGG11_STEP else PARTS[name](Bed(done))
            work.advance(UNITS[name][0], name)  # of one that does not say more
            say(name.replace("_", " "), figures[name], highlight=False)
    write_aside(out, json.dumps(figures, indent=2) + "\n")
    say(f"Written: {out}")
    return figures


class Bed:
    """What is measured on: the accuracy table's setting, seed 10 at 30 degrees, on real data."""

    def __init__(self, done: Callable[[], None]) -> None:
        self.done = done  # to be told of each unit, see UNITS
        self.experiment = read_experiment("accuracy")
        network, pretrainings = self.experiment.network, self.experiment.pretrainings
        self.material = Material(load_mnist(), committed_models(network, pretrainings))
        runs = plan(self.experiment, "host", None, sums_by_pretraining(network, pretrainings), "")
        seed, angle = self.experiment.seeds[0], self.experiment.angles[0]
        self.runs: dict[str, Run] = {run.row.name: run for run in runs if (run.seed, run.angle) == (seed, angle)}
        samples = self.experiment.train_samples, self.experiment.test_samples
        self.task: TransferTask = transfer_task(self.material.images, angle, seed, *samples)
        self.host = open_engine("host")

    def load(self, engine: DatasetEngine, row: str) -> None:
        """Load a row's run and the transfer set."""
        state: State = first_state(self.runs[row], self.material, self.host)
        engine.load(self.material.model(self.runs[row]), self.runs[row].method, state)
        train, test = self.task.train, self.task.test
        engine.load_data(train.images, train.labels, test.images, test.labels)


def machine() -> dict[str, str]:
    """Where this was measured, and by what versions of what decides it."""
    return {
        "processor": platform.processor() or platform.machine(),
        "system": platform.platform(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("ziglang", "unicorn", "numpy")},
        "firmware": build("rp2040").ram.build_id.hex(),
    }


def steps_per_second(bed: Bed) -> dict[str, float]:
    """PRIOT training steps of the CNN per second: whole epochs, without a checksum or a frame for each step."""
    figures = {}
    for name, steps in ENGINES.items():
        engine = open_engine(name)
        bed.load(engine, BOARD_ROW)
        visits = order(0, 0, bed.experiment.train_samples)[:steps]
        engine.train_epoch(visits[:8])
        figures[name] = round(steps / seconds(partial(engine.train_epoch, visits)), 1)
        bed.done()
    return figures


def board_steps(bed: Bed) -> dict[str, dict[str, float]]:
    """Instructions and estimated cycles of a training step, mean over the first epoch; flash is zero-wait."""
    figures = {}
    for row in COSTED:
        engine = open_emulator()
        bed.load(engine, row)
        before = instructions(engine)
        epoch = engine.train_epoch(order(bed.runs[row].seed, 0, COSTED_STEPS))
        assert epoch.cycles is not None, "the emulated board counts cycles"
        cycles = epoch.cycles / COSTED_STEPS
        figures[row] = {
            "instructions": round((instructions(engine) - before) / COSTED_STEPS),
            "cycles": round(cycles),
            "milliseconds_at_125_MHz": round(1000 * cycles / BOARD_HZ, 2),
        }
        bed.done()
    return figures


def kernel_cases_per_second(bed: Bed) -> dict[str, float]:
    """Generated kernel cases: drawn by hypothesis, and run (forward, error, gradient, update), apart."""
    cases: list[KernelCase] = []

    @settings(
        max_examples=KERNEL_CASES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(kernel_cases())
    def draw(case: KernelCase) -> None:
        cases.append(case)

    drawing = seconds(draw)
    figures = {"drawn": round(len(cases) / drawing, 1)}
    for name in ENGINES:
        engine = open_engine(name)
        figures[name] = round(len(cases) / seconds(partial(run_all, engine.run_kernel, cases)), 1)
        bed.done()
    return figures


def full_run(bed: Bed) -> dict[str, float]:
    """All epochs of one PRIOT run through the firmware, training and evaluation apart."""
    engine = open_emulator()
    bed.load(engine, BOARD_ROW)
    training = evaluation = 0.0
    for epoch in range(bed.experiment.epochs):
        visits = order(bed.runs[BOARD_ROW].seed, epoch, bed.experiment.train_samples)
        training += seconds(partial(engine.train_epoch, visits))
        evaluation += seconds(engine.evaluate)
        bed.done()
    return {
        "epochs": bed.experiment.epochs,
        "steps": bed.experiment.epochs * bed.experiment.train_samples,
        "training_seconds": round(training, 1),
        "evaluation_seconds": round(evaluation, 1),
    }


def seconds(work: Callable[[], object]) -> float:
    """How long something takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def run_all(run: Callable[[KernelCase], object], cases: Iterable[KernelCase]) -> None:
    """Runs each case."""
    for case in cases:
        run(case)


def instructions(engine: DeviceEngine) -> int:
    """Instructions that the emulated core has executed."""
    device = engine.device
    assert isinstance(device, LinkDevice)
    assert isinstance(device.link.transport, EmulatorTransport)
    return device.link.transport.machine.instructions


PARTS: dict[str, Callable[[Bed], Any]] = {
    "steps_per_second": steps_per_second,
    "training_step_on_the_board": board_steps,
    "kernel_cases_per_second": kernel_cases_per_second,
    "full_run_on_the_emulated_board": full_run,
}
VGG11_STEP = "vgg11_step"
# Of each part: the figures or epochs that it takes one after the other, and the seconds that one takes, roughly.
UNITS = {
    "steps_per_second": (len(ENGINES), 2.0),
    "training_step_on_the_board": (len(COSTED), 5.0),
    "kernel_cases_per_second": (len(ENGINES), 1.5),
    "full_run_on_the_emulated_board": (read_experiment("accuracy").epochs, 7.0),
    VGG11_STEP: (1, 60.0),
}


def parts(only: str | None) -> list[str]:
    """The parts to measure; see `bench`."""
    known = [*PARTS, VGG11_STEP]
    if only is not None and only not in known:
        raise InputError.about("part", expected=f"one of {', '.join(known)}", got=repr(only), do="name one of them")
    if only == VGG11_STEP:
        import_torch()
    return [only] if only else known if find_spec("torch") else [*PARTS]
