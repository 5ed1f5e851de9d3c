"""The two checks that every input goes through: whole numbers in a range, and int8 tensors without -128."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from .errors import InputError
from .ranges import VALUE, Range

Int8Array = npt.NDArray[np.int8]
Int32Array = npt.NDArray[np.int32]
BoolArray = npt.NDArray[np.bool_]


def check_range(what: str, value: object, low: int, high: int, error: type[InputError] = InputError) -> None:
    """Refuse a value that is not a whole number in low..high; for ranges that depend on the case, see `ranges`.

    Args:
        what: Name of the value for the message.
        value: The value; Python and NumPy integers pass, booleans do not.
        low: Smallest legal value.
        high: Largest legal value.
        error: The refusal to raise.

    Raises:
        InputError: The value is not a whole number, or outside the range.
    """
    Range(low, high).check(what, value, error)


def check_tensor(what: str, tensor: object, shape: tuple[int, ...], error: type[InputError] = InputError) -> None:
    """Refuse anything but an int8 array of the given shape with values in -127..127.

    Args:
        what: Name of the tensor for the message.
        tensor: The candidate.
        shape: The only legal shape.
        error: The refusal to raise.

    Raises:
        InputError: Not an array, another dtype or shape, or -128 in it.
    """
    if not isinstance(tensor, np.ndarray) or tensor.dtype != np.int8:
        got = f"dtype {tensor.dtype}" if isinstance(tensor, np.ndarray) else type(tensor).__name__
        raise error.about(what, expected="an int8 array", got=got, do=f"convert the values to int8 in {VALUE}")
    if tensor.shape != shape:
        raise error.about(what, expected=f"shape {shape}", got=f"shape {tensor.shape}", do="reshape or correct it")
    if tensor.size and int(tensor.min()) < VALUE.low:
        where = tuple(int(i) for i in np.argwhere(tensor == -128)[0])
        raise error.about(what, expected=f"values in {VALUE}", got=f"-128 at {where}", do="clip the values to -127")


def check_keys(what: str, keys: Iterable[object], expected: Iterable[object], error: type[InputError]) -> None:
    """Refuse keys that are missing or that nobody asked for.

    Args:
        what: Name of the collection for the message.
        keys: The keys it has.
        expected: The keys it must have, no more and no fewer.
        error: The refusal to raise.

    Raises:
        InputError: The two sets differ.
    """
    got, wanted = list(keys), list(expected)
    if set(got) != set(wanted):
        raise error.about(what, expected=f"keys {wanted}", got=f"keys {got}", do="give each of them once and no other")
