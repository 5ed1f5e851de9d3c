"""Arrays in an ``.npz``: one writer, the same bytes on every machine, and one reader, strict to the byte.

`zipfile` believes each part of an archive by itself, so that one flipped bit can make a member vanish, and on damaged
bytes it and NumPy raise a dozen exceptions. Here every byte has its place: members from the first byte on without a
gap, then the directory with the same members in the same order, then its end and nothing after it. That is what
`pack`, `numpy.savez` and `numpy.savez_compressed` write.
"""

import io
import math
import re
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from priot_hil.reference.errors import InputError

Arrays = dict[str, npt.NDArray[Any]]

SUFFIX = ".npy"
MAX_INFLATED = 1 << 30
"""Bytes that compressed arrays may take in all: a damaged or hostile file is to fill no memory."""

# The zip format's records (PKWARE's APPNOTE 6.3.10, sections 4.3.7, 4.3.12, 4.3.16); x: what carries no meaning here,
# such as versions, times and rights.
LOCAL = struct.Struct("<4s2xHH4x3L2H")
CENTRAL = struct.Struct("<4s4xHH4x3L4H6xL")
END = struct.Struct("<4s4H2LH")
LOCAL_MARK, CENTRAL_MARK, END_MARK = b"PK\3\4", b"PK\1\2", b"PK\5\6"
LARGE = struct.Struct("<2H2Q")  # Zip64's sizes, which NumPy writes into every local header
LARGE_MARK = 1
IN_LARGE = 0xFFFFFFFF

# NumPy's format 1.0, as it writes numbers and texts; never an object, which would be a pickle.
MAGIC = b"\x93NUMPY\x01\x00"
DTYPE = rb"\|[biu]1|[<>](?:[iu][248]|f[248])|\|S[1-9]\d{0,7}|[<>]U[1-9]\d{0,7}"
SIZES = rb"(?:\d{1,19}(?:, \d{1,19}){0,63},?)?"
HEADER = re.compile(
    rb"\{'descr': '(" + DTYPE + rb")', 'fortran_order': (False|True), 'shape': \((" + SIZES + rb")\), \} *\n"
)
DESCR = re.compile(rb"'descr': ('[^']*')")


def pack(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Put arrays into an uncompressed ``.npz``.

    `numpy.savez` writes the same arrays, but notes the operating system beside them; and what a compressor makes of
    them depends on its version.

    Args:
        arrays: By name, of any order of memory and of bytes.

    Returns:
        The archive; equal arrays in equal order give equal bytes.
    """
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as members:
        for name, array in arrays.items():
            member = io.BytesIO()
            plain = np.require(array, np.asarray(array).dtype.newbyteorder("<"), requirements="C")
            np.lib.format.write_array(member, plain, version=(1, 0), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}{SUFFIX}")
            entry.create_system = 3
            members.writestr(entry, member.getvalue())
    return archive.getvalue()


def unpack(content: bytes, what: str, do: str) -> Arrays:
    """Take the arrays out of an ``.npz``; its checksums are verified on the way.

    Args:
        content: The archive.
        what: What to call it in a refusal.
        do: What to do about a damaged one.

    Returns:
        The arrays by name, each in C order and in this machine's order of bytes, to be written to freely.

    Raises:
        InputError: It is damaged, laid out as no known writer does it, or holds anything but plain arrays.
    """
    try:
        return {name: _array(name, data) for name, data in _members(content)}
    except (ValueError, struct.error, zlib.error) as error:
        got = "one that is cut short or damaged" if isinstance(error, struct.error) else f"{error}"
        raise InputError.about(what, expected="a whole .npz archive of plain arrays", got=got, do=do) from error


class _Entry(NamedTuple):
    """What a member's two descriptions say alike."""

    flags: int
    method: int
    crc: int
    stored: int
    size: int


def _members(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Each member's name, without its suffix, and its bytes.

    Raises:
        ValueError, struct.error, zlib.error: The archive is damaged.
    """
    end = max(0, len(content) - END.size)
    mark, disk, first_disk, here, count, size, start, comment = END.unpack(content[end:])
    if mark != END_MARK:
        raise ValueError("no zip archive, or one that goes on behind its end")
    if (disk, first_disk, here, comment) != (0, 0, count, 0) or start + size != end:
        raise ValueError("a zip archive whose end does not fit the rest")
    names: set[bytes] = set()
    offset, place, room = 0, start, MAX_INFLATED
    for _ in range(count):
        mark, *fields, name_size, extra_size, comment, disk, at = CENTRAL.unpack_from(content, place)
        place += CENTRAL.size + name_size
        entry, file = _Entry(*fields), content[place - name_size : place]
        name = _name(file)
        if mark != CENTRAL_MARK or (extra_size, comment, disk) != (0, 0, 0):
            raise ValueError("a zip directory that is damaged")
        if at != offset or file in names:
            raise ValueError(f"{name} twice, or other bytes in front of it")
        names.add(file)
        offset = _begin(content, offset, file, entry)
        data = content[offset : offset + entry.stored]
        offset += entry.stored
        if entry.method == zipfile.ZIP_DEFLATED:
            room -= entry.size
            data = _inflated(name, data, entry.size, room)
        if entry.flags or entry.method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            form = f"zip's method {entry.method}, flags {entry.flags:#x}"
            raise ValueError(f"{name} in a form that NumPy does not write ({form})")
        if len(data) != entry.size or zlib.crc32(data) != entry.crc:
            raise ValueError(f"{name} of another size or checksum than its own")
        yield name, data
    if (offset, place) != (start, end):
        raise ValueError("a zip archive with bytes that belong to no member")


def _name(file: bytes) -> str:
    """The name of an array by that of its member, which is ASCII."""
    name = file.decode("ascii", "backslashreplace")
    if not name.endswith(SUFFIX) or not name.isascii() or "\\" in name:
        raise ValueError(f"a member {name!r}, which is no array")
    return name.removesuffix(SUFFIX)


def _begin(content: bytes, offset: int, file: bytes, entry: _Entry) -> int:
    """Where the bytes of a member begin, whose own description at an offset has to be the directory's."""
    mark, *fields, name_size, extra_size = LOCAL.unpack_from(content, offset)
    behind_name: int = offset + LOCAL.size + name_size
    begin: int = behind_name + extra_size
    own, large = _Entry(*fields), (LARGE_MARK, LARGE.size - 4, entry.size, entry.stored)
    if extra_size and LARGE.unpack(content[behind_name:begin]) == large:
        extra_size = 0
        if (own.stored, own.size) == (IN_LARGE, IN_LARGE):  # as Python writes since 3.11.4
            own = own._replace(stored=entry.stored, size=entry.size)
    if (mark, content[behind_name - name_size : behind_name], own, extra_size) != (LOCAL_MARK, file, entry, 0):
        raise ValueError(f"{_name(file)} described in two ways")
    return begin


def _inflated(name: str, data: bytes, size: int, room: int) -> bytes:
    """Compressed bytes as they were, or one more than the size where they are too many."""
    if room < 0:
        raise ValueError(f"more than {MAX_INFLATED} bytes up to {name}")
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    inflated = stream.decompress(data, size + 1)
    if not stream.eof or stream.unused_data:
        raise ValueError(f"{name} that is compressed to other bytes than its own")
    return inflated


def _array(name: str, data: bytes) -> npt.NDArray[Any]:
    """The array of a member's bytes."""
    begin = len(MAGIC) + 2 + int.from_bytes(data[len(MAGIC) : len(MAGIC) + 2], "little")
    header = HEADER.fullmatch(data, len(MAGIC) + 2, begin)
    if not data.startswith(MAGIC) or header is None:
        odd = DESCR.search(data, 0, begin)
        kind = f" (dtype {odd[1].decode('ascii', 'backslashreplace')})" if odd else ""
        raise ValueError(f"{name} that is no plain array of numbers or text{kind}")
    dtype: np.dtype[Any] = np.dtype(header[1].decode())
    shape = tuple(int(size) for size in header[3].replace(b",", b" ").split())
    if math.prod(shape) * dtype.itemsize != len(data) - begin:
        raise ValueError(f"{name} of {len(data) - begin} bytes, which are no {dtype} of shape {shape}")
    order: Any = "F" if header[2] == b"True" else "C"
    try:
        array: npt.NDArray[Any] = np.ndarray(shape, dtype, data, begin, order=order)
    except (ValueError, OverflowError):
        raise ValueError(f"{name} of shape {shape}, which is too large") from None
    if dtype.kind == "U" and array.size:
        letters: npt.NDArray[np.uint32] = np.frombuffer(data, f"{dtype.byteorder}u4", offset=begin)
        if letters.max() > sys.maxunicode:  # over which Python would raise a SystemError
            raise ValueError(f"{name} of text that is none")
    return array.astype(dtype.newbyteorder("="), order="C")
