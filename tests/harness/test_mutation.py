"""`invoke mutate`: what it refuses, how it reads the end of a suite, and a few real mutants from end to end."""

import contextlib
import json
import signal
import sys
from pathlib import Path

import pytest

from priot_hil.harness.firmware import build
from priot_hil.harness.mutation.records import Results, Verdict, fingerprint
from priot_hil.harness.mutation.trial import DEVICE_TESTS, Hunt, Outcome, SuiteError, result
from priot_hil.harness.mutation.workshop import Workshop, code_hash
from priot_hil.harness.paths import ROOT
from priot_hil.reference.errors import InputError

STARTS = {"starts": "test_a", "at": 0.0}
PASSES = {"passes": "test_a", "cpu": 0.1, "at": 0.2}
FAILS = {"fails": "test_b", "said": "1 is not 2", "at": 0.3}


@pytest.fixture
def mutate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """The command, its results in a folder of their own."""
    pytest.importorskip("tree_sitter", reason="needs PRIOT_EXTRAS=mutation")
    from priot_hil.harness.mutation.command import mutate

    monkeypatch.chdir(tmp_path)
    return mutate


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"device": "process"}, r"device to mutate: expected host or emulator, got 'process'; name one of them"),
        ({"count": 0}, "sample: expected at least 1, got 0; say how many"),
        ({"only": "nothing like it"}, "only: expected a part of a mutant's id, such as .* got 'nothing like it'"),
    ],
)
def test_bad_options_are_refused(mutate, options, sentence: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """In one sentence, with nothing written."""
    with pytest.raises(InputError, match=sentence):
        mutate(**{"device": "host", "count": 1} | options)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_parser_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the extra to ask for."""
    from priot_hil.harness.mutation import sources

    monkeypatch.setitem(sys.modules, "tree_sitter_c", None)
    sources.parser.cache_clear()
    with pytest.raises(InputError, match=r"expected tree-sitter, got none installed; ask for it: PRIOT_EXTRAS=mutat"):
        sources.all_mutants(ROOT / "firmware")


@pytest.mark.parametrize(
    ("notes", "exitcode", "outcome", "test"),
    [
        ([STARTS, PASSES], 0, Outcome.SURVIVED, ""),
        ([STARTS, PASSES, FAILS], 1, Outcome.FAILED, "test_b"),
        ([FAILS], 2, Outcome.FAILED, "test_b"),
        ([STARTS], -signal.SIGSEGV, Outcome.CRASHED, "test_a"),
        ([STARTS], -signal.SIGXCPU, Outcome.HUNG, "test_a"),
        ([STARTS], None, Outcome.HUNG, "test_a"),
    ],
)
def test_how_a_suite_ends(
    tmp_path: Path, notes: list[dict[str, object]], exitcode: int | None, outcome: Outcome, test: str
) -> None:
    """By its process's end and the last that it noted."""
    hunt = Hunt("library:x", tmp_path, {})
    hunt.notes.write_text("".join(json.dumps(note) + "\n" for note in notes))
    trial = result(hunt, exitcode)
    assert (trial.outcome, trial.test) == (outcome, test)


@pytest.mark.parametrize(("notes", "exitcode"), [("", 0), ("", 4), (json.dumps(PASSES), 3)])
def test_a_suite_that_did_not_run_is_no_verdict(tmp_path: Path, notes: str, exitcode: int) -> None:
    """The log's end is said instead."""
    hunt = Hunt("library:x", tmp_path, {})
    hunt.notes.write_text(notes)
    hunt.log.write_text("no such option")
    with pytest.raises(SuiteError, match="no such option"):
        result(hunt, exitcode)


def test_the_tests_of_devices_are_where_a_trial_looks() -> None:
    """A file that was renamed would be missing from every trial."""
    assert all((ROOT / name).is_file() for name in DEVICE_TESTS)


def test_code_without_its_build_id(tmp_path: Path) -> None:
    """Two libraries of one code are one; a file that is no program has no code."""
    firmware = build("host")
    assert firmware.library is not None
    data = firmware.library.read_bytes()
    assert data.count(firmware.build_id) == 1
    other, changed = tmp_path / "other", tmp_path / "changed"
    other.write_bytes(data.replace(firmware.build_id, bytes(range(20))))
    changed.write_bytes(data.replace(bytes.fromhex("6410b71d"), bytes.fromhex("6510b71d")))  # of the CRC's table
    code = code_hash(firmware.library, firmware.build_id)
    assert code == code_hash(other, bytes(range(20))) != code_hash(changed, firmware.build_id)
    (tmp_path / "text").write_text("no ELF")
    assert code_hash(tmp_path / "text", bytes(20)) is None


@pytest.mark.slow
def test_real_mutants_from_end_to_end(mutate, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    """Killed, proved equal, not compiled; taken up again without another trial; a second campaign has to wait."""
    only = "priot_next:shift:,priot_requantize_s8.h:-:narrow:,priot_terms.c:priot_terms_dot:signedness:2437b7"
    assert mutate("host", 1, only=only, report=tmp_path) == 0
    records = Results(Path("results/mutation/host.jsonl"), fingerprint()).records
    verdicts = {record.operator: record.verdict for record in records.values()}
    expected = {"shift": Verdict.FAILED, "narrow": Verdict.NOT_COMPILED, "signedness": Verdict.SAME_CODE}
    assert verdicts == expected
    assert f"{len(records)} of 4" in (tmp_path / "mutation.md").read_text()
    before = Path("results/mutation/host.jsonl").read_bytes()
    capsys.readouterr()
    assert mutate("host", 1, only=only) == 0
    assert f"{len(records)} of them tried before" in " ".join(capsys.readouterr().out.split())
    assert Path("results/mutation/host.jsonl").read_bytes() == before
    with (
        contextlib.closing(Workshop("host", 0)),
        pytest.raises(InputError, match="expected nobody at work, got a campaign; wait for the other"),
    ):
        mutate("host", 1, only="priot_next:statement:")
