"""A file's JSON and arrays with a hash that vouches for all of them: none is lost, added or changed unseen.

The file is an archive of arrays, of which `meta`, one text, is the JSON. Its entry `sha256` is the manifest.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from priot_hil.reference.checks import check_keys
from priot_hil.reference.errors import InputError

from .archive import Arrays
from .schema import Location, parse_json

META = "meta"
MANIFEST = "sha256"


OF_ANOTHER_FORM = (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError)
"""What it raises to take JSON and arrays apart that are not of the form expected."""


@dataclass(frozen=True, eq=False)
class Contents:
    """What a file holds.

    Attributes:
        meta: Its JSON, an object, without the manifest.
        arrays: Its other arrays by name.
        is_vouched_for: Whether it had a manifest, which then fits.
    """

    meta: dict[str, Any]
    arrays: Arrays
    is_vouched_for: bool


def digest(meta: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> str:
    """The SHA-256 of a file's contents, in hexadecimal.

    It covers the JSON in ASCII, keys sorted, without spaces, and a line end; then of each array, in the order of names,
    a line of its name, NumPy's name of its type in little-endian order, and its shape, and its bytes in C order.

    Args:
        meta: JSON as it is read, without the manifest.
        arrays: By name.
    """
    found = hashlib.sha256(json.dumps(meta, sort_keys=True, separators=(",", ":")).encode() + b"\n")
    for name, array in sorted(arrays.items()):
        plain = array.astype(array.dtype.newbyteorder("<"), copy=False)
        found.update(f"{name} {plain.dtype.str} {plain.shape}\n".encode() + plain.tobytes())
    return found.hexdigest()


def vouched(meta: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Arrays:
    """The arrays of a file with its manifest, to be packed.

    Args:
        meta: JSON.
        arrays: By name; `meta` is none of them.
    """
    read = json.loads(json.dumps(meta))  # what a reader will have: lists for tuples, texts for keys
    return {META: np.array(json.dumps({**meta, MANIFEST: digest(read, arrays)})), **arrays}


def contents_of(arrays: Mapping[str, npt.NDArray[Any]]) -> Contents:
    """What the arrays of a file say, verified by its manifest where there is one.

    Raises:
        InputError: There is no JSON, or the manifest is not that of these contents.
    """
    check_keys("arrays", arrays.keys() & {META}, {META}, InputError)
    others = {name: array for name, array in arrays.items() if name != META}
    meta = _parsed(arrays[META])
    if MANIFEST not in meta:
        return Contents(meta, others, is_vouched_for=False)
    expected = meta.pop(MANIFEST)
    if expected != (found := digest(meta, others)):
        names = ", ".join(sorted(others)) or "no arrays"
        do = "take a whole copy of the file, or write it again"
        got = f"{found[:16]}... of {names}"
        raise InputError.about("contents", expected=f"SHA-256 {str(expected)[:16]}...", got=got, do=do)
    return Contents(meta, others, is_vouched_for=True)


def of_another_form(what: str, expected: str, error: Exception, do: str) -> InputError:
    """The refusal of contents that raised one of `OF_ANOTHER_FORM`.

    Args:
        what: What was read.
        expected: What it should be.
        error: What was raised.
        do: What to do about it.
    """
    got = str(error) if isinstance(error, InputError) else f"{type(error).__name__} {error}"
    return InputError.about(what, expected=expected, got=" ".join(got.rstrip(".").split()), do=do)


def _parsed(array: npt.NDArray[Any]) -> dict[str, Any]:
    """The JSON object that a text is."""
    if array.ndim != 0 or array.dtype.kind != "U":
        got = f"{array.dtype} of shape {array.shape}"
        raise InputError.about(META, expected="a 0-d unicode array", got=got, do="store the JSON text as one string")
    place = Location(META, "a JSON object", "write the file again")
    meta = parse_json(array.item().encode(errors="surrogatepass"), place)
    if not isinstance(meta, dict):
        raise place.refusal(got=type(meta).__name__)
    return meta
