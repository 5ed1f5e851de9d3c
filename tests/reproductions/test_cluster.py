"""Workers as processes of their own: here, and on a scheduler that a user has started; killed, and interrupted."""

import json
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import psutil
import pytest
from distributed import Client

from priot_hil.reference.errors import InputError
from priot_hil.reproductions import cluster
from priot_hil.reproductions.chain import read_lines
from priot_hil.reproductions.cluster import local_workers
from priot_hil.reproductions.dispatch import Dispatch, job_of
from priot_hil.reproductions.progress import Reporter
from priot_hil.reproductions.records import kept

PATIENCE = 180  # seconds, for a machine that does other things too
DASK = Path(sys.executable).with_name("dask")


def wait_until(is_so, process=None):
    """Wait for something."""
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_gone(group):
    """Whether a process group has no process any more; one that has ended but that nobody has asked for is none."""
    for process in psutil.process_iter(["status"]):
        with suppress(ProcessLookupError):
            if os.getpgid(process.pid) == group and process.info["status"] != psutil.STATUS_ZOMBIE:
                return False
    return True


@pytest.fixture
def start(tmp_path):
    """Starts a program as a user does, in a process group of its own, with its output in a file."""
    started = []
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}

    def start_one(*arguments, log):
        with (tmp_path / log).open("w") as file:
            options = {"stdout": file, "stderr": subprocess.STDOUT, "env": environment, "start_new_session": True}
            started.append(subprocess.Popen([*map(str, arguments)], cwd=tmp_path, **options))
        return started[-1]

    yield start_one
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(PATIENCE)


@pytest.fixture
def scheduler(start, tmp_path):
    """A scheduler, by its address, and two workers with a nanny each."""
    file = tmp_path / "scheduler.json"
    quiet = ("--dashboard-address", "127.0.0.1:0", "--no-dashboard")
    start(DASK, "scheduler", "--host", "127.0.0.1", "--port", 0, *quiet, "--scheduler-file", file, log="scheduler.log")
    wait_until(lambda: file.exists() and file.read_text().endswith("}"))
    address = json.loads(file.read_text())["address"]
    for name in ("one", "two"):
        start(DASK, "worker", address, "--nthreads", 1, "--no-dashboard", "--name", name, log=f"{name}.log")
    with Client(address) as client:
        client.wait_for_workers(2, PATIENCE)
    return address


@pytest.fixture
def many_epochs(small_table):
    """Makes the small table with enough epochs to be struck in the middle."""
    return lambda out, **options: small_table(out, epochs=24, **options)


def bodies(table):
    """The hashes of what a table's file says, times and machine aside."""
    return [line.sha256 for line in read_lines(table.out / "accuracy-reference.jsonl")]


def kept_of(table):
    """The records of the runs that have begun."""
    found = (kept(table.out / "runs" / f"{run.key}.npz", run.key) for run in table.runs)
    return [each[0] for each in found if each is not None]


def wait_for_the_middle(table):
    """Wait until two runs, so both workers, have trained an epoch."""
    files = [table.out / "runs" / f"{run.key}.npz" for run in table.runs]
    first, moved = {}, set()

    def have_moved():
        for file in filter(Path.exists, files):
            changed = file.stat().st_mtime_ns
            if first.setdefault(file, changed) != changed:
                moved.add(file)
        return len(moved) > 1

    wait_until(have_moved)


@pytest.mark.slow
def test_a_cluster_gives_what_this_machine_gives_though_a_worker_is_killed(many_epochs, scheduler):
    """A worker and its nanny by SIGKILL, in mid-run: the same bodies and hashes, in the same order."""
    whole, table = many_epochs("whole"), many_epochs("cluster", scheduler=scheduler)
    whole.perform()
    with Client(scheduler) as client:
        pids = client.run(lambda dask_worker: (os.getpid(), os.getpgid(0)))

    def strike():
        wait_for_the_middle(table)
        os.killpg(next(group for _, group in pids.values()), signal.SIGKILL)

    striking = threading.Thread(target=strike)
    striking.start()
    table.perform()
    striking.join()
    assert "its worker is gone; on another one, the run " in table.console.file.getvalue()
    assert bodies(table) == bodies(whole)


@pytest.mark.slow
@pytest.mark.parametrize("where", ["here", "cluster"])
def test_ctrl_c_keeps_what_was_done(small_table, request, start, tmp_path, where):
    """Status 130; the same command goes on from there. No process of its own is left, and all of a cluster's are."""
    scheduler = request.getfixturevalue("scheduler") if where == "cluster" else None
    table = small_table("struck", scheduler=scheduler, epochs=1000)
    names = ("experiment", "runs", "loader", "out", "device", "calibrator")
    jobs = len(table.runs)  # some workers are out of work when Ctrl-C comes
    arguments = [*(getattr(table, name) for name in names), jobs]
    (tmp_path / "table.pickle").write_bytes(pickle.dumps((arguments, scheduler)))
    command = start(sys.executable, "-c", COMMAND, tmp_path / "table.pickle", log="command.log")
    wait_for_the_middle(table)
    os.killpg(command.pid, signal.SIGINT)  # as a terminal does: all of the command's processes
    assert command.wait(PATIENCE) == 130
    said = (tmp_path / "command.log").read_text()
    assert "Give the same command again to go on from there." in said
    assert "not run" in said
    assert "Traceback" not in said
    wait_until(lambda: is_gone(command.pid))
    if scheduler:
        with Client(scheduler) as client:
            wait_until(lambda: not any(client.processing().values()))
            assert len(client.nthreads()) == 2
    trained = max(record.trained for record in kept_of(table))
    assert 0 < trained < 1000
    whole, table = (
        small_table("whole", epochs=trained + 1),
        small_table("struck", scheduler=scheduler, epochs=trained + 1),
    )
    whole.perform()
    table.perform()
    assert bodies(table) == bodies(whole)


COMMAND = """
import pickle, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # tests in the background were started without
from rich.console import Console
from priot_hil.reproductions.runner import Reproduction

with open(sys.argv[1], "rb") as file:
    arguments, scheduler = pickle.load(file)
try:
    Reproduction(*arguments, Console(width=130), scheduler=scheduler).perform()
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.slow
def test_a_worker_of_one_s_own_that_is_killed(many_epochs):
    """Another process takes its place."""
    whole, table = many_epochs("whole"), many_epochs("killed")
    whole.perform()

    def strike():
        wait_for_the_middle(table)
        multiprocessing.active_children()[0].kill()

    striking = threading.Thread(target=strike)
    striking.start()
    table.perform()
    striking.join()
    assert "its worker is gone; on another one, the run " in table.console.file.getvalue()
    assert bodies(table) == bodies(whole)


@pytest.mark.slow
def test_workers_that_cannot_live_end_the_command(loader, runs, tmp_path):
    """Killed again and again where they begin, they are not started for ever."""
    deadly = replace(loader, load_images=end_at_once)
    nobody = Reporter(lambda run: None, lambda run, done: None, lambda run, record: None, lambda loss: None)
    run = runs["PRIOT"]
    with (
        local_workers(1, {}) as workers,
        pytest.raises(InputError, match=r"the set-up of a worker: expected .*, got 4 of"),
    ):
        list(Dispatch(workers, job_of([run], deadly, "host"), tmp_path, nobody).perform([run]))


end_at_once = partial(os._exit, 9)


def test_waiting_looks_at_the_tasks(monkeypatch):
    """Whatever holds them: Dask would look for tasks among the values of a dict, find none, and not wait."""
    waited = []
    monkeypatch.setattr(cluster, "wait", lambda tasks, *_: waited.append(tasks))
    future = Mock()
    assert cluster.Workers(None, {}, "start one", Mock()).finished({future: "its run"}) == [future]
    assert waited == [[future]]
