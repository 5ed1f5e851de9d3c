"""By-products that cannot be kept: said once, and no verdict is lost over them."""

import errno
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest
from unwritable import unwritable

from priot_hil.harness import byproducts, devices, sessions
from priot_hil.harness.byproducts import by_product
from priot_hil.harness.capsule import read_capsule
from priot_hil.harness.device import LinkDevice
from priot_hil.harness.devices import FlashFile, open_process
from priot_hil.harness.errors import LinkLost
from priot_hil.harness.failures import blaming, current, keep
from priot_hil.harness.files import own_file_stem, write_aside
from priot_hil.harness.firmware import build
from priot_hil.harness.outputs import check_folder
from priot_hil.harness.quarantine import Quarantine
from priot_hil.harness.replay_command import replay_capsule
from priot_hil.harness.transcript import Transcript
from priot_hil.reference.errors import InputError
from serial_boards import golden

pytest_plugins = ("pytester",)

built = functools.cache(build)
NUMBERS = [errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EIO]


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is said of by-products, in a session of this test's own."""
    sentences: list[str] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sessions, "_current", None)
    monkeypatch.setattr(byproducts, "_said", set())
    earlier = byproducts.use_listener(sentences.append)
    yield sentences
    byproducts.use_listener(earlier)


@pytest.mark.parametrize("number", NUMBERS, ids=errno.errorcode.get)
def test_a_by_product_is_missed_once(said: list[str], number: int) -> None:
    """In a sentence with the system's reason; a second folder has a sentence of its own."""
    for folder in ("a", "a", "b"):
        with by_product("caches", Path(folder)):
            raise OSError(number, "as the system says it", "file")
    sentence = "caches are not kept in {} (as the system says it); the work goes on without them"
    assert said == [sentence.format("a"), sentence.format("b")]


def test_other_errors_pass(said: list[str]) -> None:
    """A bug, or bad input, is no disk."""
    for error in (ValueError("x"), InputError("x")):
        with pytest.raises(type(error)), by_product("caches", Path("a")):
            raise error
    with by_product("caches", Path("a")):  # but the sentence that a disk has led to is one
        write_aside(Path(__file__) / "below", "")
    assert len(said) == 1


def test_without_a_listener_it_goes_to_standard_error(capsys: pytest.CaptureFixture[str], said: list[str]) -> None:
    """As a note; standard output is the command's."""
    earlier = byproducts.use_listener(None)
    with by_product("caches", Path("a")):
        raise OSError(errno.ENOSPC, "full")
    byproducts.use_listener(earlier)
    assert capsys.readouterr() == ("", "note: caches are not kept in a (full); the work goes on without them\n")
    assert not said


@pytest.mark.parametrize(
    ("number", "after"), [(errno.EROFS, 0), (errno.EACCES, 0), *((errno.ENOSPC, after) for after in range(4))]
)
def test_replay_ends_equal(
    said: list[str], tmp_path: Path, number: int, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the folder of sessions takes nothing, or nothing more after so many files; the loss is said once."""
    monkeypatch.setattr(devices, "build", built)
    with unwritable(tmp_path / "sessions", number, after):
        assert replay_capsule(golden(0), "process") == 0
    assert len(said) == 1
    assert said[0].startswith(f"transcripts are not kept in {tmp_path / 'sessions'} (")
    assert not [path for path in tmp_path.rglob("*.log*") if path.is_file()]


def test_a_lost_link_says_that_there_is_no_transcript(said: list[str], tmp_path: Path) -> None:
    """In the note that would have named it; the cause is as ever."""
    error = LinkLost("cable")
    with unwritable(tmp_path / "sessions", errno.ENOSPC):
        kept = Transcript("x")
        kept.sent(b"\1")
        for _ in range(2):
            kept.name_in(error)
    assert error.__notes__ == ["transcript: none (No space left on device)"]
    assert len(said) == 1


def test_a_transcript_that_grew_too_long_is_kept_as_it_was(said: list[str], tmp_path: Path) -> None:
    """The earlier one stays whole, and the note says that its end is missing; with room again, all of it is kept."""
    kept = Transcript("x")
    kept.sent(b"\1")
    path = kept.write()
    assert path is not None
    before = path.read_bytes()
    kept.sent(b"\2")
    with unwritable(tmp_path / "sessions", errno.ENOSPC):
        assert kept.write() is None
    assert path.read_bytes() == before
    assert kept.place == f"{path}, without its end (No space left on device)"
    assert kept.write() == path
    assert kept.place == str(path)
    assert path.read_bytes() != before


def test_a_board_is_given_up_all_the_same(said: list[str], tmp_path: Path) -> None:
    """By this process, though the other workers are not told; the first cause stays."""
    quarantine = Quarantine(tmp_path / "quarantine")
    with unwritable(tmp_path, errno.EROFS):
        quarantine.add("/dev/a", "cable")
        quarantine.add("/dev/a", "supply")
    assert quarantine.causes() == {"/dev/a": "cable"}
    assert len(said) == 1


def test_boards_of_like_names_are_given_up_each(tmp_path: Path) -> None:
    """Their files do not collide, and every worker sees both."""
    boards = ["serial:1-1.3", "serial:1-1-3", "serial:1/1.3", "socket://" + "h" * 300 + ":1"]
    for board in boards:
        Quarantine(tmp_path).add(board, f"cause of {board}")
    assert Quarantine(tmp_path).causes() == {board: f"cause of {board}" for board in boards}
    assert len({own_file_stem(board) for board in boards}) == len(boards)


def test_a_case_is_run_that_cannot_be_written_ahead(
    said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The block runs, once; what it raises is the case's own."""
    monkeypatch.setattr(current, "ahead", tmp_path / "failures" / "running.npz")
    ran = []
    with unwritable(tmp_path / "failures", errno.EROFS), blaming(read_capsule(golden(0))):
        ran.append(1)
    assert ran == [1]
    assert said == [
        f"cases that are about to run are not kept in {tmp_path / 'failures'} (Read-only file system); "
        "the work goes on without them"
    ]


def test_a_failure_says_that_there_is_no_capsule(tmp_path: Path) -> None:
    """The capsule is what somebody looks for: the message of the failure says why there is none."""
    with unwritable(tmp_path, errno.ENOSPC):
        (line,) = keep(read_capsule(golden(0)), tmp_path / "failures", "host")
    assert line.startswith("capsule: none, ")
    assert "No space left on device" in line


@pytest.mark.parametrize("number", NUMBERS, ids=errno.errorcode.get)
def test_results_are_refused_before_the_work(tmp_path: Path, number: int) -> None:
    """A folder of results is no by-product; one that takes them is left as it was."""
    check_folder(tmp_path / "good" / "below")
    assert not list(tmp_path.iterdir())
    (tmp_path / "bad").mkdir()
    with unwritable(tmp_path / "bad", number), pytest.raises(InputError, match=r"bad: expected a folder to write to"):
        check_folder(tmp_path / "bad")


def test_a_device_needs_room_for_its_flash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no by-product: one sentence."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with (
        unwritable(tmp_path, errno.ENOSPC),
        pytest.raises(InputError, match=r"room for a device's flash, got .*TMPDIR"),
    ):
        FlashFile()


TESTS = """
    import pytest

    def test_holds(engine):
        assert engine.device.hello

    @pytest.mark.parametrize("number", range(3))
    def test_fails(engine, number):
        assert number == 0, "the verdict"
"""


@pytest.mark.parametrize(
    ("workers", "after"), [("0", 3), *(pytest.param(workers, 0, marks=pytest.mark.slow) for workers in "02")]
)
def test_verdicts_outlive_the_folder_of_sessions(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: str, after: int
) -> None:
    """With workers and without: what passed, what failed and why, and one line for what was not kept."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))
    pytester.makepyfile(TESTS)
    pytester.makeconftest(
        f"""
        import errno, pathlib
        from unwritable import unwritable
        block = unwritable(pathlib.Path("sessions"), errno.ENOSPC, after={after})
        block.__enter__()
        """
    )
    arguments = ("--device=process", "-p", "no:cacheprovider", "-n", workers)
    result = pytester.runpytest_subprocess(*arguments, timeout=120)
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["*the verdict*", "*process: 2 passed, 2 failed*", "*- not kept -*"])
    lines = [line for line in result.outlines if line.startswith("transcripts are not kept in ")]
    assert len(lines) == 1
    assert any("transcript: none (" in line for line in result.outlines)
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()


def test_a_device_closes_without_its_transcript(
    said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing is the last thing that a session does: the process behind it is let go of in any case."""
    monkeypatch.setattr(devices, "build", built)
    engine = open_process()
    assert isinstance(engine.device, LinkDevice)
    with unwritable(tmp_path / "sessions", errno.EDQUOT):
        engine.close()
    assert len(said) == 1
