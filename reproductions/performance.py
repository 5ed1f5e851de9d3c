"""One run, performed: the task drawn, scales calibrated, then epoch after epoch on every engine in step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from priot_hil.reference.engine import DatasetEngine, Engine, Epoch
from priot_hil.reference.errors import InputError
from priot_hil.reference.kinds import MethodKind
from priot_hil.reference.run import Method, Model, State, initial_state
from priot_hil.reference.scales import calibrate, calibration_order, calibration_run
from priot_hil.reference.streams import order

from .data import Mnist, samples, transfer_task
from .plan import Run
from .records import DO, EpochRecord, RunRecord, keep, kept

HOST, REFERENCE = "host", "reference"


class EnginesDiffer(Exception):
    """Two engines that took the same run in step no longer agree; the message names row, angle, seed and epoch."""


@dataclass(frozen=True, eq=False)
class Material:
    """What all runs of a table share: the data and the model before transfer."""

    mnist: Mnist
    model: Model


def perform(
    run: Run,
    material: Material,
    engines: Sequence[DatasetEngine],
    calibrator: Engine,
    path: Path,
    after_epoch: Callable[[], None],
) -> RunRecord:
    """Perform a run, or what is left of it.

    Args:
        run: The run.
        material: Data and model.
        engines: One for each of the run's devices, in their order.
        calibrator: Finds the static scales; may be one of the engines.
        path: The run's file, from which it goes on and into which each epoch is kept.
        after_epoch: Called when an epoch was kept; may raise to stop here.

    Returns:
        The record up to the run's epochs.

    Raises:
        EnginesDiffer: The engines disagree on the state or on an accuracy.
        InputError: The run's file is damaged, or an engine refuses the run.
    """
    model = material.model
    earlier = kept(path, run.key)
    if earlier is None:
        state = first_state(run, material, calibrator)
        scales = None if state.scales is None else {str(i): list(s) for i, s in state.scales.items()}
        record = RunRecord(run.key, run.description(), scales, sum(w.size for w in model.weights.values()))
    else:
        record, state = earlier
    if record.trained >= run.epochs:
        return record.upto(run.epochs)
    task = transfer_task(material.mnist, run.angle, run.seed, run.train_samples, run.test_samples)
    for engine in engines:
        engine.load(model, run.method, state)
        engine.load_data(task.train.images, task.train.labels, task.test.images, task.test.labels)
        check_resumed(engine, record, path)
    for epoch in range(record.trained + 1, run.epochs + 1):
        visits = order(run.seed, epoch - 1, run.train_samples) if epoch else None
        passes = [None if visits is None else engine.train_epoch(visits) for engine in engines]
        record = record.extended(measure(run, epoch, engines, passes))
        keep(path, record, engines[0].state())
        after_epoch()
    return record


def first_state(run: Run, material: Material, calibrator: Engine) -> State:
    """The state a run starts from, with its static scales calibrated on the upright pre-training set."""
    model, row = material.model, run.row
    if row.percent is None or row.selection is None:
        state = initial_state(model, run.method, run.seed)
    else:
        state = initial_state(model, run.method, run.seed, percent=row.percent, selection=row.selection)
    if run.method.kind is MethodKind.NITI_DYNAMIC:
        return state
    mnist = material.mnist
    chosen = calibration_order(run.seed, len(mnist.x_train))
    upright = samples(mnist.x_train[chosen], mnist.y_train[chosen])
    calibrator.load(model, *calibration_run(run.method, state))
    return replace(state, scales=calibrate(calibrator, upright.images, upright.labels))


def check_resumed(engine: DatasetEngine, record: RunRecord, path: Path) -> None:
    """Refuse to go on from a state that is not the one its record names.

    Raises:
        InputError: The CRC differs.
    """
    if record.epochs and engine.state_crc() != record.epochs[-1].state_crc:
        expected, got = f"{record.epochs[-1].state_crc:#010x}", f"{engine.state_crc():#010x} on {engine.name}"
        raise InputError.about(f"state in {path}", expected=f"CRC-32 {expected}", got=got, do=DO)


def measure(run: Run, epoch: int, engines: Sequence[DatasetEngine], passes: Sequence[Epoch | None]) -> EpochRecord:
    """Evaluate every engine after an epoch and compare them.

    Args:
        run: The run.
        epoch: Epochs trained.
        engines: The engines.
        passes: What each reported of the epoch; None before training.

    Returns:
        The first engine's figures.

    Raises:
        EnginesDiffer: Another engine's are not the same.
    """
    results = []
    for engine, passed in zip(engines, passes, strict=True):
        train_correct = None if passed is None else passed.correct
        results.append({"state CRC": engine.state_crc(), "test": int(engine.evaluate()), "training": train_correct})
    for engine, result in zip(engines, results, strict=True):
        for what, value in result.items():
            if value != results[0][what]:
                raise EnginesDiffer(
                    f"{run}, after epoch {epoch}: {what} is {results[0][what]} on {engines[0].name}, {value} on "
                    f"{engine.name}; find the first step that differs with {search(run, epoch, run.devices)}."
                )
    cycles = next((passed.cycles for passed in passes if passed is not None and passed.cycles is not None), None)
    pruned = count_pruned(engines[0].state(), run.method)
    crc, test, train = results[0].values()
    if crc is None or test is None:
        raise TypeError("an engine reported no result")
    return EpochRecord(epoch, test, train, crc, pruned, cycles)


def search(run: Run, epoch: int, devices: Sequence[str]) -> str:
    """The command that finds the first step that differs, where two engines differ after an epoch.

    Args:
        run: The run.
        epoch: Epochs trained; with none trained, the predictions differ, or the state that was loaded.
        devices: The two; the host's engine, where it is one of them, is the one to believe.
    """
    device, *others = sorted(devices, key=lambda name: name in (HOST, REFERENCE))
    if not epoch or not others:
        return f"`./run pytest --device={device} tests/equivalence`"
    where = f"--row '{run.row.name}' --angle {run.angle} --seed {run.seed} --epochs {run.epochs} --epoch {epoch}"
    return f"`./run invoke bisect --device {device} --against {others[0]} {where}`"


def count_pruned(state: State, method: Method) -> int | None:
    """The edges that the state's mask takes out; None for NITI, which masks nothing."""
    if method.theta is None:
        return None
    below = {i: scores < method.theta for i, scores in state.values.items()}
    if state.scored is not None:
        below = {i: mask & state.scored[i] for i, mask in below.items()}
    return int(sum(np.count_nonzero(mask) for mask in below.values()))
