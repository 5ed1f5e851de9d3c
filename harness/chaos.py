"""`invoke chaos`: thousands of runs over a bad line, each held against what the link promises, and counted."""

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import contextmanager, suppress
from multiprocessing import active_children, get_context, parent_process
from pathlib import Path
from types import FrameType
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from rich.console import Console

from priot_hil.reference.errors import InputError

from .chaos_results import Campaign, Tally, read_chunks, report, write_chunks
from .firmware import build
from .interrupts import held_interrupts, interrupts_for_this_process_alone
from .output_kinds import CHAOS
from .outputs import check_file, set_aside
from .progress import counted, shown
from .transports.emulator import EmulatorTransport
from .transports.process import ProcessTransport
from .under_fire import Case, DeviceUnderFire, WrongResult, cases, parse_case

CHUNK = 100  # runs after which the results are written
POLL_SECONDS = 0.2  # between two looks for Ctrl-C
HANG_SECONDS = 60.0  # of one run, which takes milliseconds
SHRINK_CASES = 2000
MOST_FAULTS = 10
BROKEN = 1
DEVICES = ("process", "emulator")


class Hang(WrongResult):
    """A run that did not end."""


def open_under_fire(device: str) -> tuple[DeviceUnderFire, bytes]:
    """A device without a board, behind a bad line, and its build id.

    Raises:
        InputError: It is none of those that say when nothing more will come, or its firmware cannot be built.
    """
    if device == "process":
        firmware = build("host")
        images = {firmware.build_id: firmware.process}
        return DeviceUnderFire(ProcessTransport(firmware.process), images), firmware.build_id
    if device == "emulator":
        image = build("rp2040").ram
        return DeviceUnderFire(EmulatorTransport(image.elf), {image.build_id: image.elf}), image.build_id
    raise _no_device(device)


def _no_device(name: str) -> InputError:
    return InputError.about("device of chaos", expected=" or ".join(DEVICES), got=repr(name), do="name one of them")


def chaos(runs: int, device: str, number: int, most: int = MOST_FAULTS, out: Path | None = None) -> int:
    """Performs a campaign on all cores; interrupted, the same command goes on after the last hundred runs.

    Args:
        runs: How many, rounded up to hundreds.
        device: "process" or "emulator".
        number: Seed of the plans.
        most: Faults planned for a run at most.
        out: The JSON file; None for ``results/chaos-DEVICE.json`` here.

    Returns:
        0 where every run kept the promise, else 1.

    Raises:
        InputError: An option is refused, or the file cannot be written or is of another kind.
    """
    if runs < 1 or most < 0:
        raise InputError.about("runs and faults", expected="at least 1 and 0", got=f"{runs} and {most}", do="say more")
    if device not in DEVICES:
        raise _no_device(device)
    console = Console()
    out = check_file(Path("results") / f"chaos-{device}.json" if out is None else out, CHAOS)
    opened, build_id = open_under_fire(device)
    opened.close()
    campaign = Campaign(device, build_id.hex(), number, most)
    done = read_chunks(out, campaign)
    if done is None:
        why = "holds another campaign: another build, seed or number of faults"
        set_aside(out, why, lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True))
        done = {}
    chunks = range((runs + CHUNK - 1) // CHUNK)
    missing = [index for index in chunks if index not in done]
    progress = counted(f"runs on {device}", len(chunks) * CHUNK, (len(chunks) - len(missing)) * CHUNK)
    with held_interrupts() as ask, workers() as pool, shown(progress) as work:
        with interrupts_for_this_process_alone():  # a worker that Ctrl-C reaches as it begins would break the pool
            waiting = {pool.submit(run_chunk, campaign, index) for index in missing}
        while waiting:
            ended, waiting = wait(waiting, POLL_SECONDS, FIRST_COMPLETED)
            for future in ended:
                index, tally = future.result()
                done[index] = tally
                write_chunks(out, campaign, done)
                work.advance(CHUNK)
            ask()
    total = Tally()
    for index in chunks:
        total.add(done[index])
    for line in report(total, campaign):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(f"results: {out}", soft_wrap=True)
    return BROKEN if total.broken else 0


def replay_case(text: str, device: str) -> int:
    """Runs one case as a campaign printed it, and says how it ends.

    Returns:
        0 where it keeps the promise, else 1.

    Raises:
        InputError: The case or the device is refused.
    """
    case = parse_case(text)
    opened, _ = open_under_fire(device)
    try:
        with watchdog():
            outcome = opened.endure(case)
    except WrongResult as wrong:
        print(f"broken: {wrong}")
        return BROKEN
    finally:
        opened.close()
    met = ", ".join(f"{name} {count}" for name, count in sorted(outcome.met.items())) or "none"
    end = "exact" if outcome.lost is None else f"lost ({outcome.lost}), and the next load works"
    print(f"{end}; {outcome.retries} retries, {outcome.resends} resends, faults met: {met}")
    return 0


def run_chunk(campaign: Campaign, index: int) -> tuple[int, Tally]:
    """Performs a hundred runs of a campaign; of the first that breaks the promise the smallest like it is sought.

    Raises:
        InputError: The firmware has changed since the campaign began.
    """
    tally = Tally()
    number = campaign.seed << 32 | index
    device, build_id = open_under_fire(campaign.device)
    if build_id.hex() != campaign.build:
        device.close()
        do = "leave the firmware alone while a campaign runs, and begin it again"
        raise InputError.about("firmware", expected=f"build {campaign.build[:12]}", got=build_id.hex()[:12], do=do)
    first: list[str] = []  # case that breaks the promise, and what was wrong
    smallest: list[str] = []

    def counted(case: Case) -> None:
        tally.runs += 1
        try:
            with watchdog():
                outcome = device.endure(case)
        except WrongResult as wrong:
            tally.broken["hang" if isinstance(wrong, Hang) else "wrong"] += 1
            first[:] = first or [str(case), str(wrong)]
            device.line.reset()
            return
        tally.exact += outcome.lost is None
        tally.retries += outcome.retries
        tally.resends += outcome.resends
        tally.lost.update([outcome.lost.value] if outcome.lost else [])
        tally.faults += outcome.met

    def raised(case: Case) -> None:
        try:
            with watchdog():
                device.endure(case)
        except WrongResult as wrong:
            smallest[:] = [str(case), str(wrong)]
            device.line.reset()
            raise

    try:
        drawn(counted, campaign.faults, number, CHUNK, Phase.generate)
        if tally.broken:
            with suppress(WrongResult):
                drawn(raised, campaign.faults, number, SHRINK_CASES, Phase.generate, Phase.shrink)
            tally.smallest += smallest or first
    finally:
        device.close()
    return index, tally


def drawn(test: Any, most: int, number: int, count: int, *phases: Phase) -> None:
    """Gives a test so many cases, the same ones for the same number."""
    chosen = settings(
        max_examples=count,
        phases=phases,
        database=None,
        deadline=None,
        verbosity=Verbosity.quiet,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )

    def run(case: Case) -> None:
        test(case)

    seed(number)(chosen(given(case=cases(most))(run)))()


@contextmanager
def watchdog() -> Iterator[None]:
    """Ends what does not end by itself.

    Raises:
        Hang: It had to.
    """

    def bark(_: int, __: FrameType | None) -> None:
        raise Hang(f"no end after {HANG_SECONDS:.0f} s")

    before = signal.signal(signal.SIGALRM, bark)
    signal.setitimer(signal.ITIMER_REAL, HANG_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def workers() -> Iterator[ProcessPoolExecutor]:
    """A process for each core; where the block is left early, they are ended, whatever they are at."""
    before = set(active_children())
    # Not forked: hypothesis and the emulator are not to find each other's threads and handles.
    pool = ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), initializer=begin_worker)
    try:
        yield pool
    except BaseException:
        for worker in set(active_children()) - before:
            worker.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def begin_worker() -> None:
    """Leaves Ctrl-C, which reaches every process of a terminal, to the parent; and ends where the parent was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    assert parent is not None, "a worker has been started by another process"

    def end_with_it() -> None:
        parent.join()
        os._exit(1)  # it would wait for work for ever

    threading.Thread(target=end_with_it, daemon=True).start()
