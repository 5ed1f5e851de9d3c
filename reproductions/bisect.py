"""`bisect`: the first step in which a device leaves another engine, in a run of a table."""

import time
from functools import partial
from pathlib import Path

from rich.console import Console

from priot_hil.harness.bisection import Bisection, Found, LongRun
from priot_hil.harness.devices import open_engine
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.failures import keep
from priot_hil.harness.outputs import check_folder
from priot_hil.reference.checks import check_range
from priot_hil.reference.errors import InputError
from priot_hil.reference.streams import order

from .checkpoint import committed_models, sums_by_pretraining
from .experiment import read_experiment
from .material import load_data
from .networks import subject
from .performance import HOST, Material, first_state
from .plan import Run, code_fingerprint, plan
from .run_epochs import TABLE, chosen
from .runner import check_device, default_console


def bisect(
    device: str,
    *,
    against: str = HOST,
    table: str = TABLE,
    row: str = "PRIOT",
    angle: int = 30,
    seed: int = 10,
    epochs: int = 30,
    epoch: int | None = None,
    out: Path,
    console: Console | None = None,
) -> bool:
    """Find the first step that differs, say where, and keep it as a capsule.

    Args:
        device: The engine to check.
        against: The engine to believe.
        table: The table.
        row: A row of it that trains.
        angle: Degrees.
        seed: Of the run.
        epochs: To train at most.
        epoch: The first epoch that differs, from 1, where it is known.
        out: Folder of the capsule.
        console: Where all is told; None for standard output.

    Returns:
        Whether a step differs.

    Raises:
        InputError: There is no such table, row or device, a number is out of range, or the folder cannot be written.
    """
    tell = partial((console or default_console()).print, markup=False, highlight=False, soft_wrap=True)
    experiment = chosen(read_experiment(table), row, angle, seed, epochs)
    check_range("epochs", epochs, 1, 1000)
    if epoch is not None:
        check_range("epoch", epoch, 1, epochs)
    if device == against:
        do = "name two engines"
        raise InputError.about("engines to compare", expected="two", got=f"{device} and {against}", do=do)
    for name in (device, against):
        check_device(name)
    check_folder(out)
    material = Material(
        load_data(experiment.network, tell), committed_models(experiment.network, experiment.pretrainings)
    )
    sums = sums_by_pretraining(experiment.network, experiment.pretrainings)
    (run,) = plan(experiment, device, None, sums, code_fingerprint())
    engines = [open_engine(name) for name in (device, against)]
    try:
        started = time.monotonic()
        long_run = long_run_of(run, material)
        found = Bisection(engines[0], engines[1], long_run, tell).find(epoch)
        tell(report(found, run, device, out))
        tell(f"found in {time.monotonic() - started:.1f} s" if found else f"all {epochs} epochs are equal")
    finally:
        for engine in engines:
            if isinstance(engine, DeviceEngine):
                engine.close()
    return found is not None


def long_run_of(run: Run, material: Material) -> LongRun:
    """A run of a table with all that decides it; its scales are calibrated on the host's engine."""
    task = material.task(run)
    state = first_state(run, material, open_engine(subject(run.network).engine))
    orders = [order(run.seed, epoch, run.train_samples) for epoch in range(run.epochs)]
    train, test = task.train, task.test
    return LongRun(material.model(run), run.method, state, train.images, train.labels, orders, test.images, test.labels)


def report(found: Found | None, run: Run, device: str, out: Path) -> str:
    """What to tell of it: where, and the capsule, which is written here."""
    lines = [f"{run}"] if found is None else [f"{run}: {found}"]
    if found is not None and found.case is not None:
        lines += keep(found.case, out, device)
    return "\n".join(lines)
