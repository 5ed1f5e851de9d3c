"""By-products, such as transcripts, locks and caches: kept where they can be.

Where one cannot, because a disk is full or a folder is read-only, that is said once and the work goes on without it.
What somebody asked for is a product instead: where it cannot be written, the command refuses.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from priot_hil.reference.errors import InputError

Say = Callable[[str], None]


def _to_stderr(sentence: str) -> None:
    print(f"note: {sentence}", file=sys.stderr, flush=True)


_say: Say = _to_stderr
_said: set[tuple[Say, str]] = set()


def use_listener(say: Say | None) -> Say:
    """Sends all further sentences to a function, to standard error where it is None; returns the one before."""
    global _say
    earlier, _say = _say, say or _to_stderr
    return earlier


@contextmanager
def by_product(what: str, folder: Path | str) -> Iterator[None]:
    """Ends the block where it cannot write, says so once, and lets the work go on.

    Args:
        what: What the block keeps, as the subject of a sentence in the plural: "transcripts".
        folder: Where it keeps it.
    """
    try:
        yield
    except OSError as error:
        say_not_kept(what, folder, error)
    except InputError as error:  # the sentence of one that could be a product too
        if not isinstance(error.__cause__, OSError):
            raise
        say_not_kept(what, folder, error.__cause__)


def say_not_kept(what: str, folder: Path | str, error: OSError) -> None:
    """Says that a by-product is missing; the same of the same folder only once."""
    sentence = f"{what} are not kept in {folder} ({reason(error)}); the work goes on without them"
    if (_say, sentence) not in _said:
        _said.add((_say, sentence))
        _say(sentence)


def reason(error: OSError) -> str:
    """Why a file could not be written, in the system's words."""
    return error.strerror or str(error) or type(error).__name__
