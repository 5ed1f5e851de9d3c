"""Damage to a file's bytes, and what a reader makes of each damaged copy."""

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from priot_hil.reference.errors import InputError


def flips(content: bytes, stride: int = 1) -> Iterator[tuple[str, bytes]]:
    """Every single-bit flip, or each stride-th of them."""
    damaged = bytearray(content)
    for bit in range(0, 8 * len(content), stride):
        damaged[bit // 8] ^= 1 << bit % 8
        yield f"bit {bit % 8} of byte {bit // 8} flipped", bytes(damaged)
        damaged[bit // 8] ^= 1 << bit % 8


def cuts(content: bytes, stride: int = 1) -> Iterator[tuple[str, bytes]]:
    """The beginnings of every length but the whole, and the ends."""
    for length in range(0, len(content), stride):
        yield f"only the first {length} bytes", content[:length]
        yield f"only the last {length} bytes", content[len(content) - length :]


def shifts(content: bytes, stride: int = 1) -> Iterator[tuple[str, bytes]]:
    """A byte taken out, doubled or put in at every place."""
    for place in range(0, len(content), stride):
        yield f"byte {place} taken out", content[:place] + content[place + 1 :]
        yield f"byte {place} doubled", content[: place + 1] + content[place:]
        yield f"a 0 before byte {place}", content[:place] + b"\0" + content[place:]
    for more in (b"\0", b"junk", content):
        yield f"{len(more)} bytes behind", content + more
        yield f"{len(more)} bytes in front", more + content


@dataclass
class Count:
    """What became of damaged copies.

    Attributes:
        tried: How many there were.
        refused: With an `InputError` of one line.
        same: Read as the undamaged file.
        other: The rest, which must be none: what was damaged, and how it was read.
    """

    tried: int = 0
    refused: int = 0
    same: int = 0
    other: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        parts = f"tried {self.tried:,}, refused {self.refused:,}, same {self.same:,}, other {len(self.other):,}"
        return "\n    ".join([parts, *self.other[:5]])


def sweep(path: Path, read: Callable[[Path], object], damages: Iterable[tuple[str, bytes]]) -> Count:
    """Read damaged copies of a file, each in its place; a warning counts as another outcome.

    Args:
        path: The whole file, which is there again at the end.
        read: Gives all that a file says, to be compared.
        damages: What was done to it, and the copy.
    """
    content, whole, count = path.read_bytes(), read(path), Count()
    with warnings.catch_warnings(), path.open("r+b", buffering=0) as file:
        warnings.simplefilter("error")

        def write(data: bytes) -> None:
            os.pwrite(file.fileno(), data, 0)  # to make a file takes ten times as long as to read one
            file.truncate(len(data))

        for damage, damaged in damages:
            if damaged == content:
                continue  # a 0 in front of a 0 is the same as a 0 behind it
            write(damaged)
            count.tried += 1
            try:
                found = read(path)
            except InputError as error:
                count.refused += 1
                if "\n" in str(error):
                    count.other.append(f"{damage}: {error!r}")
            except Exception as error:
                count.other.append(f"{damage}: {type(error).__name__} {error}")
            else:
                count.same += found == whole
                if found != whole:
                    count.other.append(f"{damage}: read as another")
        write(content)
    return count
