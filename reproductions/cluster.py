"""Where runs are performed: by worker processes of one's own on this machine, or by a cluster that the user started."""

import asyncio
import logging
import time
from asyncio import CancelledError
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import dask
from distributed import Client, Future, LocalCluster, Nanny, wait

from priot_hil.harness.boards_on_ports import one_line
from priot_hil.harness.interrupts import held_interrupts, interrupts_for_this_process_alone
from priot_hil.reference.errors import InputError

POLL_SECONDS = 0.2
COUNT_SECONDS = 1.0  # between two looks at who is there
PATIENCE_SECONDS = 60.0  # with no worker that could go on: one that was lost may come back
CONNECT_SECONDS = 10.0
KILL_SECONDS = 0.5  # for a worker to end by itself; nothing is lost with it but the epoch that it was at
LOOPBACK = "127.0.0.1"
QUIET = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.admin.tick.interval": "1s",
}


class Workers:
    """The workers of a command.

    Args:
        client: Speaks to their scheduler.
        resources: What a worker must offer to be of use: names, and how many of each.
        start: How to start one that does, for people.
        ask: Raises KeyboardInterrupt if Ctrl-C has been held back, see `held_interrupts`.
        patience: Seconds to wait while none is there.
    """

    def __init__(
        self,
        client: Client,
        resources: Mapping[str, int],
        start: str,
        ask: Callable[[], None],
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self.client = client
        self.resources = dict(resources)
        self._start = start
        self._ask = ask
        self._patience = patience
        self._count = 0
        self._counted = -float("inf")
        self._last_seen = time.monotonic()

    def count(self) -> int:
        """How many workers there are that can be given a task.

        Raises:
            InputError: There is none, and none has come for a while.
        """
        now = time.monotonic()
        if now < self._counted + COUNT_SECONDS:
            return self._count
        self._counted = now
        workers = self.client.scheduler_info(n_workers=-1)["workers"].values()
        offers = [worker["resources"] for worker in workers]
        self._count = sum(all(offer.get(name, 0) >= n for name, n in self.resources.items()) for offer in offers)
        if self._count:
            self._last_seen = now
        elif now > self._last_seen + self._patience:
            wanted = "".join(f" that offers {name}" for name in self.resources)
            got = f"{len(offers)} without it" if offers else "none"
            raise InputError.about("workers", expected=f"at least one{wanted}", got=got, do=self._start)
        return self._count

    def finished(self, tasks: Collection[Future[Any]]) -> list[Future[Any]]:
        """Wait a moment for tasks.

        Returns:
            Those that have ended by then, well or not.

        Raises:
            KeyboardInterrupt: Ctrl-C, by then.
        """
        if tasks:
            with suppress(TimeoutError, CancelledError):
                wait(list(tasks), POLL_SECONDS, "FIRST_COMPLETED")  # of a dict it would look at the values
        else:
            time.sleep(POLL_SECONDS)
        self._ask()
        return [task for task in tasks if task.done()]


@contextmanager
def local_workers(count: int, resources: Mapping[str, int]) -> Iterator[Workers]:
    """Worker processes on this machine, each with one thread; they end with the block, or with this process.

    Nothing listens but on the loopback interface.

    Args:
        count: How many.
        resources: What each of them offers.
    """
    with held_interrupts() as ask, _own_cluster(count, resources) as cluster, Client(cluster) as client:
        yield Workers(client, resources, "give the same command again", ask)


@contextmanager
def _own_cluster(count: int, resources: Mapping[str, int]) -> Iterator[LocalCluster]:
    """The scheduler of `local_workers` and its worker processes."""
    with dask.config.set(QUIET), interrupts_for_this_process_alone():
        cluster = LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            host=LOOPBACK,
            dashboard_address=None,
            scheduler_kwargs={"dashboard": False, "dashboard_address": f"{LOOPBACK}:0"},
            silence_logs=logging.CRITICAL,
            memory_limit=None,
            resources=dict(resources),
        )
    try:
        yield cluster
    finally:
        cluster.sync(_end, list(cluster.workers.values()))
        cluster.close()


async def _end(nannies: Collection[Nanny]) -> None:
    """End worker processes, whatever they are at."""
    await asyncio.gather(*(nanny.close(timeout=KILL_SECONDS) for nanny in nannies), return_exceptions=True)


@contextmanager
def remote_workers(scheduler: str, resources: Mapping[str, int]) -> Iterator[Workers]:
    """The workers of a scheduler that the user has started; all of them stay when the block ends.

    Args:
        scheduler: Its address, such as ``tcp://10.0.0.1:8786``.
        resources: What a worker must offer to be of use.

    Raises:
        InputError: No scheduler answers there, or it has no such worker.
    """
    options = "".join(f" --resources '{name}={n}'" for name, n in resources.items())
    start = f"start one: dask worker {scheduler} --nthreads 1{options}"
    with held_interrupts() as ask, _client_of(scheduler) as client:
        Workers(client, resources, start, ask, patience=0.0).count()
        yield Workers(client, resources, start, ask)


def _client_of(scheduler: str) -> Client:
    """What speaks to a scheduler of the user's; see `remote_workers`."""
    try:
        return Client(scheduler, timeout=CONNECT_SECONDS)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        expected, got = "the address of a running `dask scheduler`", f"{scheduler!r} ({one_line(error)})"
        do = "start it, and give the address that it prints, such as tcp://10.0.0.1:8786"
        raise InputError.about("scheduler", expected=expected, got=got, do=do) from error
