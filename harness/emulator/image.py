"""A firmware image: what an ELF puts where, with which rights, under which names."""

import bisect
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from priot_hil.harness.elf import DO, open_elf
from priot_hil.reference.errors import InputError

SRAM_BASE: Final = 0x20000000
SRAM_BYTES: Final = 0x42000
FLASH_BASE: Final = 0x10000000
FLASH_BYTES: Final = 0x200000
PAGE_BYTES: Final = 1024

READ, WRITE, EXECUTE = 1, 2, 4


@dataclass(frozen=True)
class Image:
    """An RP2040 image, ready to be loaded.

    Attributes:
        segments: (physical address, bytes), all within SRAM or flash.
        pages: Rights of each 1 KiB page of SRAM, then of flash: READ | WRITE | EXECUTE.
        entry: Where the core starts, without the Thumb bit.
        symbols: Name to address, without the Thumb bit.
    """

    segments: tuple[tuple[int, bytes], ...]
    pages: bytes
    entry: int
    symbols: dict[str, int]
    functions: tuple[tuple[int, int, str], ...]

    def symbol_at(self, address: int) -> str:
        """Name the function around an address as ``name+0x12``, or give the address where there is none."""
        index = bisect.bisect_right(self.functions, (address, 1 << 32, "")) - 1
        if index >= 0:
            start, size, name = self.functions[index]
            if address < start + max(size, 2):
                return f"{name}+{address - start:#x}" if address > start else name
        return f"{address:#010x}"


def read_image(path: Path) -> Image:
    """Read an ELF file for the RP2040; a file that has not changed since is not read again.

    Raises:
        InputError: No such file, not an ARM ELF, a damaged one, or a segment outside SRAM and flash.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise InputError.about(f"{path}", expected="an ELF file", got=error.strerror, do=DO) from error
    return _read_image(path.resolve(), status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=8)
def _read_image(path: Path, _modified: int, _size: int) -> Image:
    with open_elf(path) as elf:
        if elf["e_machine"] != "EM_ARM":
            raise InputError(f"{path}: expected an ELF file for ARM, got {elf['e_machine']}.")
        segments = tuple(
            (segment["p_paddr"], segment.data()) for segment in elf.iter_segments("PT_LOAD") if segment["p_filesz"]
        )
        for address, data in segments:
            if _offset(address, len(data)) is None:
                raise InputError(
                    f"{path}: expected segments within SRAM and flash, got {len(data)} bytes at {address:#010x}; "
                    f"look at the linker script."
                )
        return Image(segments, _pages(elf), elf["e_entry"] & ~1, *_symbols(elf))


def _offset(address: int, count: int) -> int | None:
    """Offset in SRAM followed by flash, as ``Image.pages`` counts; None where the range is not wholly inside one."""
    if address >= SRAM_BASE and address + count <= SRAM_BASE + SRAM_BYTES:
        return address - SRAM_BASE
    if address >= FLASH_BASE and address + count <= FLASH_BASE + FLASH_BYTES:
        return SRAM_BYTES + address - FLASH_BASE
    return None


def _pages(elf: ELFFile) -> bytes:
    """Rights by section: text is not writable, data not executable; a shared page has the rights of both.

    Text that does not lie where it runs is copied there by the firmware.
    """
    copied = [segment for segment in elf.iter_segments("PT_LOAD") if segment["p_paddr"] != segment["p_vaddr"]]
    sram_pages = SRAM_BYTES // PAGE_BYTES
    pages = bytearray([0] * sram_pages + [READ] * (FLASH_BYTES // PAGE_BYTES))
    for section in elf.iter_sections():
        flags, size = section["sh_flags"], section["sh_size"]
        first = _offset(section["sh_addr"], size)
        if not flags & SH_FLAGS.SHF_ALLOC or not size or first is None:
            continue
        rights = READ
        rights |= WRITE if flags & SH_FLAGS.SHF_WRITE else 0
        rights |= WRITE if any(segment.section_in_segment(section) for segment in copied) else 0
        rights |= EXECUTE if flags & SH_FLAGS.SHF_EXECINSTR else 0
        for page in range(first // PAGE_BYTES, (first + size - 1) // PAGE_BYTES + 1):
            pages[page] |= rights
    for page in range(sram_pages):
        pages[page] = pages[page] or READ | WRITE
    return bytes(pages)


def _symbols(elf: ELFFile) -> tuple[dict[str, int], tuple[tuple[int, int, str], ...]]:
    table = elf.get_section_by_name(".symtab")
    symbols: dict[str, int] = {}
    functions: list[tuple[int, int, str]] = []
    if isinstance(table, SymbolTableSection):
        for symbol in table.iter_symbols():
            # Mapping symbols ($t, $d) tell Thumb from data and name nothing.
            if symbol["st_shndx"] == "SHN_UNDEF" or not symbol.name or symbol.name.startswith("$"):
                continue
            is_function = symbol["st_info"]["type"] == "STT_FUNC"
            address = symbol["st_value"] & ~1 if is_function else symbol["st_value"]
            symbols[symbol.name] = address
            if is_function:
                functions.append((address, symbol["st_size"], symbol.name))
    return symbols, tuple(sorted(functions))
