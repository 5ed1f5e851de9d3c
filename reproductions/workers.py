"""What a worker process does, on this machine or another: it performs one run after another, on engines of its own."""

import pickle
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from distributed import Queue, Variable, get_client, get_worker

from priot_hil.harness.devices import find_device
from priot_hil.harness.engines import DeviceEngine
from priot_hil.reference.errors import InputError

from .material import MaterialLoader
from .plan import Run, code_fingerprint
from .provenance import machine, made_by
from .records import RunRecord, kept
from .recovery import Engines, Loss, perform_through_losses

REPLY_SECONDS = 60  # for the scheduler to give what it has


class Stopped(Exception):
    """Nobody waits for the run any more; it stands as it was kept after its last epoch."""


@dataclass(frozen=True)
class Job:
    """What all runs of one command share.

    Attributes:
        id: Tells the command apart from others that the same workers perform.
        loader: Data and model.
        devices: All that its runs go through.
        calibrator: The engine that finds static scales.
        is_remote: Whether a worker may be on another machine, so that people need to know which one has failed.
    """

    id: str
    loader: MaterialLoader
    devices: tuple[str, ...]
    calibrator: str
    is_remote: bool = False

    def mailbox(self, run: Run) -> str:
        """The name under which the scheduler has what was last kept of a run."""
        return f"{self.id}-{run.key}"


@dataclass(frozen=True)
class Identity:
    """What must be the same wherever runs of one table are performed.

    Attributes:
        code: Fingerprint of the sources that decide numbers.
        made: What makes the results, see `provenance.made_by`.
    """

    code: str
    made: Mapping[str, Any]


@dataclass(frozen=True)
class Begun:
    """A message: a worker has taken a run, behind so many epochs; -1 where nothing was kept."""

    run: Run
    trained: int


@dataclass(frozen=True)
class Kept:
    """A message: what `records.keep` has written after an epoch."""

    run: Run
    trained: int
    content: bytes


Message = Begun | Kept | Loss


class Station:
    """What a process keeps between the runs of a job: data, model, engines.

    Raises:
        InputError, LinkLost: Data, checkpoint or an engine is not to be had.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.engines = Engines()
        builds = {}
        try:
            for name in sorted({job.calibrator, *job.devices}):
                engine = self.engines.get(name)
                builds[name] = engine.device.hello.build_id.hex() if isinstance(engine, DeviceEngine) else None
            self.identity = Identity(loaded_code(), made_by(builds))
            self.material = replace(job.loader.load(), made=self.identity.made, machine=machine())
        except BaseException:
            self.engines.close_all()
            raise
        self._let_go_of_boards()

    def perform(self, run: Run, path: Path, done: Callable[[], None], lost: Callable[[Loss], None]) -> RunRecord:
        """Perform a run, or what is left of it; a board is held only meanwhile."""
        try:
            for name in filter(is_board, run.devices):
                self.engines.reopen(name)
            return perform_through_losses(run, self.material, self.engines, self.job.calibrator, path, done, lost)
        finally:
            self._let_go_of_boards()

    def _let_go_of_boards(self) -> None:
        for name in filter(is_board, self.job.devices):
            self.engines.close(name)


_stations: dict[str, Station] = {}
"""By the worker's address; a process has one worker, but for tests."""


def station(job: Job) -> Station:
    """This worker's station for a job; that of another job is given up.

    Raises:
        InputError, LinkLost: The worker has several threads, which would share its engines; or see `Station`.
    """
    worker = get_worker()
    if (threads := worker.state.nthreads) != 1:
        do = "start it with --nthreads 1, and one worker for each core"
        raise InputError.about(f"worker {worker.address}", expected="one thread", got=threads, do=do)
    there = _stations.get(worker.address)
    if there is None or there.job.id != job.id:
        if there is not None:
            there.engines.close_all()
            del _stations[worker.address]
        there = _stations[worker.address] = Station(job)
    return there


@cache
def loaded_code() -> str:
    """The fingerprint of the sources as they were when this process began with them, whatever they are now."""
    return code_fingerprint()


def is_board(device: str) -> bool:
    """Whether a device is a board on a port, of which there is one, and not an engine that any process can start."""
    kind = find_device(device)
    return kind is not None and bool(kind.boards)


def introduce(job: Job) -> tuple[str, Identity]:
    """The task before all others: who is this worker, and what would it make results with?"""
    with naming_worker(job):
        return get_worker().address, station(job).identity


def perform(run: Run, job: Job, expected: Identity) -> RunRecord | None:
    """The task that performs a run, from what was last kept of it, by whomever.

    Args:
        run: The run.
        job: What it is a part of.
        expected: The identity that all the job's workers have.

    Returns:
        The record up to the run's epochs; None if nobody waits for it any more.

    Raises:
        InputError: This worker is another than expected; see `performance.perform` for the rest.
    """
    with naming_worker(job):
        here = station(job)
        check_identity(get_worker().address, here.identity, expected)
        return perform_there(run, here)


def perform_there(run: Run, there: Station) -> RunRecord | None:
    """Perform a run at a station, telling of each epoch; see `perform`."""
    client, job = get_client(), there.job
    mailbox, messages = Variable(job.mailbox(run), client), Queue(job.id, client)
    path = Path(get_worker().local_directory) / f"{run.key}.npz"

    def tell(message: Message) -> None:
        messages.put(pickle.dumps(message))

    def done() -> None:
        if is_abandoned():
            raise Stopped
        content = path.read_bytes()
        mailbox.set(content)
        tell(Kept(run, _trained(path, run), content))

    path.unlink(missing_ok=True)
    if content := mailbox.get(timeout=REPLY_SECONDS):
        path.write_bytes(content)
    try:
        tell(Begun(run, _trained(path, run)))
        return there.perform(run, path, done, tell)
    except Stopped:
        mailbox.delete()  # whoever waited for the run may be gone without having done so
        return None
    finally:
        messages.close()
        path.unlink(missing_ok=True)


@contextmanager
def naming_worker(job: Job) -> Iterator[None]:
    """Say of what fails in the block on which worker it did."""
    try:
        yield
    except BaseException as error:
        if job.is_remote:
            error.add_note(f"on worker {get_worker().name} at {get_worker().address}")
        raise


def is_abandoned() -> bool:
    """Whether the task at hand was cancelled, or the process that waited for it is gone."""
    worker = get_worker()
    task = worker.state.tasks.get(worker.get_current_task())
    return task is None or task.state == "cancelled"


def check_identity(worker: str, found: Identity, expected: Identity) -> None:
    """Refuse a worker that would make other results, or the same ones with something else.

    Args:
        worker: Its address.
        found: Its identity.
        expected: The identity of the command, or of another worker.

    Raises:
        InputError: They are not the same; the first part that differs is named.
    """
    there, here = _parts(vars(found)), _parts(vars(expected))
    for name in sorted({*there, *here}, key=lambda name: (name != "code", name)):
        if there.get(name) != here.get(name):
            do = "bring its checkout and environment to the same state and start it again"
            raise InputError.about(
                f"{name} of worker {worker}", expected=here.get(name, "none"), got=there.get(name, "none"), do=do
            )


def _parts(content: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    parts: dict[str, Any] = {}
    for name, value in content.items():
        parts |= _parts(value, f"{before}{name} ") if isinstance(value, Mapping) else {before + name: value}
    return parts


def _trained(path: Path, run: Run) -> int:
    earlier = kept(path, run.key)
    return -1 if earlier is None else earlier[0].trained
