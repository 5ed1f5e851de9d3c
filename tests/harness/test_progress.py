"""What people see of long work: lines or a bar on standard error, and nothing of quick work."""

import io
import os
import pty
import re
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from rich.console import Console

from priot_hil.harness import progress
from priot_hil.harness.progress import Arriving, Timed, counted, shown, track
from priot_hil.harness.progress_display import Bar, Lines, duration, is_for_bars

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


class Clock:
    """Seconds that pass where a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Now."""
        return self.now


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """It is."""
        return True


@pytest.fixture
def clock() -> Clock:
    """A clock."""
    return Clock()


def lines_of(clock: Clock, steps: int, seconds: float, kept: int = 0) -> list[str]:
    """What is said of so many steps of so many seconds, by somebody who looks four times a second."""
    stream = io.StringIO()
    work = progress.Work("epochs", {None: progress.Part(steps, kept)}, clock=clock)
    lines = Lines(work, stream, clock)
    for _ in range(steps - kept):
        end = clock.now + seconds
        while clock.now + 0.25 < end:
            clock.now += 0.25
            lines.tick()
        clock.now = end
        work.advance()
    lines.close(is_whole=True)
    return stream.getvalue().splitlines()


@pytest.mark.parametrize(("steps", "seconds"), [(1, 1.9), (190, 0.01), (3, 0.6)])
def test_quick_work_says_nothing(clock: Clock, steps: int, seconds: float) -> None:
    """Not even that it is done."""
    assert lines_of(clock, steps, seconds) == []


def test_lines_say_how_far_it_is_and_what_is_left(clock: Clock) -> None:
    """An estimate as soon as there is one, then one now and then, and the end."""
    said = lines_of(clock, 10, 6.0)
    assert said[0] == "[0/10] epochs: estimating"
    assert said[1] == "[1/10] epochs: about 55 s left"
    assert said[2] == "[2/10] epochs: about 45 s left"
    assert said[-1] == "[10/10] epochs: done in 60 s"
    assert len(said) == 8


def test_the_first_estimate_waits_for_nothing(clock: Clock) -> None:
    """Half a second an epoch: it is there after two seconds."""
    assert lines_of(clock, 100, 0.5)[0] == "[4/100] epochs: about 50 s left"


def test_lines_become_rare(clock: Clock) -> None:
    """Never two within ten seconds but for the first ones, and at least one a minute."""
    said = len(lines_of(clock, 100, 36.0))
    assert 3_600 / 60 <= said <= 3_600 / 60 + 60


def test_what_was_kept_is_counted(clock: Clock) -> None:
    """And the estimate is that of the rest."""
    assert lines_of(clock, 1000, 3.0, kept=990)[0] == "[991/1,000] epochs: about 25 s left"


def test_work_that_stops_says_so(clock: Clock) -> None:
    """With what was done; the line is whole."""
    stream = io.StringIO()
    lines = Lines(progress.Work("runs", {None: progress.Part(9)}, clock=clock), stream, clock)
    clock.now += 5
    lines.tick()
    lines.close(is_whole=False)
    assert stream.getvalue() == "[0/9] runs: estimating\n[0/9] runs: stopped after 5 s\n"


def test_work_without_an_end_says_what_is_done(clock: Clock) -> None:
    """So far."""
    stream = io.StringIO()
    work = progress.Work("cases", None, clock=clock)
    lines = Lines(work, stream, clock)
    work.advance(12_345)
    clock.now += 5
    lines.tick()
    assert stream.getvalue() == "[12,345] cases: so far\n"


def test_bytes_are_told_as_megabytes(clock: Clock) -> None:
    """Of a download."""
    stream = io.StringIO()
    work = progress.Work("fetching it", {None: progress.Part(64_600_000)}, "bytes", clock)
    lines = Lines(work, stream, clock)
    clock.now += 4
    work.advance(8_000_000)
    lines.tick()
    assert stream.getvalue() == "[8.0/64.6 MB] fetching it: about 30 s left\n"


def test_a_time_that_was_asked_for_counts_down(clock: Clock) -> None:
    """There is nothing to be estimated."""
    stream = io.StringIO()
    lines = Lines(Timed("fuzzing frames", 60, clock), stream, clock)
    for _ in range(16):
        clock.now += 1
        lines.tick()
    assert stream.getvalue().splitlines() == [
        "[2/60 s] fuzzing frames: about 60 s left",
        "[12/60 s] fuzzing frames: about 50 s left",
    ]
    clock.now += 100
    assert Timed("x", 60, clock).left() == 60


def test_a_file_that_another_program_fetches(clock: Clock, tmp_path: Path) -> None:
    """Is the largest one, wherever it lies."""
    file = Arriving("fetching it", tmp_path, 1000, clock)
    assert (file.done, file.left()) == (0, None)
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp" / "part").write_bytes(bytes(250))
    (tmp_path / "log").write_bytes(bytes(9))
    clock.now += 2
    assert (file.done, file.left(), file.share()) == (250, 6.0, 0.25)
    (tmp_path / "whole").write_bytes(bytes(2000))
    assert (file.done, file.left(), file.share()) == (1000, 0.0, 1.0)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (0.2, "1 s"),
        (19.1, "20 s"),
        (42, "40 s"),
        (89, "90 s"),
        (91, "2 min"),
        (3_600, "60 min"),
        (5_400, "1 h 30 min"),
        (100_000, "27 h 47 min"),
        (300_000, "3 days"),
    ],
)
def test_a_duration_is_as_exact_as_an_estimate(seconds: float, said: str) -> None:
    """In words."""
    assert duration(seconds) == said


def test_a_bar_on_a_terminal(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Count, time and what is left in one line; what is printed stands above it; nothing of it stays."""
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", terminal)
    console = Console(width=100)  # as commands have one, opened before there is a bar
    work = progress.Work("epochs", {None: progress.Part(10)}, clock=clock)
    bar = Bar(work, terminal, clock)
    clock.now += 1
    bar.tick()
    assert terminal.getvalue() == ""
    clock.now += 5
    work.advance()
    bar.tick()
    console.print("a line of the command")
    print("another", end="")
    bar.close(is_whole=False)
    assert sys.stdout is terminal
    text = terminal.getvalue()
    assert "epochs" in text
    assert "1/10" in text
    assert "0:00:06" in text
    assert "about 55 s left" in text
    screen = rendered(text)
    assert screen == ["a line of the command", "another"]
    assert "\x1b[?25h" in text[text.rindex("\x1b[?25l") :]  # the cursor is to be seen again


def test_a_bar_leaves_a_file_alone(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard output may be one while standard error is a terminal; what goes to either stays apart."""
    terminal, file = Terminal(), io.StringIO()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(sys, "stdout", file)
    bar = Bar(progress.Work("epochs", {None: progress.Part(10)}, clock=clock), terminal, clock)
    clock.now += 5
    bar.tick()
    print("the result")
    print("a word to the user", file=sys.stderr)
    bar.close(is_whole=True)
    assert (sys.stdout, sys.stderr) == (file, terminal)
    assert file.getvalue() == "the result\n"
    assert rendered(terminal.getvalue()) == ["a word to the user"]


def rendered(text: str) -> list[str]:
    """The lines that a terminal shows in the end, by the few control sequences that a bar takes."""
    lines, row, column = [""], 0, 0
    for match in re.finditer(r"\x1b\[(\??[\d;]*)([A-Za-z])|(\r)|(\n)|([^\x1b\r\n]+)", text):
        number, letter, back, newline, plain = match.groups()
        if letter == "A":
            row -= int(number or 1)
        elif letter == "K":
            lines[row] = "" if number == "2" else lines[row][:column]
        elif back:
            column = 0
        elif newline:
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif plain:
            lines[row] = lines[row][:column].ljust(column) + plain + lines[row][column + len(plain) :]
            column += len(plain)
    return [line.rstrip() for line in lines if line.strip()]


@pytest.mark.parametrize(("name", "is_bar"), [("xterm", True), ("dumb", False), ("unknown", False), ("DUMB", False)])
def test_a_terminal_that_cannot_draw_gets_lines(monkeypatch: pytest.MonkeyPatch, name: str, is_bar: bool) -> None:
    """As a file does, whatever it is called."""
    monkeypatch.setenv("TERM", name)
    assert is_for_bars(Terminal()) == is_bar
    assert not is_for_bars(io.StringIO())


def test_tests_see_nothing(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless they ask for it by a stream."""
    monkeypatch.setattr("priot_hil.harness.progress_display.QUIET_SECONDS", 0.0)
    with shown(counted("runs", 2)) as work:
        work.advance()
        time.sleep(0.4)
    assert capfd.readouterr() == ("", "")
    stream = io.StringIO()
    with shown(counted("runs", 2), stream) as work:
        work.advance()
        time.sleep(0.4)
    assert stream.getvalue().startswith("[1/2] runs: about ")


def test_work_within_work_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """In whatever thread."""
    monkeypatch.setattr("priot_hil.harness.progress_display.QUIET_SECONDS", 0.0)
    outer, inner = io.StringIO(), io.StringIO()

    def within() -> None:
        with shown(counted("files", 2), inner) as work:
            work.advance()
            time.sleep(0.3)

    with shown(counted("runs", 2), outer) as work:
        work.advance()
        thread = threading.Thread(target=within)
        thread.start()
        thread.join()
    assert outer.getvalue()
    assert inner.getvalue() == ""
    within()
    assert inner.getvalue()


def test_elements_are_counted_as_they_are_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """One is done when the next is asked for."""
    works = []
    monkeypatch.setattr(progress, "counted", lambda *arguments: works.append(counted(*arguments)) or works[-1])
    with track(iter("abc"), "letters", 3) as letters:
        seen = [(letter, works[0].done, works[0].total) for letter in letters]
    assert seen == [("a", 0, 3), ("b", 1, 3), ("c", 2, 3)]
    assert works[0].done == 3
    with track([1, 2], "numbers") as numbers:
        assert list(numbers) == [1, 2]
    assert works[1].total == 2


def test_nobody_reads(clock: Clock) -> None:
    """The work goes on."""
    work = progress.Work("runs", {None: progress.Part(9)}, clock=clock)
    read, write = os.pipe()
    os.close(read)
    with suppress(BrokenPipeError), os.fdopen(write, "w") as stream:
        lines = Lines(work, stream, clock)
        clock.now += 5
        lines.tick()
        lines.close(is_whole=True)
        work.advance()
    assert work.done == 1


COMMAND = """
import sys, time
from priot_hil.harness import progress_display
from priot_hil.harness.progress import counted, shown
progress_display.QUIET_SECONDS = 0.1
with shown(counted("runs", 4)) as work:
    for number in range(4):
        deadline = time.monotonic() + 10
        while number == 1 and sys.stdout.isatty() and sys.stdout is sys.__stdout__ and time.monotonic() < deadline:
            time.sleep(0.1)  # until there is a bar
        time.sleep(0.35)
        work.advance()
        print("run", number, flush=True)
        if sys.argv[1] == "interrupted" and number == 2:
            raise KeyboardInterrupt
print("the result")
"""


def untested(**variables: str) -> dict[str, str]:
    """The environment of a process that does not know that it is a test's."""
    tested = ("PYTEST_VERSION", "PYTEST_CURRENT_TEST")
    return {name: value for name, value in os.environ.items() if name not in tested} | {"TERM": "xterm"} | variables


def test_a_pipe_gets_lines_and_standard_output_the_result() -> None:
    """No control character, whatever the environment asks for."""
    command, environment = [sys.executable, "-c", COMMAND, "whole"], untested(FORCE_COLOR="1", TTY_COMPATIBLE="1")
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert done.stdout == "run 0\nrun 1\nrun 2\nrun 3\nthe result\n"
    assert re.fullmatch(r"(\[\d/4\] runs: about \d+ s left\n)+\[4/4\] runs: done in \d+ s\n", done.stderr)
    assert not CONTROL.search(done.stderr)


@pytest.mark.parametrize(("how", "colour"), [("whole", True), ("interrupted", False)])
def test_a_terminal_is_left_clean(how: str, colour: bool) -> None:
    """What was printed is there in whole lines, and nothing of the bar, after Ctrl-C too."""
    environment = untested() if colour else untested(NO_COLOR="1")
    text = on_a_terminal(sys.executable, "-c", COMMAND, how, environment=environment)
    assert re.search(r"about \d+ s left", text)
    expected = ["run 0", "run 1", "run 2"] + (["run 3", "the result"] if how == "whole" else [])
    assert rendered(text)[: len(expected)] == expected
    assert how == "interrupted" or rendered(text) == expected
    assert ("\x1b[38" in text or "\x1b[3" in text) == colour


def on_a_terminal(*command: str, environment: dict[str, str]) -> str:
    """All that a command writes on a terminal."""
    own, other = pty.openpty()
    process = subprocess.Popen(command, stdin=other, stdout=other, stderr=other, env=environment)
    os.close(other)
    parts = []
    try:
        while data := os.read(own, 4096):
            parts.append(data)
    except OSError:  # how Linux says that the other side is closed
        pass
    process.wait(30)
    os.close(own)
    return b"".join(parts).decode()
