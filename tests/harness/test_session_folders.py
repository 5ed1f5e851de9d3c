"""Folders of sessions: one each, kept while the session lives, the oldest removed once they have ended."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from priot_hil.harness import sessions
from priot_hil.harness.locks import lock

NAME = "2026-01-02T03-04-05"
LIVE = """
import sys
from priot_hil.harness.sessions import session_folder
print(session_folder(), flush=True)
sys.stdin.read()
"""
MANY = """
import sys
from pathlib import Path
from priot_hil.harness import sessions
sessions.KEPT = 3
for _ in range(25):
    sessions.end_session(None)
    folder = sessions.session_folder()
    (folder / "transcript").write_text("x")
    print(folder, flush=True)
    assert (folder / "transcript").exists()
sys.stdin.read()
assert (folder / "transcript").read_text() == "x"
"""
Begin = Callable[[], Path]


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of all sessions, here; three are kept, and the clock stands."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sessions, "KEPT", 3)
    monkeypatch.setattr(sessions, "_current", None)
    monkeypatch.setattr(sessions, "_locks", {})
    set_clock(monkeypatch, NAME)
    return tmp_path / "sessions"


@pytest.fixture
def begin(base: Path) -> Begin:
    """Begins a session that ends at once."""

    def one() -> Path:
        earlier = sessions.use_session(None)
        folder = sessions.session_folder()
        sessions.end_session(earlier)
        assert folder not in sessions._locks
        return folder

    return one


@pytest.fixture
def start(base: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Starts a program in a process of its own."""
    started = []

    def run(program: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", program]
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


def set_clock(monkeypatch: pytest.MonkeyPatch, now: str) -> None:
    """Let sessions be called by this time."""
    monkeypatch.setattr("priot_hil.harness.sessions.time.strftime", lambda form, *_: now)


def named(base: Path) -> list[str]:
    """The folders there are."""
    return sorted(path.name for path in base.iterdir())


def test_sessions_of_one_second_have_folders_of_their_own(begin: Begin) -> None:
    """By the same name with a number behind it."""
    assert [begin().name for _ in range(3)] == [NAME, f"{NAME}-2", f"{NAME}-3"]


def test_old_sessions_are_removed(base: Path, begin: Begin) -> None:
    """The newest stay, those of a version without numbers go first, and whatever is no session stays."""
    for day in range(1, 7):
        (base / f"2025-01-0{day}T00-00-00").mkdir(parents=True)
    others = ("MyTranscripts", "2025-13-01T00-00-00", "2025-01-01T00-00-00.bak")
    for name in others:
        (base / name).mkdir()
    (base / "2024-01-01T00-00-00").touch()
    (base / "2024-01-02T00-00-00").symlink_to(base / "MyTranscripts")
    begin()
    stays = {*others, "2024-01-01T00-00-00", "2024-01-02T00-00-00"}
    assert set(named(base)) - stays == {"2025-01-05T00-00-00", "2025-01-06T00-00-00", NAME}
    assert stays <= set(named(base))


def test_a_clock_that_is_set_back_costs_no_newer_session(
    base: Path, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order in which sessions began decides, whatever time they had."""
    for year in ("2031", "2030", "2029", "2028", "2027"):
        set_clock(monkeypatch, f"{year}-01-01T00-00-00")
        begin()
    assert named(base) == [f"{year}-01-01T00-00-00" for year in ("2027", "2028", "2029")]


def test_a_session_that_lives_is_kept(base: Path, begin: Begin, start: Callable[[str], subprocess.Popen[str]]) -> None:
    """Through any number of newer ones, with all that is in it; killed, it is as old as it is."""
    process = start(LIVE)
    assert process.stdout is not None
    folder = Path(process.stdout.readline().strip())
    (folder / "quarantine").mkdir()
    (folder / "quarantine" / "a.txt").write_text("a board")
    for _ in range(10):
        begin()
    assert (folder / "quarantine" / "a.txt").read_text() == "a board"
    assert len(named(base)) == 1 + 3
    process.send_signal(signal.SIGKILL)
    process.wait()
    begin()
    assert not folder.exists()


def test_the_session_around_another_one_is_kept(base: Path, begin: Begin) -> None:
    """As where a test runs pytest: what is gone back to lives on, what is gone back from has ended."""
    outer = sessions.session_folder()
    inner = sessions.new_session()
    assert sessions.use_session(inner) == outer
    assert set(sessions._locks) == {outer, inner}
    sessions.end_session(outer)
    assert sessions.session_folder() == outer
    assert set(sessions._locks) == {outer}


def test_a_worker_keeps_the_session_when_its_controller_is_gone(
    base: Path, begin: Begin, start: Callable[[str], subprocess.Popen[str]]
) -> None:
    """Each process of a session has its own share of the lock."""
    controller = start(LIVE)
    assert controller.stdout is not None
    folder = Path(controller.stdout.readline().strip())
    worker = start(
        f"import pathlib, priot_hil.harness.sessions as s; s.use_session(pathlib.Path({str(folder)!r}))\n{LIVE}"
    )
    assert worker.stdout is not None
    assert worker.stdout.readline().strip() == str(folder)
    controller.kill()
    controller.wait()
    for _ in range(5):
        begin()
    assert folder.exists()


def test_a_folder_that_somebody_removed_is_made_again(base: Path, begin: Begin) -> None:
    """And is held again, so that it stays."""
    folder = sessions.session_folder()
    shutil.rmtree(base)
    path = sessions.new_file("/dev/ttyACM0", ".log")
    assert path == folder / "ttyACM0.log"
    for _ in range(5):
        begin()
    assert path.exists()


def test_sessions_that_begin_at_once_do_not_disturb_each_other(
    base: Path, start: Callable[[str], subprocess.Popen[str]]
) -> None:
    """A hundred of four processes: no two have one folder, and none is gone under its session."""
    processes = [start(MANY) for _ in range(4)]
    last = set()
    for process in processes:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(25)]
        last.add(lines[-1])
    assert len(last) == 4
    assert all(Path(folder, "transcript").exists() for folder in last)
    for process in processes:
        process.communicate()
        assert process.returncode == 0


def test_nobody_removes_a_session_before_it_is_marked(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the moment when its folder is made and the one when it is held, others that look for old ones wait."""
    hold, waiting = sessions._hold, []

    def look(folder: Path) -> None:
        descriptor = os.open(base, os.O_RDONLY)
        waiting.append(not lock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB))
        os.close(descriptor)
        hold(folder)

    monkeypatch.setattr(sessions, "_hold", look)
    sessions.new_session()
    assert waiting == [True]


def test_a_long_name_is_cut(base: Path, begin: Begin) -> None:
    """File systems take no more than 255 bytes."""
    path = sessions.new_file("socket://" + "h" * 500 + ":1", ".log")
    assert path.exists()
    assert len(path.name) < 100


def test_a_file_system_without_locks_keeps_all(base: Path, begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can tell then who lives, so nothing is removed."""

    def none(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("priot_hil.harness.locks.fcntl.flock", none)
    made = [begin() for _ in range(6)]
    assert all(path.is_dir() for path in made)
