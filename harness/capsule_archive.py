"""A capsule's file: JSON and named arrays, vouched for by a manifest, written whole or not at all."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from priot_hil.reference.errors import InputError

from . import capsule_meta
from .archive import Arrays, pack, unpack
from .files import read_whole, write_aside
from .manifest import contents_of, vouched

__all__ = ["Arrays", "CapsuleError", "load", "parse_mask", "save"]

DO = "check the path, or write it again"


class CapsuleError(InputError):
    """A capsule, or the file it should come from, is not legal."""


def load(path: Path) -> tuple[dict[str, Any], Arrays]:
    """Read a capsule's file.

    Returns:
        The JSON, whose format and mode are known and belong together, and the other arrays by name.

    Raises:
        InputError: The file is missing or damaged, or no capsule's; its path is left to the caller.
    """
    contents = contents_of(unpack(read_whole(path, "file", DO), "file", DO))
    capsule_meta.check_format(contents.meta, contents.is_vouched_for)
    return contents.meta, contents.arrays


def save(path: Path, meta: Mapping[str, Any], arrays: Arrays) -> None:
    """Write a capsule's file: equal ones have equal bytes, and a broken write leaves what was there.

    Args:
        path: The file to write or replace; its folder is made if need be.
        meta: Its JSON.
        arrays: The others by name.

    Raises:
        InputError: The file cannot be written.
    """
    write_aside(path, pack(vouched(meta, arrays)))


def parse_mask(name: str, mask: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Turn a mask as it is stored, uint8 zeros and ones, into bool of the same shape.

    Raises:
        CapsuleError: Another dtype, or another number in it.
    """
    if mask.dtype != np.uint8 or (mask > 1).any():
        got = f"{mask.dtype} up to {mask.max()}" if mask.size else f"{mask.dtype}"
        raise CapsuleError.about(name, expected="uint8 zeros and ones", got=got, do="write 1 where the edge is scored")
    return mask.astype(np.bool_)
