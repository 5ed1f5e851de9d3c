"""The case behind a failure: carried by the exception until its test has ended, then kept as a capsule."""

import contextlib
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hypothesis.errors import HypothesisException

from priot_hil.reference.errors import InputError

from .byproducts import by_product
from .cases import Case, case_id, size_of, write_case
from .divergence import Mismatch
from .replay import AnyEngine, replay
from .shrink import smaller

FOLDER = Path("failures")
CASE = "__priot_case__"


@dataclass
class Current:
    """What this process is at; for those who cannot wait for an exception.

    Attributes:
        ahead: Each case is written here before it runs, and stays if the process dies over it; None to save the time.
        folder: Where failing cases are kept.
        device: What the test at work runs on; None where it takes no engine.
        failed: Its last case that failed, which of a search that is broken off is the smallest known.
    """

    ahead: Path | None = None
    folder: Path = FOLDER
    device: str | None = None
    failed: Case | None = None


current = Current()


def expect_equal(case: Case, engine: AnyEngine) -> None:
    """Replay a case.

    Raises:
        Mismatch: The engine diverges; it carries the case.
        Exception: Whatever the engine raised, which carries the case too.
    """
    with blaming(case):
        if (divergence := replay(case, engine)) is not None:
            raise Mismatch(divergence)


@contextlib.contextmanager
def blaming(case: Case) -> Iterator[None]:
    """Let whatever goes wrong inside carry this case, mismatch or crash, so that the plugin can keep it.

    While hypothesis shrinks, each smaller case has an exception of its own, and the one that is reported carries the
    smallest. A `LinkLost` carries nothing: it is no verdict.
    """
    if current.ahead is not None:
        with by_product("cases that are about to run", current.ahead.parent):
            write_case(current.ahead, case)
    try:
        yield
    except HypothesisException:
        raise  # an assumption that does not hold is no failure
    except Exception as error:
        if not hasattr(error, CASE):
            setattr(error, CASE, case)
            current.failed = case
        raise


def cases_in(error: BaseException) -> list[tuple[BaseException, Case]]:
    """Each exception that carries a case, with it: this one, or those of a group where hypothesis found several."""
    if isinstance(error, BaseExceptionGroup):
        return [found for inner in error.exceptions for found in cases_in(inner)]
    case: Case | None = getattr(error, CASE, None)
    return [] if case is None else [(error, case)]


def keep(case: Case, folder: Path, device: str | None) -> list[str]:
    """Write a case as a capsule.

    Args:
        case: The case.
        folder: Where to.
        device: Its name as `--device` has it, for the replay; None where it is not known.

    Returns:
        What to tell: the capsule with its size and the command that replays it, or why there is none.
    """
    try:
        path = folder / f"{case_id(case)}.npz"
        write_case(path, case)
    except (InputError, OSError) as error:
        return [f"capsule: none, {error}"]
    on = "" if device is None else f" --device {shlex.quote(device)}"
    command = f"./run invoke replay --capsule {shlex.quote(str(path))}{on}"
    return [f"capsule: {path}  ({size_of(case)})", f"replay:  {command}"]


def seen_of(case: Case, engine: AnyEngine) -> tuple[str, str] | None:
    """What goes wrong when a case runs on its own: its kind and its message; None where nothing does.

    Raises:
        LinkLost: The device does not answer: no verdict.
    """
    try:
        divergence = replay(case, engine)
    except Exception as crash:
        return type(crash).__name__, f"{type(crash).__name__}: {crash}"
    return None if divergence is None else (f"{Mismatch.__name__} of {divergence.tensor}", str(divergence))


def reduced(case: Case, engine: AnyEngine, seconds: float) -> tuple[Case, str]:
    """A failing case as small as it gets.

    Args:
        case: The case that failed.
        engine: On which.
        seconds: To spend on it at most.

    Returns:
        The case, and what to tell of it beside: what the smaller one gives, or that it takes more than the case.

    Raises:
        LinkLost: The device does not answer any more.
    """
    seen = seen_of(case, engine)
    if seen is None:
        return case, "the capsule alone replays equal: the failure takes what the engine did before, or chance"
    kind = seen[0]

    def fails(candidate: Case) -> bool:
        found = seen_of(candidate, engine)
        return found is not None and found[0] == kind

    small = smaller(case, fails, seconds)
    found = None if small is case else seen_of(small, engine)
    return small, "" if found is None else f"smaller still: {found[1]}"
