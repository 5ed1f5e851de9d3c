"""Ctrl-C that is held back between the calls of a library, and let through when it is asked for."""

import signal
import threading
from unittest.mock import Mock

import pytest

from priot_hil.harness.interrupts import held_interrupts
from priot_hil.reproductions import cluster


def press_ctrl_c():
    """As a terminal does; the handler runs before this returns."""
    signal.raise_signal(signal.SIGINT)


def hold_while(*steps):
    """A block that goes through some steps."""
    with held_interrupts():
        for step in steps:
            step()


@pytest.fixture(autouse=True)
def usual_handler():
    """Python's own, which tests in the background are started without."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def test_it_comes_when_it_is_asked_for_and_once(usual_handler):
    """Not where it was pressed; then all is as it was."""
    with held_interrupts() as ask:
        ask()
        press_ctrl_c()
        with pytest.raises(KeyboardInterrupt):
            ask()
        ask()
        press_ctrl_c()  # held again, as the first was
        with pytest.raises(KeyboardInterrupt):
            ask()
    assert signal.getsignal(signal.SIGINT) is usual_handler


def test_one_that_nobody_asks_for_comes_at_the_end():
    """Behind the last line of the block."""
    last = Mock()
    with pytest.raises(KeyboardInterrupt):
        hold_while(press_ctrl_c, last)
    last.assert_called_once()


def test_the_second_is_not_held(usual_handler):
    """Whatever does not come back can be left."""
    last = Mock()
    with pytest.raises(KeyboardInterrupt):
        hold_while(press_ctrl_c, press_ctrl_c, last)
    last.assert_not_called()
    assert signal.getsignal(signal.SIGINT) is usual_handler


def test_what_ended_the_block_is_what_is_told():
    """It is not hidden by a Ctrl-C that came before it."""
    with pytest.raises(ValueError, match="of the block"):
        hold_while(press_ctrl_c, Mock(side_effect=ValueError("of the block")))


def test_where_it_is_ignored_or_another_s_it_stays_so():
    """A command in the background is not to be interrupted, and a handler of somebody's is not to be replaced."""
    for handler in (signal.SIG_IGN, Mock()):
        signal.signal(signal.SIGINT, handler)
        with held_interrupts() as ask:
            assert signal.getsignal(signal.SIGINT) is handler
            press_ctrl_c()
            ask()
    handler.assert_called_once()


def test_other_threads_hold_nothing_back():
    """They are never interrupted, and may set no handler."""
    asked = []

    def hold():
        with held_interrupts() as ask:
            ask()
            asked.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=hold)
    thread.start()
    thread.join()
    assert asked == [signal.default_int_handler]


def test_waiting_for_tasks_ends_before_it_comes(monkeypatch):
    """Dask is not interrupted in the middle of its call."""
    ended = []

    def wait(*_):
        press_ctrl_c()
        ended.append("waiting")

    monkeypatch.setattr(cluster, "wait", wait)
    with held_interrupts() as ask:
        workers = cluster.Workers(Mock(), {}, "start one", ask)
        with pytest.raises(KeyboardInterrupt):
            workers.finished([Mock()])
    assert ended == ["waiting"]
