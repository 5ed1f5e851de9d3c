"""Pools of boards under pytest and pytest-xdist: who has which, which is given up, and that nothing waits for ever."""

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

import serial_boards
from priot_hil.harness.boards_on_ports import NoBoard, open_pool
from priot_hil.harness.device_kinds import DeviceOptions
from priot_hil.harness.quarantine import Quarantine
from priot_hil.harness.transports.serial import SerialTransport

pytest_plugins = ("pytester",)

COUNT = 12
# Each test notes the board that it ran on; one of them kills it in the middle. They are so quick that one worker could
# run them all before the other has started, so that they wait for each other where that matters.
TESTS = """
    import json, os, pathlib, signal, time
    import pytest
    from hypothesis import given, settings, strategies as st
    from priot_hil.harness.protocol import CommandCode

    @pytest.mark.parametrize("number", range(12))
    @settings(max_examples=3, deadline=None)
    @given(drawn=st.booleans())
    def test_board(engine, number, drawn):
        with open("ran", "a") as file:
            file.write(json.dumps([number, engine.name, os.environ.get("PYTEST_XDIST_WORKER", "")]) + "\\n")
        pathlib.Path("here-" + os.environ.get("PYTEST_XDIST_WORKER", "")).touch()
        begin = time.monotonic()
        while "MEET" in os.environ and len(list(pathlib.Path().glob("here-*"))) < 2 and time.monotonic() < begin + 20:
            time.sleep(0.01)
        if str(number) == os.environ.get("KILL_IN"):
            os.kill(json.loads(os.environ["BOARDS"])[engine.name], signal.SIGKILL)
        engine.device.command(CommandCode.RESET, bytes(1))
"""


@dataclass
class Board:
    """A board in a process of its own."""

    process: subprocess.Popen[str]
    path: str


@pytest.fixture
def boards() -> Iterator[list[Board]]:
    """Two boards; behind each port is the firmware as a process."""
    command = [sys.executable, serial_boards.__file__, "process"]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    made = []
    for process in started:
        assert process.stdout is not None
        made.append(Board(process, process.stdout.readline().strip()))
    yield made
    for process in started:
        process.kill()
        process.communicate()


RunTests = Callable[..., pytest.RunResult]


@pytest.fixture
def run(pytester: pytest.Pytester, boards: list[Board], monkeypatch: pytest.MonkeyPatch) -> RunTests:
    """Runs the tests on boards in a pytest of its own: `run(devices, option...)`."""
    pytester.makepyfile(TESTS)
    monkeypatch.setenv("BOARDS", json.dumps({board.path: board.process.pid for board in boards}))

    def on(devices: str, *arguments: str) -> pytest.RunResult:
        command = ("--any-build", "--junitxml=junit.xml", "-p", "no:cacheprovider", f"--device={devices}", *arguments)
        return pytester.runpytest_subprocess(*command, timeout=300)

    return on


def ran() -> list[tuple[int, str, str]]:
    """Test, board and worker, once for each test that ran, in their order."""
    return list(dict.fromkeys(tuple(json.loads(line)) for line in Path("ran").read_text().splitlines()))


@pytest.mark.slow
def test_each_worker_has_a_board_of_its_own(
    run: RunTests, boards: list[Board], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of two: no board is shared, and each test ran once."""
    monkeypatch.setenv("MEET", "1")
    result = run("+".join(board.path for board in boards), "-n", "2")
    result.assert_outcomes(passed=COUNT)
    used = defaultdict(set)
    for _, board, worker in ran():
        used[worker].add(board)
    assert sorted(map(sorted, used.values())) == sorted([board.path] for board in boards)
    assert sorted(number for number, _, _ in ran()) == list(range(COUNT))


@pytest.mark.slow
def test_workers_without_a_board_wait(run: RunTests, boards: list[Board]) -> None:
    """One board for all: it is handed on when its worker has nothing left, and nothing hangs."""
    result = run(boards[0].path, "-n", "2")
    result.assert_outcomes(passed=COUNT)
    result.stdout.fnmatch_lines([f"{boards[0].path}: 1 for 2 workers, of which some wait until one is free"])
    assert {board for _, board, _ in ran()} == {boards[0].path}


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "workers"])
def test_a_lost_board_is_given_up(
    run: RunTests, boards: list[Board], monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    """The test is not asked again and has no verdict; the others run on the other board; the cause is told."""
    monkeypatch.setenv("KILL_IN", "3")
    if options:
        monkeypatch.setenv("MEET", "1")
    pool = "+".join(board.path for board in boards)
    result = run(pool, *options)
    result.assert_outcomes(passed=COUNT - 1, failed=1)
    ((_, lost, _),) = (entry for entry in ran() if entry[0] == 3)
    (other,) = {board.path for board in boards} - {lost}
    tests = Counter(board for _, board, _ in ran())
    assert tests[lost] + tests[other] == COUNT
    assert not options or tests[other] > 1
    result.stdout.fnmatch_lines(
        [
            f"*no verdict, the device was lost: {lost} is gone (*transcript: *.log",
            f"{pool}: 11 passed, 1 no verdict, device lost; on *",
            f"given up: {lost}: {lost} is gone (*transcript: *.log (in *test_board*3*)",
        ]
    )
    transcript = result.stdout.str().partition("transcript: ")[2].split()[0]
    assert "hello 0 session" in Path(transcript).read_text()
    cases = {str(case.get("name")): case for case in ElementTree.parse("junit.xml").iter("testcase")}
    assert len(cases) == COUNT
    for name, case in cases.items():
        properties = {entry.get("name"): entry.get("value") for entry in case.iter("property")}
        assert properties["device"] == pool, name
        assert properties["board"] in (lost, other)
        assert len(bytes.fromhex(properties["build_id"] or "")) == 20
        assert len(bytes.fromhex(properties["board_id"] or "")) == 8
        assert ("infrastructure" in properties) == (case.find("failure") is not None) == ("-3]" in name)


@pytest.mark.slow
def test_without_a_board_tests_end_at_once(run: RunTests, boards: list[Board], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same sentence with the cause for each of them."""
    monkeypatch.setenv("KILL_IN", "3")
    result = run(boards[0].path)
    result.assert_outcomes(passed=3, failed=1, errors=COUNT - 4)
    path = boards[0].path
    said = result.stdout.str()
    assert said.count(f"\nno board left of {path}: {path} given up: {path} is gone (") == COUNT - 4
    assert {number for number, _, _ in ran()} == {0, 1, 2, 3}


def test_a_board_of_the_same_session_is_waited_for(boards: list[Board], tmp_path: Path) -> None:
    """Until its holder lets go of it, where the session remembers; an opening on its own does not wait."""
    held = SerialTransport(boards[0].path, 115200)
    pool = (boards[0].path, "/dev/no-such-port")
    with pytest.raises(NoBoard, match=rf"{boards[0].path} held by .*\(pid {os.getpid()}, since"):
        open_pool(pool, DeviceOptions(any_build=True))
    begin = time.monotonic()
    threading.Timer(0.5, held.close).start()
    open_pool(pool, DeviceOptions(any_build=True, quarantine=Quarantine(tmp_path / "quarantine"))).close()
    assert time.monotonic() - begin > 0.5


@pytest.mark.slow
def test_a_board_that_others_hold_is_passed_over(run: RunTests, boards: list[Board]) -> None:
    """The pool's other one is taken; asked for by itself, the session ends with status 2 and names the holder."""
    held = SerialTransport(boards[0].path, 115200)
    run("+".join(board.path for board in boards)).assert_outcomes(passed=COUNT)
    assert {board for _, board, _ in ran()} == {boards[1].path}
    result = run(boards[0].path)
    assert result.ret == 2
    said = result.stdout.str() + result.stderr.str()
    assert f"error: no board left of {boards[0].path}: {boards[0].path} held by " in said
    assert f"(pid {os.getpid()}, since " in said
    held.close()


@pytest.mark.slow
def test_a_pool_remembers_what_it_gave_up(boards: list[Board], tmp_path: Path) -> None:
    """The cause of each, told when none is left; without a memory the next opening tries again."""
    missing = ("/dev/no-such-port", "serial:no-such-number")
    quarantine = Quarantine(tmp_path / "quarantine")
    options = DeviceOptions(any_build=True, quarantine=quarantine)
    open_pool((*missing, boards[0].path), options).close()
    assert list(quarantine.causes()) == [*missing]
    quarantine.add(boards[0].path, "a reason")
    quarantine.add(boards[0].path, "another")
    with pytest.raises(NoBoard) as caught:
        open_pool((boards[0].path, missing[0]), options)
    assert f"no board left of {boards[0].path}+{missing[0]}: {boards[0].path} given up: a reason; " in str(caught.value)
    open_pool((missing[0], boards[0].path), DeviceOptions(any_build=True)).close()
