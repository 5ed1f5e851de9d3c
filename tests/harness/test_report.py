"""What ran where: capabilities, the summary, the matrix and JUnit's properties, with workers and without."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from priot_hil.harness.capabilities import capabilities, missing
from priot_hil.harness.devices import open_engine
from priot_hil.harness.firmware import build
from priot_hil.harness.protocol import CapabilityCode
from priot_hil.harness.results import Board, Outcome, Result, Results, without_device

pytest_plugins = ("pytester",)

TESTS = """
    import pytest

    @pytest.mark.short
    def test_passes(engine):
        pass

    @pytest.mark.needs("cycles")
    def test_cycles(engine):
        pass

    @pytest.mark.parametrize("number", [1, 2])
    def test_even(engine, number):
        assert number % 2 == 0

    @pytest.mark.xfail(reason="not yet")
    def test_later(engine):
        raise ValueError

    def test_none():
        pass
"""
SLOW = """
    from priot_hil.harness import devices
    from priot_hil.harness.device_kinds import DeviceKind

    devices.DEVICES["slow"] = DeviceKind(devices.DEVICES["reference"].open, is_slow=True)
"""


@pytest.mark.parametrize("workers", [(), pytest.param(("-n", "2"), marks=pytest.mark.slow)], ids=["alone", "workers"])
def test_the_report_says_what_ran_where(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: tuple[str, ...]
) -> None:
    """The same summary, matrix and properties, however many workers there are."""
    pytester.makepyfile(kinds=SLOW)
    pytester.makepyfile(test_it=TESTS)
    pytester.syspathinsert()
    monkeypatch.setenv("PYTEST_PLUGINS", "kinds")
    options = ("--device=process,reference,slow", "--matrix=out/matrix.md", "--junitxml=junit.xml", *workers)
    result = pytester.runpytest_subprocess(*options, timeout=300)
    assert result.ret == 1
    build_id = build("host").build_id.hex()
    lacks = "needs cycles, which the device does not offer"
    both = f"2 passed, 1 failed, 2 skipped (1: expected to fail: not yet; 1: {lacks}); on"
    result.stdout.fnmatch_lines_random(
        [
            f"process: {both} process (build {build_id[:12]}, *4 tests)",
            f"reference: {both} reference (4 tests)",
            "slow: 1 passed, 4 not in the short suite; on reference (1 tests)",
            "matrix: out/matrix.md",
        ]
    )
    head, _, table = Path("out/matrix.md").read_text().partition("\n\n")
    assert f"| process | process | {build_id} | " in head
    assert table.splitlines() == [
        "| test | process | reference | slow |",
        "| :-- | :-- | :-- | :-- |",
        f"| test_it.py::test_cycles | skipped: {lacks} | skipped: {lacks} | not in the short suite |",
        "| test_it.py::test_even[1] | failed | failed | not in the short suite |",
        "| test_it.py::test_even[2] | passed | passed | not in the short suite |",
        "| test_it.py::test_later | skipped: expected to fail: not yet | skipped: expected to fail: not yet "
        "| not in the short suite |",
        "| test_it.py::test_passes | passed | passed | passed |",
    ]
    cases = {str(case.get("name")): case for case in ElementTree.parse("junit.xml").iter("testcase")}
    properties = {
        name: {entry.get("name"): entry.get("value") for entry in case.iter("property")} for name, case in cases.items()
    }
    assert properties["test_passes[process]"]["build_id"] == build_id
    assert properties["test_passes[reference]"] == {"device": "reference", "board": "reference"}
    assert properties["test_none"] == {}
    failed = result.stdout.str().partition("test_even[process-1]")[2]
    transcript = failed.partition("transcript: ")[2].splitlines()[0]
    assert "hello 0 session" in Path(transcript).read_text()


@pytest.mark.slow
def test_an_unknown_need_is_refused(pytester: pytest.Pytester) -> None:
    """A typing error would skip a test everywhere, in silence."""
    pytester.makepyfile("import pytest\n@pytest.mark.needs('cycels')\ndef test_it(engine):\n    pass")
    result = pytester.runpytest_subprocess("--device=reference")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    said = result.stderr.str()
    assert "test_it[reference] needs: expected names out of cycles, reset, dataset" in said
    assert ", got cycels; correct the test." in said


def test_capabilities_are_the_hellos() -> None:
    """Of the device, as far as the host can use them; a set needs the host's way to the flash, or the device's."""
    engine = open_engine("process")
    assert capabilities(engine) == {"reset", "dataset", "store", "run", "batch", "large_arena"}
    assert missing(engine, "dataset") is None
    engine.device._write_flash = None
    assert missing(engine, "dataset") is None
    engine.device.hello = engine.device.hello._replace(capabilities=CapabilityCode.DATASET)
    assert missing(engine, "dataset") == "needs dataset, and this host has no way to write the device's flash"
    assert missing(engine, "cycles") == "needs cycles, which the device does not offer"
    engine.close()
    assert capabilities(open_engine("reference")) == {"dataset", "large_arena"}


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ("a.py::test[pts-0]", "a.py::test"),
        ("a.py::test[pts-0-x]", "a.py::test[x]"),
        ("a.py::test[x-pts-0]", "a.py::test[x]"),
        ("a.py::test[x-pts-0-y]", "a.py::test[x-y]"),
        ("a.py::test[x]", "a.py::test[x]"),
    ],
)
def test_a_test_has_one_name_on_all_devices(test: str, expected: str) -> None:
    """The device is taken out of its id, wherever it stands."""
    assert without_device("pts-0", test) == expected


def test_a_teardown_that_fails_counts() -> None:
    """After a pass, too; and a pipe in a reason does not break the table."""
    results = Results(("a", "b"))
    results.add("t", "a", Result(Outcome.PASSED))
    results.add("t", "a", Result(Outcome.ERROR))
    results.add("t", "a", Result(Outcome.PASSED))
    results.add_board("a", Board("p", "ab" * 20, "00" * 7 + "01", 125_000_000))
    assert results.summary({"p": "cause"}) == [
        "a: 1 error; on p (build abababababab, board 0000000000000001, 125 MHz, 1 tests)",
        "given up: p: cause",
    ]
    results.add("t", "b", Result(Outcome.SKIPPED, "a | b"))
    assert results.markdown().endswith("| t | error | skipped: a \\| b |\n")
