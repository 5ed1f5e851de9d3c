"""One run, performed: the task drawn, scales calibrated, then epoch after epoch on every engine in step."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from priot_hil.harness.errors import CheckFailed
from priot_hil.reference.engine import DatasetEngine, Engine, Epoch
from priot_hil.reference.errors import InputError
from priot_hil.reference.kinds import MethodKind
from priot_hil.reference.run import Method, Model, State, initial_state
from priot_hil.reference.scales import calibrate, calibration_order, calibration_run
from priot_hil.reference.streams import order

from .data import ImageSet, TransferTask, samples
from .files import sha256
from .networks import subject
from .plan import Run
from .probe import Counts, Probe
from .records import DO, EpochRecord, RunRecord, keep, kept
from .split import draw_task

HOST, REFERENCE = "host", "reference"
BACK_OF = 4  # the probe follows the error of one in so many images back, which is the dearer way


class EnginesDiffer(CheckFailed):
    """Two engines that took the same run in step no longer agree; the message names row, angle, seed and epoch."""


@dataclass(frozen=True, eq=False)
class Material:
    """What all runs of a table share.

    Attributes:
        images: The data.
        models: The models before transfer, by pre-training.
        made: What makes the results, see `provenance.made_by`; goes into each record.
        machine: Where; goes beside each record.
    """

    images: ImageSet
    models: Mapping[str, Model]
    made: Mapping[str, Any] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)

    def task(self, run: Run) -> TransferTask:
        """The samples that a run learns from and is judged by."""
        return draw_task(self.images, run.split, run.angle, run.seed, run.train_samples, run.test_samples)

    def model(self, run: Run) -> Model:
        """The model that a run starts from."""
        return self.models[run.row.setting.pretraining]

    @cached_property
    def data_sha256(self) -> dict[str, str]:
        """The SHA-256 of the bytes of each of the data's arrays."""
        return {name: sha256(array.tobytes()) for name, array in vars(self.images).items()}


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
    model, task = material.model(run), material.task(run)
    probed = subject(run.network).probed
    probe = Probe(model, run.method, task.train.take(probed), probed // BACK_OF)
    earlier = kept(path, run.key)
    if earlier is None:
        state = first_state(run, material, calibrator)
        record = first_record(run, material, task, state, probe.totals(state))
    else:
        record, state = earlier
    if record.trained >= run.epochs:
        return record.upto(run.epochs)
    if material.made not in record.made:
        record = replace(record, made=(*record.made, dict(material.made)))
    for engine in engines:
        engine.load(model, run.method, state)
        engine.load_data(task.train.images, task.train.labels, task.test.images, task.test.labels)
        check_resumed(engine, record, path)
    for epoch in range(record.trained + 1, run.epochs + 1):
        begin = time.monotonic()
        visits = order(run.seed, epoch - 1, run.train_samples) if epoch else None
        passes = [None if visits is None else engine.train_epoch(visits) for engine in engines]
        before, state = state, engines[0].state()
        record = record.extended(measure(run, epoch, engines, passes, state, probe.count(before, state)))
        record = replace(record, beside=beside(record, material, time.monotonic() - begin))
        keep(path, record, state)
        after_epoch()
    return record


def first_record(run: Run, material: Material, task: TransferTask, state: State, totals: Counts) -> RunRecord:
    """The record of a run that has not begun."""
    drawn = (task.train.images, task.train.labels, task.test.images, task.test.labels)
    data = {
        f"{subject(run.network).data_set}_sha256": material.data_sha256,
        "drawn_sha256": sha256(b"".join(part.tobytes() for part in drawn)),
    }
    scales = None if state.scales is None else {str(i): list(s) for i, s in state.scales.items()}
    edges = sum(weights.size for weights in material.model(run).weights.values())
    return RunRecord(run.key, run.description(), data, (dict(material.made),), scales, edges, totals)


def beside(record: RunRecord, material: Material, seconds: float) -> dict[str, Any]:
    """What stands beside a record after an epoch that took some seconds."""
    return {
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(record.beside.get("seconds", 0) + seconds, 2),
        "machine": dict(material.machine),
    }


def first_state(run: Run, material: Material, calibrator: Engine) -> State:
    """The state a run starts from, with its static scales calibrated on the upright pre-training set."""
    model, row, setting = material.model(run), run.row, run.row.setting
    draw = partial(initial_state, model, run.method, run.seed, deviation=setting.score_deviation)
    if row.percent is None or row.selection is None:
        state = draw()
    else:
        state = draw(percent=row.percent, selection=row.selection)
    if run.method.kind is MethodKind.NITI_DYNAMIC:
        return state
    images = material.images
    chosen = calibration_order(run.seed, len(images.x_train), setting.calibration_samples)
    upright = samples(images.x_train[chosen], images.y_train[chosen])
    calibrator.load(model, *calibration_run(run.method, state))
    return replace(state, scales=calibrate(calibrator, upright.images, upright.labels, setting.zeros_count))


def check_resumed(engine: DatasetEngine, record: RunRecord, path: Path) -> None:
    """Refuse to go on from a state that is not the one its record names.

    Raises:
        InputError: The CRC differs.
    """
    if record.epochs and engine.state_crc() != record.epochs[-1].state_crc:
        expected, got = f"{record.epochs[-1].state_crc:#010x}", f"{engine.state_crc():#010x} on {engine.name}"
        raise InputError.about(f"state in {path}", expected=f"CRC-32 {expected}", got=got, do=DO)


def measure(
    run: Run,
    epoch: int,
    engines: Sequence[DatasetEngine],
    passes: Sequence[Epoch | None],
    state: State,
    counts: Counts,
) -> EpochRecord:
    """Evaluate every engine after an epoch and compare them.

    Args:
        run: The run.
        epoch: Epochs trained.
        engines: The engines.
        passes: What each reported of the epoch; None before training.
        state: The first engine's state.
        counts: What the probe found in it.

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
    pruned = count_pruned(state, run.method)
    crc, test, train = results[0].values()
    if crc is None or test is None:
        raise TypeError("an engine reported no result")
    return EpochRecord(epoch, test, train, crc, pruned, cycles, counts)


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
    where = f"--table {run.table} --row '{run.row.name}' --angle {run.angle} --seed {run.seed} --epochs {run.epochs}"
    return f"`./run invoke bisect --device {device} --against {others[0]} {where} --epoch {epoch}`"


def count_pruned(state: State, method: Method) -> int | None:
    """The edges that the state's mask takes out; None for NITI, which masks nothing."""
    if method.theta is None:
        return None
    below = {i: scores < method.theta for i, scores in state.values.items()}
    if state.scored is not None:
        below = {i: mask & state.scored[i] for i, mask in below.items()}
    return int(sum(np.count_nonzero(mask) for mask in below.values()))
