"""What invoke's own parser does otherwise here: refusals with status 2, and the help of a task wherever it is asked."""

import functools
import sys

from invoke.exceptions import Exit, ParseError
from invoke.parser.parser import ParseMachine
from invoke.program import Program

from priot_hil.reference.errors import InputError

from .command_line import BAD_INPUT, ended_by_sentences

HELP = ("--help", "-h")


@functools.cache
def refuse_in_sentences() -> None:
    """Lets invoke end with a sentence and status 2 on whatever it cannot read, and show a task's help where asked.

    By itself it ends with 1, or with a traceback where a text is no number, and takes `--help` for a value.
    """
    handle, complete, clean_up = ParseMachine.handle, ParseMachine.complete_flag, Program.parse_cleanup

    def refuse(_: ParseMachine, message: str) -> None:
        end = "" if message.endswith((".", "!")) else "."
        raise Exit(f"error: {message}{end} See `./run invoke --list` and `./run invoke TASK --help`.", BAD_INPUT)

    def take(machine: ParseMachine, token: str) -> None:
        context, core = machine.context, machine.initial
        is_in_task = context is not None and context.name is not None
        if is_in_task and token in HELP:
            machine.flag = None
            core.flags["--help"].set_value(context.name, cast=False)
            context.positional_args.clear()  # nothing is missing for a help
            return
        known = (context.flags, context.inverse_flags, core.flags)  # each knows its short names, but does not list them
        is_unknown = token.startswith("-") and not any(token in flags for flags in known)
        if is_in_task and is_unknown and not machine.waiting_for_flag_value:
            machine.error(f"No idea what {token!r} is!")
        try:
            handle(machine, token)
        except InputError as error:
            raise Exit(f"error: {error}", BAD_INPUT) from error
        except ValueError:
            machine.error(f"{machine.flag!r} does not take {token!r}!")

    def end_option(machine: ParseMachine) -> None:
        if machine.flag is not None and machine.flag.kind is list and not machine.flag_got_value:
            machine.error(f"Flag {machine.flag!r} needed value and was not given one!")
        complete(machine)

    def finish(program: Program) -> None:
        with ended_by_sentences():
            try:
                clean_up(program)
            except ParseError as error:
                raise Exit(f"error: {error} See `./run invoke --list`.", BAD_INPUT) from error
            finally:
                sys.stdout.flush()

    methods = (
        (ParseMachine, "error", refuse),
        (ParseMachine, "handle", take),
        (ParseMachine, "complete_flag", end_option),
        (Program, "parse_cleanup", finish),
    )
    for owner, name, method in methods:
        setattr(owner, name, method)
