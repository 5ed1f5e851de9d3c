"""Places that no test reaches, each with the argument why none can or should."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from priot_hil.reference.errors import InputError

from .counts import Place

EXCEPTIONS = Path(__file__).resolve().parent / "exceptions.toml"
KEYS = {"function", "code", "outcome", "because"}


@dataclass(frozen=True)
class Exempt:
    """An exception, by what stands there rather than by a line's number, which any edit moves.

    Attributes:
        function: In which the place stands.
        code: The line without its indentation, or the condition.
        because: The argument.
        outcome: "true" or "false" of a condition; "" for a line.
    """

    function: str
    code: str
    because: str
    outcome: str = ""

    def covers(self, place: Place) -> bool:
        """Whether a place is the one meant."""
        return (self.function, self.code, self.outcome) == (place.function, place.code, place.outcome)


def read_exceptions(path: Path = EXCEPTIONS) -> tuple[Exempt, ...]:
    """The exceptions of a TOML file: `[[exception]]` with function, code, because, and outcome for a condition.

    Raises:
        InputError: An entry is not so.
    """
    found = []
    for entry in tomllib.loads(path.read_text()).get("exception", []):
        if set(entry) | {"outcome"} != KEYS or not all(isinstance(value, str) and value for value in entry.values()):
            expected = "the texts function, code, because, and outcome for a condition"
            raise InputError.about(f"exception in {path}", expected=expected, got=entry, do="correct it")
        found.append(Exempt(**entry))
    return tuple(found)


def needless(exceptions: Iterable[Exempt], missed: Iterable[Place]) -> list[Exempt]:
    """Exceptions for places that are reached, or not there any more."""
    places = tuple(missed)
    return [exempt for exempt in exceptions if not any(map(exempt.covers, places))]
