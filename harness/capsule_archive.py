"""A capsule's file: named arrays in an ``.npz`` without pickles, written whole or not at all."""

import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from priot_hil.reference.errors import InputError

Arrays = dict[str, Any]


class CapsuleError(InputError):
    """A capsule, or the file it should come from, is not legal."""


def load_arrays(path: Path) -> Arrays:
    """Read the arrays of an .npz file, without its pickles.

    Raises:
        CapsuleError: The file is missing, damaged, or holds something else than arrays.
    """
    do = "check the path, or write the capsule again"
    try:
        with zipfile.ZipFile(path) as members:
            names = members.namelist()
        odd = [name for name in names if not name.endswith(".npy") or names.count(name) > 1]
        if odd:
            raise CapsuleError.about("file", expected="each array once as .npy", got=f"{odd[0]!r}", do="remove it")
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except InputError:
        raise
    except (
        OSError,
        ValueError,
        EOFError,
        KeyError,
        RuntimeError,
        MemoryError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        # The first sentence only: NumPy's second one advises to load the pickle.
        got = f"{type(error).__name__}: {error}".splitlines()[0].split(". ")[0]
        raise CapsuleError.about("file", expected="a readable .npz without pickles", got=got, do=do) from error


def save_arrays(path: Path, arrays: Arrays) -> None:
    """Write arrays: equal ones give equal bytes, and a broken write leaves no file.

    Args:
        path: The file to write or replace; its folder is made if need be.
        arrays: By name.
    """
    # A transposed view holds the same numbers in another order of bytes.
    ordered = {name: np.require(array, requirements="C") for name, array in arrays.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with aside.open("wb") as file:
            np.savez_compressed(file, **ordered)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def parse_mask(name: str, mask: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Turn a mask as it is stored, uint8 zeros and ones, into bool of the same shape.

    Raises:
        CapsuleError: Another dtype, or another number in it.
    """
    if mask.dtype != np.uint8 or (mask > 1).any():
        got = f"{mask.dtype} up to {mask.max()}" if mask.size else f"{mask.dtype}"
        raise CapsuleError.about(name, expected="uint8 zeros and ones", got=got, do="write 1 where the edge is scored")
    return mask.astype(np.bool_)
