"""Campaigns over a bad line: gone on with, kept aside where they are another one, and never lost."""

import json
import subprocess
import sys
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from priot_hil.harness import chaos
from priot_hil.harness.chaos_results import Campaign, Tally, read_chunks, write_chunks
from priot_hil.reference.errors import InputError

CAMPAIGN = Campaign("process", "ab" * 20, 1, 10)


class Here:
    """A pool that performs everything here and at once, until it is interrupted."""

    left: int | None = None

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def submit(self, function: Any, *arguments: object) -> "Future[Any]":
        """Performs it."""
        future: Future[Any] = Future()
        if Here.left == 0:
            future.set_exception(KeyboardInterrupt())
        else:
            Here.left = None if Here.left is None else Here.left - 1
            future.set_result(function(*arguments))
        return future

    def shutdown(self, **_: object) -> None:
        """Nothing is left."""


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[bytes]:
    """The build id that the device says it has; chunks are counted in a moment, and it is noted which."""
    build_id, performed = [b"\xab" * 20], list[int]()

    class Device:
        def close(self) -> None:
            pass

    def run_chunk(campaign: Campaign, index: int) -> tuple[int, Tally]:
        performed.append(index)
        return index, Tally(runs=100, exact=100, retries=index)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(chaos, "open_under_fire", lambda _: (Device(), build_id[0]))
    monkeypatch.setattr(chaos, "run_chunk", run_chunk)
    monkeypatch.setattr(chaos, "ProcessPoolExecutor", Here)
    monkeypatch.setattr(chaos, "performed", performed, raising=False)
    monkeypatch.setattr(Here, "left", None)
    return build_id


def performed() -> list[int]:
    """The chunks that have been performed since this was asked."""
    noted: list[int] = vars(chaos)["performed"]
    found = list(noted)
    noted.clear()
    return found


@pytest.mark.usefixtures("build")
def test_an_interrupted_campaign_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also to more runs than were asked for before; what is done is not done again."""
    monkeypatch.setattr(Here, "left", 2)
    with pytest.raises(KeyboardInterrupt):
        chaos.chaos(500, "process", 1)
    assert performed() == [0, 1]
    monkeypatch.setattr(Here, "left", None)
    assert chaos.chaos(500, "process", 1) == 0
    assert sorted(performed())[-3:] == [2, 3, 4]
    assert chaos.chaos(700, "process", 1) == 0
    assert performed() == [5, 6]
    assert [path.name for path in Path("results").iterdir()] == ["chaos-process.json"]


@pytest.mark.parametrize("change", ["seed", "faults", "build", "device"])
def test_another_campaign_s_hours_are_kept(build: list[bytes], change: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Under a name that is said; and going back begins from nothing, but loses nothing either."""
    out = Path("one.json")
    chaos.chaos(300, "process", 1, out=out)
    before = out.read_bytes()
    performed()
    if change == "build":
        build[0] = b"\xcd" * 20
    device, seed, faults = "process", 1, 10
    if change == "device":
        device = "emulator"
    elif change == "seed":
        seed = 2
    elif change == "faults":
        faults = 3
    chaos.chaos(200, device, seed, faults, out)
    assert performed() == [0, 1]
    assert Path("one-earlier-1.json").read_bytes() == before
    said = " ".join(capsys.readouterr().out.split())
    assert "one.json holds another campaign" in said
    assert "it is kept as one-earlier-1.json." in said
    assert len(read_chunks(Path("one-earlier-1.json"), CAMPAIGN) or {}) == 3
    chaos.chaos(100, "process", 5, out=out)
    assert Path("one-earlier-2.json").exists()
    assert Path("one-earlier-1.json").read_bytes() == before


@pytest.mark.parametrize(
    "content", ["# Notes\n", "{}", '{"campaign": {}}', "[]", '{"campaign": 1, "total": 1, "chunks"']
)
@pytest.mark.usefixtures("build")
def test_what_is_no_campaign_is_refused(content: str) -> None:
    """Before anything is performed, as one that was cut short; it stays as it is."""
    path = Path("notes.json")
    path.write_text(content)
    with pytest.raises(
        InputError, match="a new name for a campaign of chaos, or an earlier one, got a file that is none"
    ):
        chaos.chaos(100, "process", 1, out=path)
    assert path.read_text() == content
    assert performed() == []


@pytest.mark.parametrize("chunks", [{"x": {}}, {"0": {}}, {"0": 1}, [], 1])
def test_a_damaged_campaign_is_refused(tmp_path: Path, chunks: object) -> None:
    """Rather than begun again from nothing."""
    path = tmp_path / "chaos.json"
    write_chunks(path, CAMPAIGN, {0: Tally(runs=100, exact=100)})
    content = json.loads(path.read_text()) | {"chunks": chunks}
    path.write_text(json.dumps(content))
    with pytest.raises(
        InputError, match=r"chaos\.json: .*expected .*, got .*; (give it another name|restore the file)"
    ):
        read_chunks(path, CAMPAIGN)


def test_an_empty_file_is_a_new_one(tmp_path: Path) -> None:
    """As `mktemp` makes it."""
    path = tmp_path / "chaos.json"
    assert read_chunks(path, CAMPAIGN) == {}
    path.touch()
    assert read_chunks(path, CAMPAIGN) == {}
    write_chunks(path, CAMPAIGN, {7: Tally(runs=100, exact=100)})
    assert read_chunks(path, CAMPAIGN) == {7: Tally(runs=100, exact=100)}


def test_an_unknown_device(tmp_path: Path) -> None:
    """Before anything is built or written."""
    with pytest.raises(InputError, match="device of chaos: expected process or emulator, got 'board'"):
        chaos.chaos(1, "board", 0, out=tmp_path / "chaos.json")


PARENT = """
import os, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from priot_hil.harness.chaos import begin_worker

if __name__ == "__main__":
    pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=begin_worker)
    print(pool.submit(os.getpid).result(), flush=True)  # the worker has begun
    time.sleep(60)
"""


def test_workers_end_with_a_campaign_that_was_killed(tmp_path: Path) -> None:
    """Nobody could give them work any more."""
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline()
        parent.kill()
        parent.communicate(timeout=20)  # its output, which the worker has open too, comes to an end
