"""ELF files, opened alike: whatever is wrong with one is said in a sentence."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.construct import ConstructError
from elftools.elf.elffile import ELFFile

from priot_hil.reference.errors import InputError

# pyelftools reads lazily and trusts what it reads, so that the rest of these come out of a damaged file.
DAMAGED = (ELFError, ConstructError, struct.error, ValueError, LookupError, TypeError, AttributeError, ArithmeticError)
DO = "build the firmware again"


@contextmanager
def open_elf(path: Path) -> Iterator[ELFFile]:
    """An ELF file, open for as long as the context lasts.

    What code in it names and sizes are is not vouched for: an ELF file has no checksum.

    Raises:
        InputError: It cannot be read, is none, or is damaged where it is looked at.
    """
    try:
        with path.open("rb") as file:
            yield ELFFile(file)
    except InputError:
        raise
    except OSError as error:
        got = error.strerror or str(error)
        raise InputError.about(f"{path}", expected="a file that can be read", got=got, do=DO) from error
    except DAMAGED as error:
        got = f"something else ({type(error).__name__} {error})".replace("\n", " ")
        raise InputError.about(f"{path}", expected="an ELF file", got=got, do=DO) from error
