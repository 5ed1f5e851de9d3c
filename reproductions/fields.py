"""Tables of a TOML file, read key by key and checked."""

from collections.abc import Collection, Mapping
from datetime import date
from enum import StrEnum
from math import isfinite
from typing import Any, TypeVar

from priot_hil.reference.checks import check_range
from priot_hil.reference.errors import InputError

DO = "correct the file"
KIND_NAMES = {
    str: "text",
    int: "a whole number",
    bool: "true or false",
    list: "a list",
    dict: "a table",
    date: "a date",
}

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as a file has them: members of enumerations as their texts."""
    return {name: value.value if isinstance(value, StrEnum) else value for name, value in values.items()}


class Fields:
    """A table of a file, whose keys are taken one by one so that what is left over is unknown.

    Args:
        name: What to call it in a refusal.
        content: The table.
        do: What to do about a refusal.
    """

    def __init__(self, name: str, content: Mapping[str, Any], do: str = DO) -> None:
        self._name = name
        self._left = dict(content)
        self._do = do

    def __contains__(self, key: str) -> bool:
        return key in self._left

    def take(self, key: str, kind: type[T]) -> T:
        """A value of a type."""
        got = repr(self._left[key]) if key in self._left else "nothing"
        value = self._left.pop(key, None)
        if type(value) is not kind:
            raise InputError.about(f"{self._name}: {key}", expected=KIND_NAMES[kind], got=got, do=self._do)
        return value

    def number(self, key: str, low: int, high: int) -> int:
        """A whole number in a range."""
        value = self.take(key, int)
        check_range(f"{self._name}: {key}", value, low, high)
        return value

    def numbers(self, key: str, low: int, high: int) -> tuple[int, ...]:
        """One or more different whole numbers in a range."""
        values = self.take(key, list)
        for value in values:
            check_range(f"{self._name}: {key}", value, low, high)
        if len(set(values)) != len(values) or not values:
            raise InputError.about(f"{self._name}: {key}", expected="different numbers", got=values, do=self._do)
        return tuple(values)

    def real(self, key: str) -> float:
        """A finite number, whole or not."""
        value = self._left.pop(key, None)
        if type(value) not in (int, float) or not isfinite(value):
            got = "nothing" if value is None else repr(value)
            raise InputError.about(f"{self._name}: {key}", expected="a number", got=got, do=self._do)
        return float(value)

    def texts(self, key: str, known: Collection[str]) -> tuple[str, ...]:
        """One or more different texts out of those known."""
        values = self.take(key, list)
        if not values or len(set(map(str, values))) != len(values) or any(value not in known for value in values):
            expected = f"different ones of {', '.join(known)}"
            raise InputError.about(f"{self._name}: {key}", expected=expected, got=values, do=self._do)
        return tuple(values)

    def text(self, key: str, known: Collection[str]) -> str:
        """A text out of those known."""
        value = self.take(key, str)
        if value not in known:
            expected = f"one of {', '.join(known)}"
            raise InputError.about(f"{self._name}: {key}", expected=expected, got=repr(value), do=self._do)
        return value

    def choice(self, key: str, kind: type[E]) -> E:
        """A member of an enumeration."""
        value = self.take(key, str)
        if value not in list(kind):
            expected = f"one of {list(map(str, kind))}"
            raise InputError.about(f"{self._name}: {key}", expected=expected, got=value, do=self._do)
        return kind(value)

    def check_nothing_left(self) -> None:
        """Refuse what nobody took."""
        if self._left:
            got = ", ".join(self._left)
            raise InputError.about(f"{self._name}: keys", expected="only known ones", got=got, do=self._do)
