"""The runs of a command, given to workers: a worker that is lost costs its run's current epoch, and nothing else."""

import pickle
import time
import uuid
from asyncio import CancelledError
from collections import deque
from collections.abc import Collection, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from distributed import Future, KilledWorker, Queue, Variable

from priot_hil.harness.boards_on_ports import one_line
from priot_hil.harness.files import write_aside
from priot_hil.reference.errors import InputError

from .cluster import Workers
from .material import MaterialLoader
from .plan import Run, code_fingerprint
from .progress import Reporter
from .provenance import made_by
from .records import RunRecord
from .recovery import LostWorker
from .workers import Begun, Identity, Job, Kept, Message, check_identity, introduce, perform


def job_of(runs: Iterable[Run], loader: MaterialLoader, calibrator: str, is_remote: bool = False) -> Job:
    """What the tasks of some runs have in common, under an id of its own."""
    devices = sorted({name for run in runs for name in run.devices})
    return Job(f"priot-{uuid.uuid4().hex}", loader, tuple(devices), calibrator, is_remote)


class Dispatch:
    """Gives runs to workers and keeps what comes back.

    A worker has one run at a time. What it keeps after an epoch comes here, where it is written, and stays with the
    scheduler, where the next worker finds it if this one is lost.

    Args:
        workers: Who performs them.
        job: What they have in common.
        folder: Holds the runs' files.
        reporter: Told of epochs and losses.
    """

    def __init__(self, workers: Workers, job: Job, folder: Path, reporter: Reporter) -> None:
        self._workers = workers
        self._job = job
        self._folder = folder
        self._reporter = reporter
        self._messages = Queue(job.id, workers.client)
        self._tasks: dict[Future[Any], Run] = {}
        self._trained: dict[Run, int] = {}

    def perform(self, runs: Collection[Run]) -> Generator[tuple[Run, RunRecord], None, None]:
        """Perform runs.

        Args:
            runs: In the order in which they are given away.

        Yields:
            Each run with its record, as they finish.

        Raises:
            InputError: The workers are not all alike, none is left, or one after another died over the same run.
            Exception: Whatever ended a run; the others are given up behind what was kept of them.
            KeyboardInterrupt: Ctrl-C, the same.
        """
        waiting = deque(runs)
        try:
            expected = self._identity()
            while waiting or self._tasks:
                with scheduler_stays():
                    for _ in range(min(self._workers.count() - len(self._tasks), len(waiting))):
                        self._give(waiting.popleft(), expected)
                    finished = self._workers.finished(self._tasks)
                    self._collect()
                for task in finished:
                    run = self._tasks.pop(task)
                    self._mailbox(run).delete()
                    record = result(task, str(run))
                    if record is None:  # its worker was told to give it up, and then not to
                        waiting.append(run)
                    else:
                        yield run, record
        finally:
            self._end()

    def _identity(self) -> Identity:
        """Ask the workers who they are before any of them performs anything.

        Raises:
            InputError: They are not all alike, or other than this process.
        """
        here = Identity(code_fingerprint(), made_by(dict.fromkeys((self._job.calibrator, *self._job.devices))))
        tasks = {self._submit(f"introduce-{i}", introduce, self._job) for i in range(max(1, self._workers.count()))}
        first: Identity | None = None
        while tasks:
            self._workers.count()
            for task in self._workers.finished(tasks):
                tasks.remove(task)
                worker, found = self._introduced(task)
                check_identity(worker, Identity(found.code, {**found.made, "engines": {}}), here)
                first = first or found
                check_identity(worker, found, first)
        assert first is not None, "at least one task was asked, or `count` has refused"
        return first

    def _introduced(self, task: Future[tuple[str, Identity]]) -> tuple[str, Identity]:
        try:
            worker, found = result(task, "the set-up of a worker")
        except (ImportError, AttributeError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "deserialization" not in str(error):  # which is how Dask says it
                raise
            expected, do = "this project where they and the scheduler run", "start them by ./run dask (docs/scale.md)"
            raise InputError.about("workers", expected=expected, got=one_line(error), do=do) from error
        return worker, found

    def _give(self, run: Run, expected: Identity) -> None:
        path = self._path(run)
        content = path.read_bytes() if path.exists() else b""
        self._mailbox(run).set(content)
        self._tasks[self._submit(run.key, perform, run, self._job, expected)] = run

    def _submit(self, name: str, function: Any, *arguments: Any) -> Future[Any]:
        key = f"{self._job.id}-{name}"
        return self._workers.client.submit(function, *arguments, key=key, resources=self._workers.resources)

    def _collect(self) -> None:
        """Take what the workers have sent."""
        for content in self._messages.get(batch=True):
            self._take(pickle.loads(content))

    def _take(self, message: Message) -> None:
        run = message.run
        if isinstance(message, Begun):
            self._reporter.begun(run)
            if run in self._trained:
                self._reporter.lost(LostWorker(time.time(), run, message.trained))
            else:
                self._trained[run] = message.trained
        elif isinstance(message, Kept):
            if message.trained > self._trained[run]:  # a repeated epoch is the same once more
                write_aside(self._path(run), message.content)
                self._reporter.epochs(run, message.trained - self._trained[run])
                self._trained[run] = message.trained
        else:
            self._reporter.lost(message)

    def _mailbox(self, run: Run) -> Variable:
        return Variable(self._job.mailbox(run), self._workers.client)

    def _path(self, run: Run) -> Path:
        return self._folder / f"{run.key}.npz"

    def _end(self) -> None:
        """Give up what is not done, and keep what has come until now."""
        with suppress(OSError):  # the scheduler may be gone
            if self._tasks:
                self._workers.client.cancel(list(self._tasks))
            self._collect()
            for run in self._tasks.values():
                self._mailbox(run).delete()
            self._messages.close()


def result(task: Future[Any], what: str) -> Any:
    """The result of a task that has ended.

    Args:
        task: The task.
        what: It is, for people.

    Raises:
        InputError: Workers died over it, or the scheduler has forgotten it.
        Exception: What ended it.
    """
    try:
        return task.result()
    except KilledWorker as error:
        got = f"{error.allowed_failures + 1} of them that died over it, the last at {error.last_worker.address}"
        do = "look at their output and at the memory they have; what was kept stays, the same command goes on from it"
        raise InputError.about(what, expected="a worker that lives to the end of it", got=got, do=do) from None
    except CancelledError:
        raise lost_scheduler("it knows nothing of the task any more") from None


@contextmanager
def scheduler_stays() -> Iterator[None]:
    """Say in a sentence that the scheduler is lost, when it is in the block.

    Raises:
        InputError: It does not answer.
    """
    try:
        yield
    except OSError as error:
        raise lost_scheduler(one_line(error)) from error


def lost_scheduler(got: str) -> InputError:
    """The refusal to go on without a scheduler."""
    do = "start it and its workers again, then give the same command again; what was kept stays"
    return InputError.about("scheduler", expected="one that stays", got=f"none: {got}", do=do)
