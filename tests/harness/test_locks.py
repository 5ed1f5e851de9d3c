"""Locks on folders: one process or thread at a time, whoever waits is told so, and no file is left."""

import fcntl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from priot_hil.harness.locks import alone_in

HOLD = """
import sys
from pathlib import Path
from priot_hil.harness.locks import alone_in
with alone_in(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_at_a_time(tmp_path: Path) -> None:
    """Of many threads; nothing is left behind."""
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        with alone_in(tmp_path) as is_alone:
            assert is_alone
            inside += 1
            most = max(most, inside)
            time.sleep(0.01)
            inside -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert not list(tmp_path.iterdir())


def test_a_process_that_is_killed_holds_nothing(tmp_path: Path) -> None:
    """Until then the wait is told."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    waited = []
    with alone_in(tmp_path, lambda: (waited.append(1), holder.kill())) as is_alone:  # type: ignore[arg-type, func-returns-value]
        assert is_alone
    assert waited == [1]
    holder.communicate()


def test_without_locks_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The block runs all the same."""

    def none(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    with alone_in(tmp_path) as is_alone:
        assert not is_alone
