"""A task ends with a sentence and a status, whatever ends it; a bug keeps its traceback."""

import errno
import os
import subprocess
import sys
from typing import Annotated

import pytest
from invoke.exceptions import Exit

from priot_hil.harness.command_line import command, with_status
from priot_hil.harness.errors import CheckFailed, DeviceFault, EmulationStuck, KernelStatus, LinkLost
from priot_hil.harness.options import Text, Whole
from priot_hil.reference.errors import InputError


def ended(outcome: BaseException | int | None) -> Exit | None:
    """How a task ends whose function returns or raises this."""

    @with_status
    def task() -> int | None:
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    try:
        task()
    except Exit as end:
        return end
    return None


@pytest.mark.parametrize("kind", [InputError, LinkLost, DeviceFault, EmulationStuck, KernelStatus])
def test_what_a_user_can_put_right_has_status_2(kind: type[BaseException]) -> None:
    """With its notes, a line each."""
    error = kind("board: expected one, got none.")
    error.add_note("Transcript: a.log")
    end = ended(error)
    assert end is not None
    assert (end.code, end.message) == (2, "error: board: expected one, got none.\n       Transcript: a.log")


def test_a_check_that_does_not_hold_has_status_1() -> None:
    """Engines that differ, a model that is too inaccurate, a suite that fails."""
    end = ended(CheckFailed("the two differ at epoch 3."))
    assert end is not None
    assert (end.code, end.message) == (1, "error: the two differ at epoch 3.")


def test_statuses_and_interruptions() -> None:
    """0 and nothing are no end at all; Ctrl-C says how to go on."""
    assert ended(None) is None
    assert ended(0) is None
    for status in (1, 2):
        assert (ended(status) or Exit()).code == status
    wrapped = RuntimeError("Error calling __set_name__")
    wrapped.__cause__ = KeyboardInterrupt()
    for interrupt in (KeyboardInterrupt(), wrapped):
        end = ended(interrupt)
        assert end is not None
        assert (end.code, end.message) == (130, "error: interrupted; give the same command again to go on.")
    with pytest.raises(RuntimeError, match="a bug"):
        ended(RuntimeError("a bug"))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_has_status_2(number: int) -> None:
    """The system names no file where a write fails."""
    end = ended(OSError(number, os.strerror(number)))
    assert end is not None
    assert end.code == 2
    assert str(end.message).startswith(
        f"error: a file: expected a file or folder that can be used, got {os.strerror(number)}"
    )


@pytest.mark.parametrize("kind", [PermissionError, FileNotFoundError, IsADirectoryError, NotADirectoryError, OSError])
def test_a_file_that_cannot_be_used_has_status_2(kind: type[OSError]) -> None:
    """It is named, both of them where there are two."""
    end = ended(kind(errno.EACCES, "Permission denied", "a.json", None, "b.json"))
    assert end is not None
    assert end.code == 2
    assert str(end.message).startswith("error: a.json and b.json: expected a file or folder that can be used, got Perm")
    assert len(str(end.message).splitlines()) == 1


@pytest.mark.parametrize("error", [OSError(errno.EBADF, "Bad file descriptor"), BrokenPipeError(errno.EPIPE, "pipe")])
def test_an_error_of_the_system_without_a_file_is_a_bug(error: OSError) -> None:
    """A closed handle, or a pipe of ours that broke while standard output is read."""
    with pytest.raises(OSError, match=str(error.strerror)):
        ended(error)


PRINTS = """
import sys
from priot_hil.harness.command_line import command, with_status
from invoke.exceptions import Exit

@with_status
def task():
    for number in range(LINES):
        print(number)

try:
    task()
except Exit as end:
    print(end.message or "", file=sys.stderr, end="")
    sys.exit(end.code)
"""


def printed_to(write: int, lines: int) -> tuple[int, str]:
    """Status and standard error of a task that prints to a file handle."""
    command = [sys.executable, "-c", PRINTS.replace("LINES", str(lines))]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, env=environment, text=True, check=False)
    os.close(write)
    return done.returncode, done.stderr


@pytest.mark.parametrize("lines", [1, 100_000])
def test_a_reader_that_goes_away_ends_it_without_a_word(lines: int) -> None:
    """While it prints, and where all is printed at its end."""
    read, write = os.pipe()
    os.close(read)
    assert printed_to(write, lines) == (141, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux alone has it")
@pytest.mark.parametrize("lines", [1, 100_000])
def test_output_to_a_full_disk_ends_in_a_sentence(lines: int) -> None:
    """Once, and Python does not complain of it again."""
    status, said = printed_to(os.open("/dev/full", os.O_WRONLY), lines)
    assert status == 2
    assert said.startswith("error: a file: expected a file or folder that can be used, got ")
    assert len(said.splitlines()) == 1


def test_every_option_has_to_say_what_it_takes() -> None:
    """A new one that does not, or that says it twice, is found when the tasks are loaded."""

    def silent(_: object, number: int = 1) -> None: ...

    def without_help(_: object, number: Annotated[int, Whole(0, 1)] = 1) -> None: ...

    def twice(_: object, number: Annotated[int, Whole(0, 1), Text("a"), "help"] = 1) -> None: ...

    def without_kind(_: object, number: Annotated[int, "help"] = 1) -> None: ...

    def flag_with_kind(_: object, flag: Annotated[bool, Text("a"), "help"] = False) -> None: ...

    for function in (silent, without_help, twice, without_kind, flag_with_kind):
        with pytest.raises(TypeError, match=f"{function.__name__}: (number|flag) does not say what it takes"):
            command(function)


def test_help_says_range_and_default() -> None:
    """Of what is a number; a text's default too."""

    def task(
        _: object,
        number: Annotated[int, Whole(0, 9), "how many"] = 3,
        name: Annotated[str | None, Text("a name"), "whose"] = None,
        way: Annotated[str, Text("a way"), "which"] = "on foot",
    ) -> None: ...

    helps = {option.names[0]: option.help for option in command(task).get_arguments()}
    assert helps == {
        "number": "how many (a whole number in 0..9; default: 3)",
        "name": "whose",
        "way": "which (default: on foot)",
    }


def test_a_bug_keeps_its_traceback() -> None:
    """Nothing is made of what nobody foresaw."""
    with pytest.raises(ZeroDivisionError):
        ended(ZeroDivisionError())
