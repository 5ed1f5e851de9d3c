"""Worker processes: each performs one run after another, on engines of its own."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.queues import SimpleQueue
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from .checkpoint import committed_models
from .data import Mnist
from .performance import Material
from .plan import Run
from .records import RunRecord
from .recovery import Engines, Loss, perform_through_losses

POLL_SECONDS = 0.2


class Stopped(Exception):
    """The command was interrupted; the run stands as it was kept after its last epoch."""


@dataclass(frozen=True)
class MaterialLoader:
    """How a worker comes by the data and the model.

    Attributes:
        load_mnist: Gives the data; must be found again by name in another process.
        network: Name of the network.
        sums: SHA-256 of the committed checkpoints that are needed, by pre-training.
        made: What makes the results, see `Material`.
        machine: Where.
    """

    load_mnist: Callable[[], Mnist]
    network: str
    sums: Mapping[str, str]
    made: Mapping[str, Any] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)

    def load(self) -> Material:
        """Load both."""
        return Material(self.load_mnist(), committed_models(self.network, self.sums), self.made, self.machine)


class Worker:
    """What a process keeps between runs: data, model, engines."""

    def __init__(
        self,
        loader: MaterialLoader,
        folder: Path,
        calibrator: str,
        done: Callable[[], None],
        lost: Callable[[Loss], None],
    ) -> None:
        self._material = loader.load()
        self._folder = folder
        self._calibrator = calibrator
        self._done = done
        self._lost = lost
        self._engines = Engines()

    def perform(self, run: Run) -> RunRecord:
        """Perform one run."""
        path = self._folder / f"{run.key}.npz"
        return perform_through_losses(
            run, self._material, self._engines, self._calibrator, path, self._done, self._lost
        )


_worker: Worker | None = None


def _start(
    loader: MaterialLoader,
    folder: Path,
    calibrator: str,
    stop: Event,
    epochs: "Synchronized[int]",
    losses: "SimpleQueue[Loss]",
) -> None:
    """Set a fresh process up."""
    global _worker
    # Ctrl-C reaches the whole process group; the parent decides when to stop, after an epoch was kept.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _worker = Worker(loader, folder, calibrator, partial(_after_epoch, stop, epochs), losses.put)


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever; what it has is kept after each epoch."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _after_epoch(stop: Event, epochs: "Synchronized[int]") -> None:
    with epochs.get_lock():
        epochs.value += 1
    if stop.is_set():
        raise Stopped


def _perform(run: Run) -> RunRecord | None:
    """Perform a run in this process; None if it was stopped."""
    if _worker is None:
        raise RuntimeError("a worker was not set up")
    try:
        return _worker.perform(run)
    except Stopped:
        return None


def perform_all(
    runs: Sequence[Run],
    loader: MaterialLoader,
    folder: Path,
    calibrator: str,
    jobs: int,
    epochs_done: Callable[[int], None],
    lost: Callable[[Loss], None],
) -> Generator[tuple[Run, RunRecord], None, None]:
    """Perform runs in worker processes, one run a task.

    Args:
        runs: In the order in which they are started.
        loader: Data and model.
        folder: Holds the runs' files.
        calibrator: Name of the engine that finds static scales.
        jobs: Number of processes.
        epochs_done: Told now and then how many epochs were performed in all.
        lost: Told of each device that was lost and is opened anew.

    Yields:
        Each run with its record, as they finish.

    Raises:
        Exception: Whatever ended a run; the others are stopped after their current epoch.
        KeyboardInterrupt: Ctrl-C, after the workers have kept their current epoch.
    """
    context = multiprocessing.get_context("spawn")
    stop, epochs = context.Event(), context.Value("L", 0)
    losses: SimpleQueue[Loss] = context.SimpleQueue()
    pool = ProcessPoolExecutor(jobs, context, _start, (loader, folder, calibrator, stop, epochs, losses))
    try:
        tasks: dict[Future[RunRecord | None], Run] = {pool.submit(_perform, run): run for run in runs}
        waiting = set(tasks)
        while waiting:
            finished, waiting = wait(waiting, POLL_SECONDS, FIRST_COMPLETED)
            epochs_done(epochs.value)
            while not losses.empty():
                lost(losses.get())
            for task in finished:
                record = task.result()
                if record is not None:
                    yield tasks[task], record
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)
