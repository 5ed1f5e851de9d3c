"""What every task does alike: a sentence and a status for whatever a user can put right, and no traceback."""

import errno
import functools
from collections.abc import Callable
from typing import Any

from invoke.exceptions import Exit
from invoke.parser.parser import ParseMachine

from priot_hil.reference.errors import InputError

from .errors import CheckFailed, DeviceFault, EmulationStuck, KernelStatus, LinkLost

CHECK_FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)


def command(function: Callable[..., int | None]) -> Callable[..., None]:
    """Runs a task's function; what a user can put right ends with one sentence and status 2.

    A check that does not hold ends with status 1, a function that returns another status than 0 with that one.
    """

    @functools.wraps(function)
    def run(*args: Any, **options: Any) -> None:
        try:
            status = function(*args, **options)
        except CheckFailed as failed:
            raise Exit(f"error: {failed}", CHECK_FAILED) from failed
        except (InputError, LinkLost, DeviceFault, EmulationStuck, KernelStatus) as error:
            notes = "".join(f"\n       {note}" for note in getattr(error, "__notes__", ()))
            raise Exit(f"error: {error}{notes}", BAD_INPUT) from error
        except OSError as error:
            if error.errno not in UNWRITABLE:
                raise
            place = f"{error.filename}: " if error.filename else ""
            raise Exit(f"error: {place}{error.strerror}; make room, or let it be written.", BAD_INPUT) from error
        except KeyboardInterrupt:
            raise Exit("error: interrupted; give the same command again to go on.", INTERRUPTED) from None
        if status:
            raise Exit(code=status)

    return run


def refuse_unknown_options() -> None:
    """Lets an unknown task or option end with status 2 as well, as every other bad input; invoke's own is 1."""

    def refuse(_: ParseMachine, message: str) -> None:
        raise Exit(f"error: {message} See `./run invoke --list` and `./run invoke --help TASK`.", BAD_INPUT)

    setattr(ParseMachine, "error", refuse)  # noqa: B010 - mypy knows no other way to replace a method
