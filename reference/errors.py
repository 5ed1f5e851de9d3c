"""Refusals: what a user can put right, said in one sentence."""

from typing import Self


class InputError(ValueError):
    """Something a user gave is not legal; the message says what, what was expected, what came and what to do."""

    @classmethod
    def about(cls, what: str, *, expected: object, got: object, do: str) -> Self:
        """Build the error with its sentence in the one form that every refusal has.

        Args:
            what: The thing refused, e.g. ``"theta"``.
            expected: What would be legal.
            got: What came instead.
            do: What to do about it, as an imperative without a full stop.

        Returns:
            The error, to be raised by the caller.
        """
        return cls(f"{what}: expected {expected}, got {got}; {do}.")


class IllegalNetwork(InputError):
    """A network whose geometry does not fit together or whose sums could overflow int32."""


class ShiftError(InputError):
    """A shift outside 0..31."""


class IllegalRun(InputError):
    """A model, method and initial state that do not fit together."""


class NotReady(InputError):
    """An engine was asked for something before it was given what that needs."""
