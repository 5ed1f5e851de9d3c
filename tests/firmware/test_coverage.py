"""Coverage is counted by a compiler that has proven itself, and what is not reached is said or argued."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from priot_hil.harness.clang import find_counting_clang, require_counting_clang
from priot_hil.harness.coverage.class_table import classes
from priot_hil.harness.coverage.command import run_counted, run_tests
from priot_hil.harness.coverage.counts import Counts, Place, read_counts
from priot_hil.harness.coverage.exceptions import Exempt, read_exceptions
from priot_hil.harness.coverage.report import Evidence, percent, report, share
from priot_hil.harness.firmware import BuildError, build
from priot_hil.harness.paths import ROOT
from priot_hil.harness.planting import FirmwareCopy
from priot_hil.reference.errors import InputError

needs_clang = pytest.mark.skipif(find_counting_clang() is None, reason="no clang that counts on the PATH")

LINE = Place("kernels/x.c", 3, 0, "", "f", "return 1;")
TRUE = Place("kernels/x.c", 2, 9, "true", "f", "a > b")
FALSE = Place("kernels/x.c", 2, 9, "false", "f", "a > b")


@pytest.mark.parametrize("workers", ["0", "2"])
def test_tests_say_how_far_they_are(tmp_path: Path, capfd: pytest.CaptureFixture[str], workers: str) -> None:
    """In percent, all of them in the end, and nothing else unless one fails: then what pytest says of it."""
    file = tmp_path / "test_them.py"
    command = [sys.executable, "-m", "pytest", "-v", "-n", workers, "-p", "no:cacheprovider", str(file)]
    percents: list[float] = []
    for line, status in (("pass", 0), ("assert number != 5, 'five'", 1)):
        file.write_text(f"import pytest\n@pytest.mark.parametrize('number', range(8))\ndef test(number):\n    {line}\n")
        percents.clear()
        assert run_tests([*command, f"--rootdir={tmp_path}"], os.environ, percents.append) == status
        assert sum(percents) == 100
        assert len(percents) == 8
        out, err = capfd.readouterr()
        assert out == ""
        assert ("AssertionError: five" in err) == bool(status)


@needs_clang
def test_a_planted_program_is_counted(tmp_path: Path) -> None:
    """Lines and both outcomes of each condition, with its text, also of a conditional expression."""
    source = ROOT / "firmware" / "cmake" / "planted_branches.c"
    clang, raw = require_counting_clang(), tmp_path / "raw"
    flags = [f"-fprofile-instr-generate={raw}", "-fcoverage-mapping", "-O2"]
    subprocess.run([clang, *flags, str(source), "-o", str(tmp_path / "planted")], check=True)
    subprocess.run([tmp_path / "planted"], check=True)
    counts = read_counts(clang, tmp_path / "planted", [raw], ROOT / "firmware", ["cmake"])
    assert counts is not None
    outcomes = {(place.code, place.outcome): times for place, times in counts.items() if place.outcome}
    assert outcomes == {
        ("i < count", "true"): 5,
        ("i < count", "false"): 2,
        ("i > 2", "true"): 1,
        ("i > 2", "false"): 4,
        ("count > 3", "true"): 1,
        ("count > 3", "false"): 1,
        ("sum < 0", "true"): 0,
        ("sum < 0", "false"): 1,
        ("steps(4) + steps(1) == 14", "true"): 1,
        ("steps(4) + steps(1) == 14", "false"): 0,
    }
    lines = {place.line: times for place, times in counts.items() if not place.outcome}
    assert (lines[3], lines[4], lines[5], lines[8], lines[14]) == (2, 7, 5, 0, 1)
    assert {place.function for place in counts} == {"steps", "main"}


@pytest.mark.slow
@needs_clang
def test_a_compiler_that_counts_nothing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes the flags and drops them, as some do, ends at the configuration."""
    FirmwareCopy(tmp_path).refresh()
    folder = tmp_path / "bin"
    folder.mkdir()
    drop = 'for a; do shift; case "$a" in -fprofile*|-fcoverage*) ;; *) set -- "$@" "$a" ;; esac; done'
    (folder / "clang").write_text(f'#!/bin/sh\n{drop}\nexec {require_counting_clang()} "$@"\n')
    (folder / "clang").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    find_counting_clang.cache_clear()
    try:
        with pytest.raises(BuildError, match="accepts the flags and counts nothing"):
            build("host-coverage", tmp_path)
    finally:
        find_counting_clang.cache_clear()


def test_a_missing_clang_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a sentence that says what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    find_counting_clang.cache_clear()
    try:
        with pytest.raises(InputError, match="preset host-coverage: expected a clang on the PATH that counts"):
            build("host-coverage")
    finally:
        find_counting_clang.cache_clear()


@pytest.mark.slow
@needs_clang
def test_what_one_test_reaches_is_not_all() -> None:
    """The counts are those of the tests that ran: without PRIOT-S, its update is not reached, and NITI's is."""
    test = "tests/equivalence/test_short.py::test_a_few_runs"
    counts = run_counted(build("host-coverage"), test, "-k", "niti and not process and not board")
    assert share(counts, "kernels/priot_update_priot_s.c", branches=False)[0] == 0
    assert share(counts, "kernels/priot_update_niti.c", branches=False)[0] > 5


def test_what_is_not_reached_is_open_until_it_is_argued() -> None:
    """A place counts as open, as reached by chosen cases only, or as argued; and a needless argument is said."""
    generated, chosen = Counts({LINE: 2, TRUE: 0, FALSE: 5}), Counts({LINE: 0, TRUE: 0, FALSE: 1})
    evidence = Evidence(generated, chosen, ())
    assert evidence.open == [TRUE]
    assert "## Reached by nothing, and not argued" in report(evidence, "")
    argued = Exempt("f", "a > b", "it is never so", "true")
    evidence = Evidence(generated, chosen, (argued,))
    assert (evidence.open, evidence.needless) == ([], [])
    assert "`f`, never true: `a > b`: it is never so" in report(evidence, "")
    evidence = Evidence(generated, Counts({TRUE: 1, FALSE: 0, LINE: 0}), (argued,))
    assert (evidence.open, evidence.needless) == ([], [argued])
    page = report(evidence, "")
    assert "## Exceptions that are needed no more" in page
    assert "- `kernels/x.c`, `f`\n  - line 2: never true: `a > b`" in page
    assert "| kernels/x.c | 1 | 100 % | 100 % | 2 | 50.0 % (1 missing) | 100 % |" in page


def test_a_class_without_a_case_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ten stages cannot be of every class; the table is written all the same."""
    assert classes(10, tmp_path / "classes.md") == 1
    assert "never reached: Single stages: update: static shift 26" in capsys.readouterr().out
    table = (tmp_path / "classes.md").read_text()
    assert "## Single stages: 10 cases" in table
    assert "| shift | 0 | 1 |" in table


def test_exceptions_are_read_and_wrong_ones_refused(tmp_path: Path) -> None:
    """Those of the checkout have all a function, a code and a reason; one without a reason is refused."""
    assert all(exempt.function and exempt.code and exempt.because for exempt in read_exceptions())
    path = tmp_path / "exceptions.toml"
    path.write_text('[[exception]]\nfunction = "f"\ncode = "a > b"\noutcome = "true"\n')
    with pytest.raises(InputError, match="expected the texts function, code, because"):
        read_exceptions(path)


def test_a_hundred_percent_is_said_only_of_all() -> None:
    """However close."""
    assert percent((10_000, 10_000)) == "100 %"
    assert percent((9_999, 10_000)) == "99.9 % (1 missing)"
    assert percent((0, 0)) == "-"
