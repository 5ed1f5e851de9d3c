"""Runs as tasks, on workers in this process: lost, abandoned, refused; and what is kept of each."""

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from distributed import Client, LocalCluster

from priot_hil.reference.errors import InputError
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reproductions import cluster as cluster_module
from priot_hil.reproductions import workers as workers_module
from priot_hil.reproductions.cluster import Workers, remote_workers
from priot_hil.reproductions.dispatch import Dispatch, job_of
from priot_hil.reproductions.performance import perform as perform_here
from priot_hil.reproductions.progress import Reporter
from priot_hil.reproductions.records import kept
from priot_hil.reproductions.recovery import Engines
from priot_hil.reproductions.workers import Identity, check_identity, perform

PATIENCE = 180  # seconds, for a machine that does other things too


def go_on():
    """Nobody has pressed Ctrl-C."""


class Gate:
    """Opens engines, of which the first to come to an epoch stays there until it is let go."""

    def __init__(self):
        self.epoch = None
        self.trained = []
        self.reached, self.opened = threading.Event(), threading.Event()

    def open(self, name):
        """An engine, whatever the name."""
        return Gated(self)

    def pass_through(self, epoch):
        """Called before each epoch."""
        if epoch == self.epoch and not self.reached.is_set():
            self.reached.set()
            assert self.opened.wait(PATIENCE)
        self.trained.append(epoch)


class Gated(ReferenceEngine):
    """A reference with a gate before each epoch."""

    def __init__(self, gate):
        super().__init__()
        self.gate = gate
        self.epochs = 0

    def load(self, *arguments):
        """See `Engine`."""
        super().load(*arguments)
        self.epochs = 0

    def train_epoch(self, visits):
        """See `DatasetEngine`."""
        self.epochs += 1
        self.gate.pass_through(self.epochs)
        return super().train_epoch(visits)


@pytest.fixture
def gate(monkeypatch):
    """The engines of all workers go through it; nothing is built or measured for them."""
    gate = Gate()
    monkeypatch.setattr(workers_module, "Engines", lambda: Engines(gate.open, (0.0,)))
    monkeypatch.setattr(workers_module, "machine", lambda: {"system": "one", "processor": "it", "python": "3"})
    yield gate
    gate.opened.set()


@pytest.fixture
def cluster(gate):
    """Two workers, threads of this process."""
    quiet = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": False, "resources": {"serial:A": 1}}
    with LocalCluster(
        **options, dashboard_address=None, scheduler_kwargs=quiet, silence_logs=logging.CRITICAL, memory_limit=None
    ) as cluster:
        yield cluster
        gate.opened.set()


@pytest.fixture
def client(cluster):
    """Speaks to them."""
    with Client(cluster) as client:
        yield client


@pytest.fixture
def told():
    """What was reported."""
    return []


@pytest.fixture
def dispatched(client, loader, tmp_path, told):
    """Prepares runs to be given away."""

    def prepare(runs, epochs=lambda run, done: None):
        reporter = Reporter(lambda run: None, epochs, lambda run, record: None, told.append)
        workers = Workers(client, {}, "start one", go_on)
        return Dispatch(workers, job_of(runs, loader, "host"), tmp_path / "runs", reporter)

    return prepare


@pytest.fixture
def undisturbed(material, tmp_path):
    """What a run gives on its own."""

    def make(run):
        return perform_here(run, material, [ReferenceEngine()], ReferenceEngine(), tmp_path / run.key, lambda: None)

    return make


def at_work(cluster, client):
    """The worker that has a task."""
    busy = {address for address, tasks in client.processing().items() if tasks}
    (worker,) = (worker for worker in cluster.workers.values() if worker.address in busy)
    return worker


def unmade(record):
    """A record's body without what made it: here nothing was built."""
    body = record.to_json()
    del body["made"]
    return body


def test_every_run_comes_back_and_a_worker_has_one_at_a_time(dispatched, runs, client, undisturbed):
    """More runs than workers: what waits is not on any worker, which could take it along when it dies."""
    few = [replace(run, epochs=0) for run in list(runs.values())[:5]]
    most = []
    dispatch = dispatched(few, lambda run, done: most.append(max(map(len, client.processing().values()))))
    records = dict(dispatch.perform(few))
    assert {run: unmade(record) for run, record in records.items()} == {run: unmade(undisturbed(run)) for run in few}
    assert max(most) <= 1


def test_a_lost_worker_costs_its_run_the_current_epoch(
    dispatched, runs, cluster, client, gate, undisturbed, told, tmp_path
):
    """The other worker goes on behind what was kept, which came through the scheduler, not through a folder."""
    run = replace(runs["PRIOT"], epochs=3)
    gate.epoch = 3
    dispatch = dispatched([run])
    with ThreadPoolExecutor(1) as aside:
        performing = aside.submit(lambda: list(dispatch.perform([run])))
        assert gate.reached.wait(PATIENCE)
        lost = at_work(cluster, client)
        cluster.sync(lost.close, executor_wait=False)
        ((_, record),) = performing.result(PATIENCE)
    assert unmade(record) == unmade(undisturbed(run))
    assert gate.trained == [1, 2, 1]  # the second one's first epoch is the run's third
    (loss,) = told
    assert str(loss).endswith(
        "PRIOT, 30 degrees, seed 10: its worker is gone; on another one, the run goes on behind epoch 2"
    )
    assert unmade(kept(tmp_path / "runs" / f"{run.key}.npz", run.key)[0]) == unmade(record)


def test_workers_that_die_over_a_run_end_the_command(dispatched, runs, cluster, client, gate, tmp_path):
    """With the run's name, and what was done before is kept."""
    run = replace(runs["PRIOT"], epochs=2)
    gate.epoch = 2
    cluster.scheduler.allowed_failures = 0
    dispatch = dispatched([run])
    with ThreadPoolExecutor(1) as aside:
        performing = aside.submit(lambda: list(dispatch.perform([run])))
        assert gate.reached.wait(PATIENCE)
        cluster.sync(at_work(cluster, client).close, executor_wait=False)
        with pytest.raises(
            InputError, match=r"^PRIOT, 30 degrees, seed 10: expected a worker .*, got 1 of them that died"
        ):
            performing.result(PATIENCE)
    assert kept(tmp_path / "runs" / f"{run.key}.npz", run.key)[0].trained == 1


def test_an_interrupted_run_is_given_up_after_its_epoch(dispatched, runs, cluster, gate, tmp_path):
    """By its worker, which stays; nothing is left with the scheduler."""
    run = replace(runs["PRIOT"], epochs=9)
    gate.epoch = 3

    def interrupt(run, done):
        if not gate.reached.is_set():
            assert gate.reached.wait(PATIENCE)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(dispatched([run], interrupt).perform([run]))
    assert kept(tmp_path / "runs" / f"{run.key}.npz", run.key)[0].trained == 2  # what was on its way was kept
    gate.opened.set()
    deadline = time.monotonic() + PATIENCE
    extensions = cluster.scheduler.extensions
    while any(worker.state.tasks for worker in cluster.workers.values()) or extensions["queues"].queues:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert gate.trained == [1, 2, 3]
    assert extensions["variables"].variables == {}


def test_a_worker_with_other_sources_is_refused_before_anything_is_run(dispatched, runs, gate, monkeypatch, tmp_path):
    """By its address, with both fingerprints."""
    monkeypatch.setattr(workers_module, "loaded_code", lambda: "another")
    run = runs["PRIOT"]
    with pytest.raises(InputError, match=r"code of worker inproc://.*: expected [0-9a-f]{64}, got another; bring"):
        list(dispatched([run]).perform([run]))
    assert (gate.trained, list(tmp_path.glob("runs/*"))) == ([], [])


def test_a_worker_that_comes_later_is_refused_too(client, loader, runs, gate):
    """Each task says what is expected of whoever performs it."""
    run = runs["PRIOT"]
    task = client.submit(perform, run, job_of([run], loader, "host"), Identity("another", {}))
    with pytest.raises(InputError, match=r"code of worker inproc://.*: expected another, got [0-9a-f]{64}"):
        task.result()
    assert gate.trained == []


def test_a_worker_with_two_threads_is_refused(dispatched, runs, cluster):
    """They would share its engines."""
    for worker in cluster.workers.values():
        worker.state.nthreads = 2
    with pytest.raises(InputError, match=r"worker inproc://.*: expected one thread, got 2; start it with --nthreads 1"):
        list(dispatched([runs["PRIOT"]]).perform([runs["PRIOT"]]))


def test_the_first_part_of_an_identity_that_differs_is_named():
    """Sources before all else; a part that is missing is one that differs."""
    made = {"git": {"commit": "1", "is_dirty": False}, "engines": {"host": {"build": "b"}}}
    here = Identity("code", made)
    check_identity("tcp://w", Identity("code", {**made}), here)
    for other, sentence in (
        (Identity("other", {}), "code of worker tcp://w: expected code, got other"),
        (
            Identity("code", {**made, "git": {"commit": "2", "is_dirty": False}}),
            "made git commit of .*expected 1, got 2",
        ),
        (Identity("code", {**made, "git": None}), "made git commit of .*expected 1, got none"),
        (Identity("code", {**made, "engines": {}}), "made engines host build of .*expected b, got none"),
    ):
        with pytest.raises(InputError, match=sentence):
            check_identity("tcp://w", other, here)


def test_only_workers_that_offer_the_board_count(client):
    """Where none does, that is said, and how to start one."""
    assert Workers(client, {}, "start one", go_on).count() == 2
    assert Workers(client, {"serial:A": 1}, "start one", go_on).count() == 2
    with pytest.raises(
        InputError, match="workers: expected at least one that offers serial:B, got 2 without it; start"
    ):
        Workers(client, {"serial:B": 1}, "start one", go_on, patience=0.0).count()
    waiting = Workers(client, {"serial:B": 1}, "start one", go_on, patience=PATIENCE)
    assert waiting.count() == 0  # one that was lost may come back


def test_a_scheduler_without_workers_or_none_at_all(monkeypatch):
    """The address that was given, and what to do."""
    monkeypatch.setattr(cluster_module, "CONNECT_SECONDS", 0.2)
    for address in ("tcp://127.0.0.1:1", "nowhere"):
        with pytest.raises(InputError, match=f"scheduler: expected the address of a running .*, got '{address}' "):
            remote_workers(address, {}).__enter__()
