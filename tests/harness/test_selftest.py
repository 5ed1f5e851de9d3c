"""Planted bugs are found by what has to find them; a bug that nobody finds makes the self-test fail."""

from pathlib import Path

import pytest

from priot_hil.harness.mutation.trial import SuiteError
from priot_hil.harness.paths import BUILD
from priot_hil.harness.planting import Change, FirmwareCopy
from priot_hil.harness.selftest import command
from priot_hil.harness.selftest.planted import Finder, Planted, read_planted
from priot_hil.harness.selftest.proofs import Bench, Proof, prove, unavailable
from priot_hil.harness.selftest.suite import SHORT, Verdict, message_of, run_suite
from priot_hil.reference.errors import InputError

BUGS = read_planted()
HARMLESS = Change("kernels/priot_math.h", "#define PRIOT_INT8_MAX 127", "#define PRIOT_INT8_MAX 127 /* as it was */")


@pytest.fixture(scope="session")
def bench(worker_id: str) -> Bench:
    """The copy that `invoke selftest` uses too, so that it is built once; of several processes, one for each."""
    folder = BUILD / ("selftest" if worker_id == "master" else f"selftest-{worker_id}")
    bench = Bench(FirmwareCopy(folder), folder / "tests", "host")
    bench.copy.refresh()
    return bench


def test_ten_bugs_for_the_suite_and_some_for_each_tool(tmp_path: Path) -> None:
    """Every change fits the sources as they are now; names are names."""
    counts = {finder: sum(bug.finder is finder for bug in BUGS) for finder in Finder}
    assert counts[Finder.SUITE] == 10
    assert min(counts.values()) >= 1
    assert len({bug.name for bug in BUGS}) == len(BUGS)
    assert all(bug.says for bug in BUGS if bug.finder is not Finder.SUITE)
    copy = FirmwareCopy(tmp_path)
    copy.refresh()
    for bug in BUGS:
        with copy.planted(*bug.changes):
            pass


@pytest.mark.slow
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found(bug: Planted, bench: Bench) -> None:
    """By its finder; the suite leaves a small case of it, a tool says the right words."""
    if reason := unavailable(bug.finder):
        pytest.skip(reason)
    proof = prove(bug, bench)
    assert proof.is_found, proof.said
    if bug.finder is Finder.SUITE:
        assert "first divergence" in proof.said
        assert "replay:  ./run invoke replay --capsule failures/" in proof.said
        assert "weight" in proof.size


@pytest.mark.slow
@pytest.mark.parametrize("finder", Finder)
def test_what_is_no_bug_is_not_found(finder: Finder, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A comment in the sources: every finder says that it has found nothing."""
    if reason := unavailable(finder):
        pytest.skip(reason)
    monkeypatch.setattr("priot_hil.harness.selftest.proofs.EQUIVALENCE", SHORT)
    monkeypatch.setattr("priot_hil.harness.selftest.proofs.FUZZ_SECONDS", 3)
    bug = Planted(
        finder, "nothing at all", "a comment", (HARMLESS,), says="0xfeedu|Sanitizer: |runtime error: ", target="frames"
    )
    assert prove(bug, bench).is_found is False


def test_a_missed_bug_fails_the_selftest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Status 1 and a word in the table; what cannot run here is no failure."""
    outcomes = iter(
        [Proof(True, "a test", 1.5, "2 weights", "first divergence"), Proof(False), Proof(None, said="needs x")]
    )
    monkeypatch.setattr(command, "prove_clean", lambda _: Verdict())
    monkeypatch.setattr(command, "prove", lambda *_: next(outcomes))
    monkeypatch.setattr(command, "read_planted", lambda: BUGS[:3])
    monkeypatch.setattr(command, "WORK", tmp_path / "work")
    out = tmp_path / "table.md"
    assert command.selftest("host", out=out) == 1
    text = out.read_text()
    assert f"| {BUGS[0].name} | found | a test | 1.5 s | 2 weights |" in text
    assert f"| {BUGS[1].name} | **missed** |" in text
    assert f"| {BUGS[2].name} | not run |" in text
    outcomes = iter([Proof(True), Proof(None), Proof(True)])
    assert command.selftest("host", out=out) == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [(("board",), "device to plant bugs on: expected host or emulator"), (("host", "no such bug"), "only: expected")],
)
def test_wrong_options_are_refused(options: tuple[str, ...], said: str) -> None:
    """Before anything is built."""
    with pytest.raises(InputError, match=said):
        command.selftest(*options)


@pytest.mark.slow
def test_a_suite_that_cannot_run_is_no_verdict(tmp_path: Path) -> None:
    """A device that is not there: neither red nor green."""
    with pytest.raises(SuiteError, match="pytest ran no test"):
        run_suite("library:/no/such/file", tmp_path, SHORT)


def test_the_message_is_read_out_of_the_report() -> None:
    """Without code and without the case; what was indented stays so."""
    lines = [
        "    code = 1",
        "E   Mismatch: first divergence",
        "E           expected 1   host 2",
        "E       Failing test case: f(",
    ]
    lines += ["E           case=(1,", "E            2)", "E       )", "E       capsule: failures/x.npz"]
    said = "Mismatch: first divergence\n    expected 1   host 2\ncapsule: failures/x.npz"
    assert message_of("\n".join(lines)) == said
