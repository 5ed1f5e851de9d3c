"""pytest's options of this project: one that is not legal ends the session in a sentence, before it collects."""

from pathlib import Path

import pytest

from priot_hil.harness.paths import ROOT

pytest_plugins = ("pytester",)

NO_NUMBERS = ("abc", "", "1e3", "1_0", " 5", "٣", "-1", "10" * 30, "9" * 5000, "nan", "inf", "5\n")
MATRIX = "| device | board | build | board id | clock |\n"


@pytest.fixture
def refused(pytester: pytest.Pytester, capfd: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    """The sentence with which a session ends that would fail as soon as it collects."""
    pytester.makepyfile("raise SystemError('collected')")
    here = sorted(pytester.path.rglob("*"))

    def run(*options: str) -> str:
        result = pytester.inline_run("-p", "no:cacheprovider", *options, no_reraise_ctrlc=True)
        out, err = capfd.readouterr()
        assert (int(result.ret), out) == (2, ""), (options, err)
        assert err.startswith("error: "), options
        assert err.endswith(".\n"), options
        assert len(err.splitlines()) == 1, options
        assert sorted(pytester.path.rglob("*")) == here, options
        return err

    return run


@pytest.mark.parametrize("option", ["--baud", "--shrink"])
def test_numbers(refused, option: str) -> None:  # type: ignore[no-untyped-def]
    """Whatever is none, and what is beyond the range."""
    for text in NO_NUMBERS + (("0", str(2**31)) if option == "--baud" else ("1000000.5",)):
        assert f"{option}: expected a" in refused(f"{option}={text}")


@pytest.mark.parametrize("name", ["nosuch", " ", ",", "host,nosuch", "replay:nosuch", "library:/", "process:", "a\nb"])
def test_devices(refused, name: str) -> None:  # type: ignore[no-untyped-def]
    """Unknown, none, and files that are not there."""
    assert "device" in refused(f"--device={name}")


def test_profiles(refused) -> None:  # type: ignore[no-untyped-def]
    """Those of hypothesis, which by itself ends with INTERNALERROR."""
    assert "--hypothesis-profile: expected default or thorough, got 'nosuch'" in refused("--hypothesis-profile=nosuch")


def test_places(refused, tmp_path_factory: pytest.TempPathFactory) -> None:  # type: ignore[no-untyped-def]
    """Where no matrix and no capsules can be written; a file that is somebody else's stays."""
    folder = tmp_path_factory.mktemp("places")
    letter = folder / "letter"
    letter.write_text("a letter\n")
    nowhere = (f"{letter}/below", "/dev/null", "/dev/null/below", "/proc/nosuch/below", "n" * 300, "", "a\nb")
    for place in (*nowhere, str(letter), str(folder), str(ROOT / "README.md")):
        refused(f"--matrix={place}")
    for place in (*nowhere, str(letter)):
        refused(f"--failures={place}")
    assert letter.read_text() == "a letter\n"
    assert sorted(folder.iterdir()) == [letter]


def test_a_matrix_may_be_replaced(pytester: pytest.Pytester) -> None:
    """By a new one; folders on the way are made when there is something to write."""
    pytester.makepyfile("def test_nothing(): pass")
    path = pytester.path / "a" / "b" / "matrix.md"
    for _ in range(2):
        result = pytester.runpytest_inprocess("-p", "no:cacheprovider", f"--matrix={path}")
        assert result.ret == 0
        assert Path(path).read_text().startswith(MATRIX)
