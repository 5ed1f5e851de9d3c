"""A task ends with a sentence and a status, whatever ends it; a bug keeps its traceback."""

import pytest
from invoke.exceptions import Exit

from priot_hil.harness.command_line import with_status
from priot_hil.harness.errors import CheckFailed, DeviceFault, EmulationStuck, KernelStatus, LinkLost
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
    end = ended(KeyboardInterrupt())
    assert end is not None
    assert (end.code, end.message) == (130, "error: interrupted; give the same command again to go on.")


def test_a_bug_keeps_its_traceback() -> None:
    """Nothing is made of what nobody foresaw."""
    with pytest.raises(ZeroDivisionError):
        ended(ZeroDivisionError())
