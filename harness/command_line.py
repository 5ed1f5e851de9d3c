"""What every task does alike: options of declared kinds, and a sentence and a status for what a user can put right."""

import errno
import functools
import inspect
import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from invoke.exceptions import Exit
from invoke.parser.argument import Argument
from invoke.tasks import Task

from priot_hil.reference.errors import InputError

from .errors import CheckFailed, DeviceFault, EmulationStuck, KernelStatus, LinkLost
from .options import Kind, Whole

CHECK_FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130
INTERRUPTED_SENTENCE = "error: interrupted; give the same command again to go on."
PIPE_CLOSED = 141  # as if SIGPIPE had ended the process
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Declared:
    """What a task's signature says of an option.

    Attributes:
        kind: What it takes; None for a flag.
        help: What it is for.
        is_list: Whether it may be given again.
        default: Its value where it is not given.
    """

    kind: Kind | None
    help: str
    is_list: bool
    default: Any

    @property
    def type(self) -> type:
        """What invoke takes it for."""
        return bool if self.kind is None else list if self.is_list else self.kind.type

    @property
    def described(self) -> str:
        """Its help text: what it is for, the range of a number, and the default."""
        told = [self.kind.legal] if isinstance(self.kind, Whole) else []
        if self.kind is not None and self.default not in (None, [], inspect.Parameter.empty):
            told.append(f"default: {self.default}")
        return f"{self.help} ({'; '.join(told)})" if told else self.help


class Option(Argument):
    """An option that reads its value by its kind, when the command line is parsed."""

    def __init__(self, argument: Argument, declared: Declared) -> None:
        super().__init__(
            names=argument.names,
            kind=declared.type,
            default=argument.default,
            help=declared.described,
            positional=argument.positional,
            attr_name=argument.attr_name,
        )
        self.declared = declared

    def __repr__(self) -> str:
        return f"--{self.names[0]}"

    def set_value(self, value: Any, cast: bool = True) -> None:
        """Takes what the user typed.

        Raises:
            InputError: It is not legal.
        """
        kind = self.declared.kind
        if kind is None:
            super().set_value(value, cast)
        else:
            super().set_value(kind.read(f"--{self.names[0]}", value), cast=self.declared.is_list)


class Command(Task[Any]):
    """A task made from a function, each of whose parameters but the first says what it takes.

    Args:
        function: Each parameter is `Annotated[type, kind, help]`, or `Annotated[bool, help]`.
        name: The task's; None for the function's.

    Raises:
        TypeError: A parameter does not say what it takes.
    """

    def __init__(self, function: Callable[..., int | None], name: str | None = None) -> None:
        self.declared = dict(declared(function))
        lists = [option for option, each in self.declared.items() if each.is_list]
        super().__init__(with_status(function), name=name, iterable=lists)

    def arg_opts(self, name: str, default: Any, taken_names: set[str]) -> dict[str, Any]:
        """Leaves -h to the help."""
        return super().arg_opts(name, default, taken_names | {"h"})

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        """The options, which read their values themselves."""
        found = super().get_arguments(ignore_unknown_help)
        return [Option(argument, self.declared[str(argument.name)]) for argument in found]


def command(function: Callable[..., int | None]) -> Command:
    """Makes a task of a function, named as it is; see `Command`."""
    return Command(function, function.__name__.replace("_", "-"))


def declared(function: Callable[..., Any]) -> Iterator[tuple[str, Declared]]:
    """What each parameter after a function's first says that it takes; see `Command`."""
    hints = get_type_hints(function, include_extras=True)
    for name, parameter in list(inspect.signature(function).parameters.items())[1:]:
        plain, *said = get_args(hints[name]) if get_origin(hints[name]) is Annotated else (hints[name],)
        kinds = [each for each in said if isinstance(each, Kind)]
        texts = [each for each in said if isinstance(each, str)]
        if len(texts) != 1 or len(kinds) != (plain is not bool):
            raise TypeError(f"{function.__name__}: {name} does not say what it takes")
        yield name, Declared(kinds[0] if kinds else None, texts[0], get_origin(plain) is list, parameter.default)


def with_status(function: Callable[..., int | None]) -> Callable[..., None]:
    """Runs a task's function; what a user can put right ends with one sentence and status 2.

    A check that does not hold ends with status 1, a function that returns another status than 0 with that one. A file
    that cannot be read or written, and a disk without room, are a user's to put right, wherever they are met; any other
    error of the system is a bug and keeps its traceback. A reader of the output that goes away ends it without a word.
    """

    @functools.wraps(function)
    def run(*args: Any, **options: Any) -> None:
        with ended_by_sentences():
            status = function(*args, **options)
            sys.stdout.flush()
        if status:
            raise Exit(code=status)

    return run


@contextmanager
def ended_by_sentences() -> Iterator[None]:
    """What `with_status` does, for a block.

    Raises:
        Exit: With its sentence and status.
    """
    try:
        yield
    except CheckFailed as failed:
        raise Exit(f"error: {failed}", CHECK_FAILED) from failed
    except (InputError, LinkLost, DeviceFault, EmulationStuck, KernelStatus) as error:
        notes = "".join(f"\n       {note}" for note in getattr(error, "__notes__", ()))
        raise Exit(f"error: {error}{notes}", BAD_INPUT) from error
    except KeyboardInterrupt:
        raise Exit(INTERRUPTED_SENTENCE, INTERRUPTED) from None
    except RuntimeError as error:
        if not isinstance(error.__cause__, KeyboardInterrupt):  # before 3.12, one that came while a class was made
            raise
        raise Exit(INTERRUPTED_SENTENCE, INTERRUPTED) from None
    except OSError as error:
        nobody_reads = isinstance(error, BrokenPipeError) and _nobody_reads()
        _drop_output()
        if nobody_reads:
            raise Exit(code=PIPE_CLOSED) from None
        if error.filename is None and error.errno not in NO_ROOM:
            raise
        raise Exit(f"error: {about_file(error)}", BAD_INPUT) from error


def about_file(error: OSError) -> InputError:
    """The refusal for what the system says of a file."""
    names = [str(name) for name in (error.filename, error.filename2) if name is not None]
    what = " and ".join(names) or "a file"
    do = "see that it is there, may be read and written, and that its disk has room; then give the command again"
    return InputError.about(what, expected="a file or folder that can be used", got=error.strerror or str(error), do=do)


def _nobody_reads() -> bool:
    """Whether standard output is a pipe whose other end is closed."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), select.POLLOUT)
    except (OSError, ValueError):
        return False
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))


def _drop_output() -> None:
    """Forget what standard output does not take: Python would try it again at its end, and complain."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
