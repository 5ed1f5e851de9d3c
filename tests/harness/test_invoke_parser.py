"""How command lines are read: help wherever it is asked for, refusals before any task of the line runs."""

from pathlib import Path
from typing import Annotated

import pytest
from invoke.collection import Collection
from invoke.program import Program

from priot_hil.harness.command_line import command
from priot_hil.harness.invoke_parser import refuse_in_sentences
from priot_hil.harness.options import Place, Text, Whole

refuse_in_sentences()
RAN: list[object] = []


@command
def first(_: object, number: Annotated[int, Whole(-5, 5), "a number"] = 0) -> None:
    """The first task."""
    RAN.append(number)


@command
def second(
    _: object,
    path: Annotated[Path, Place("a path"), "a path"],
    names: Annotated[list[str], Text("a name"), "names"] = [],  # noqa: B006
    how: Annotated[str, Text("a way"), "a way that would take -h for itself"] = "so",
    quick: Annotated[bool, "quickly"] = False,
) -> None:
    """The second task."""
    RAN.append((path, names, how, quick))


@pytest.fixture
def ended(capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    """How a command line ends: status, what ran, standard output and error."""

    def run(*arguments: str) -> tuple[int, list[object], str, str]:
        RAN.clear()
        status: object = 0
        try:
            Program(binary="invoke", namespace=Collection(first, second)).run(["invoke", *arguments])
        except SystemExit as end:
            status = end.code
        return int(str(status or 0)), list(RAN), *capsys.readouterr()

    return run


@pytest.mark.parametrize(
    ("line", "ran"),
    [
        (["first"], [0]),
        (["first", "--number", "-5"], [-5]),
        (["first", "-n", "-5"], [-5]),
        (["first", "-n-5"], [-5]),
        (["first", "--number=5"], [5]),
        (["second", "a", "--how", "b"], [(Path("a"), [], "b", False)]),
        (["second", "--path=a=b", "--quick"], [(Path("a=b"), [], "so", True)]),
        (["second", "-p", "a", "--names", "b", "--names=c", "-n", "d"], [(Path("a"), ["b", "c", "d"], "so", False)]),
        (["second", "a", "--names", "-x"], [(Path("a"), ["-x"], "so", False)]),
        (["first", "second", "a", "first", "-n", "1"], [0, (Path("a"), [], "so", False), 1]),
    ],
    ids=repr,
)
def test_right_lines(ended, line: list[str], ran: list[object]) -> None:  # type: ignore[no-untyped-def]
    """Values by the kinds of their options, in every way to write them; lists begin empty each time."""
    assert ended(*line) == (0, ran, "", "")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["first", "second"], "'second' did not receive required positional arguments: 'path'. See"),
        (["first", "second", "a", "first", "--number", "6"], "--number: expected a whole number in -5..5, got 6; "),
        (["first", "--number", "x"], "got 'x'; "),
        (["second", ""], "--path: expected a path, got ''; "),
        (["second", "a", "b"], "No idea what 'b' is!"),
        (["second", "--quick=1", "a"], "No idea what 'a' is!"),
        (["second", "-x"], "No idea what '-x' is!"),
        (["first", "--number"], "Flag --number needed value and was not given one!"),
        (["second", "a", "--names"], "Flag --names needed value and was not given one!"),
        (["second", "a", "--names", "b", "--names"], "Flag --names needed value and was not given one!"),
        (["second", "a", "--names", "--quick"], "Flag --names needed value and was not given one!"),
        (["second", "a", "--names", "b", "--names", "c\nd"], r"--names: expected a name, got 'c\nd'; "),
        (["first", "--number", "1", "--number", "2"], "No idea what '2' is!"),
        (["first", "--command-timeout", "soon"], "does not take 'soon'!"),
        (["--help", "third"], "No idea what 'third' is!"),
        (["third"], "No idea what 'third' is!"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_lines(ended, line: list[str], said: str) -> None:  # type: ignore[no-untyped-def]
    """Status 2 and one sentence, and no task of the line has run, not even one before the mistake."""
    status, ran, out, err = ended(*line)
    assert (status, ran, out) == (2, [], "")
    assert err.startswith("error: ")
    assert said in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "line",
    [
        *(
            ["second", "--help"],
            ["second", "-h"],
            ["--help", "second"],
            ["-h", "second"],
            ["second", "--how", "--help"],
        ),
        *(["second", "a", "-h"], ["second", "--names", "-h"], ["second", "-q", "-h"], ["first", "second", "--help"]),
    ],
    ids=" ".join,
)
def test_help(ended, line: list[str]) -> None:  # type: ignore[no-untyped-def]
    """Nothing else is done, whatever is missing; no short name is -h but its own."""
    status, ran, out, err = ended(*line)
    assert (status, ran, err) == (0, [], "")
    assert out.startswith("Usage: invoke [--core-opts] second ")
    assert "-o STRING, --how=STRING" in out
    assert "--help" not in out
