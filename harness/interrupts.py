"""Ctrl-C where pools of processes are at work: for this process alone, and between their calls."""

import multiprocessing.resource_tracker
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupts_for_this_process_alone() -> Iterator[None]:
    """Ctrl-C reaches a terminal's whole process group; those that are started in this block leave it to this process.

    So do those that its threads start later: threads and processes inherit what is blocked where they begin.
    """
    multiprocessing.resource_tracker.ensure_running()  # it would unblock what is blocked here
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def held_interrupts() -> Iterator[Callable[[], None]]:
    """Ctrl-C in this block is held until it is asked for, or until the block ends; a second one is not held.

    An interrupt in the middle of one of Dask's calls makes Dask cancel what it waits for. If it has not begun to wait
    yet, there is nothing to cancel, and it prints a traceback about that. In the middle of an executor's call it may
    leave the executor waiting for ever.

    Yields:
        Asks for it: raises KeyboardInterrupt if there was one.
    """
    usual = signal.getsignal(signal.SIGINT)
    if usual is not signal.default_int_handler or threading.current_thread() is not threading.main_thread():
        yield lambda: None  # it is ignored, or another's, or interrupts another thread
        return
    is_held = False

    def hold(number: int, frame: FrameType | None) -> None:
        nonlocal is_held
        if is_held:
            signal.default_int_handler(number, frame)
        is_held = True

    def ask() -> None:
        nonlocal is_held
        if is_held:
            is_held = False
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, hold)
    try:
        yield ask
    finally:
        signal.signal(signal.SIGINT, usual)
    ask()
