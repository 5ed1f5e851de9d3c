"""The fuzzer finds what is planted, and what it found once is never found again."""

import re
from pathlib import Path

import pytest

from priot_hil.harness.clang import find_fuzzing_clang, require_fuzzing_clang
from priot_hil.harness.coverage.counts import parse
from priot_hil.harness.firmware import HostFirmware
from priot_hil.harness.fuzz.campaign import CAPSULES, FINDS, fuzz
from priot_hil.harness.fuzz.coverage import Lines, lines_of
from priot_hil.harness.fuzz.dictionary import dictionary
from priot_hil.harness.fuzz.records import Record, Way, pack, unpack
from priot_hil.harness.fuzz.replay import PromiseBroken, replay_commands, replay_frames
from priot_hil.harness.fuzz.seeds import write_seeds
from priot_hil.harness.protocol import CommandCode
from priot_hil.reference.errors import InputError


@pytest.mark.parametrize("path", sorted(FINDS.rglob("*.bin")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_finds_stay_mended(path: Path) -> None:
    """Each input that once broke the firmware, on the ordinary host process."""
    if path.parent.name == "frames":
        replay_frames(path.read_bytes())
    else:
        replay_commands(unpack(path.read_bytes()))


def test_records_are_read_as_they_were_written() -> None:
    """A list of requests goes through its bytes; bytes that end early give what is there."""
    records = [Record(CommandCode.LOAD, b"\1\2\3"), Record(CommandCode.HELLO), Record(200, b"x", Way.CUT)]
    data = pack(records)
    assert unpack(data) == records
    assert unpack(data[:7]) == [Record(CommandCode.LOAD, b"\1\2")]
    assert unpack(b"") == []


def test_seeds_are_runs_that_break_no_promise(host: HostFirmware, tmp_path: Path) -> None:
    """Both targets start from real requests: framed anew by the replay they are all accepted."""
    assert host.library is not None
    folders = {name: tmp_path / name for name in ("frames", "commands")}
    write_seeds(host.library, CAPSULES, folders)
    frames, commands = (sorted(folders[name].iterdir()) for name in ("frames", "commands"))
    assert len(frames) == len(commands) > 40
    sent = {record.command for path in commands for record in unpack(path.read_bytes())}
    assert set(CommandCode) <= sent
    replay_frames(frames[0].read_bytes())


def test_replay_sees_a_refusal_that_leaves_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that changes the state, were it refused, is named."""
    from priot_hil.harness.fuzz import replay

    records = [Record(CommandCode.LOAD), Record(CommandCode.STATE)]
    real = replay._answers

    def answers(given: list[Record]) -> list[tuple[int, bytes] | None]:
        return [(0, b"") if given[0] != records[0] else answer for answer in real(given)]

    monkeypatch.setattr(replay, "_answers", answers)
    with pytest.raises(PromiseBroken, match="request 0, refused with status 3, changed the answer to request 1"):
        replay_commands(records)


def test_dictionary_follows_the_protocol() -> None:
    """Every command's code is a word, in libFuzzer's form."""
    words = dictionary().splitlines()
    assert {f'"\\x{code:02x}"' for code in CommandCode} <= set(words)
    assert all(re.fullmatch(r'"(\\x[0-9a-f]{2})+"', word) for word in words)


def test_missing_fuzzer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no clang has libFuzzer, a sentence says what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    find_fuzzing_clang.cache_clear()
    with pytest.raises(InputError, match=r"preset fuzz: expected a clang on the PATH that links libFuzzer, got none"):
        require_fuzzing_clang("fuzz")
    find_fuzzing_clang.cache_clear()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((0,), "seconds: expected 1 or more"),
        ((1, "bytes"), "target: expected"),
        ((1, None, "host"), "preset: expected"),
    ],
)
def test_wrong_options_are_refused(options: tuple[int, str | None, str], said: str) -> None:
    """Before anything is built."""
    with pytest.raises(InputError, match=said):
        fuzz(*options)


def test_lines_are_counted_by_source() -> None:
    """Lines of link and engine by source, with those that nothing reached; other rooms are left out."""
    lcov = "SF:/a/link/x.c\nDA:1,5\nDA:2,0\nend_of_record\nSF:/a/kernels/y.c\nDA:1,0\nend_of_record\n"
    counts = parse(lcov, {"data": [{"functions": [], "files": []}]}, {"link/x.c": ["int x;", "int y;"]})
    assert lines_of(counts) == {"link/x.c": Lines(2, (2,))}
