"""Archives of arrays whose bytes are the same on every machine."""

import hashlib
import io
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from priot_hil.reference.errors import InputError

Arrays = dict[str, npt.NDArray[Any]]


def sha256(content: bytes | memoryview) -> str:
    """The SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def pack(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Put arrays into an uncompressed `.npz`.

    `numpy.savez` writes the same arrays, but notes the operating system beside them.

    Args:
        arrays: By name; little-endian where they have more than one byte.

    Returns:
        The archive; equal arrays in equal order give equal bytes.
    """
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as members:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy")
            entry.create_system = 3
            members.writestr(entry, member.getvalue())
    return archive.getvalue()


def unpack(content: bytes, what: str, do: str) -> Arrays:
    """Take the arrays out of an `.npz`; its checksums are verified on the way.

    Args:
        content: The archive.
        what: What to call it in a refusal.
        do: What to do about a damaged one.

    Returns:
        The arrays by name.

    Raises:
        InputError: It is damaged, or holds anything but plain arrays.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, KeyError, AttributeError, zipfile.BadZipFile) as error:
        got = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError.about(what, expected="a whole .npz archive of plain arrays", got=got, do=do) from error
