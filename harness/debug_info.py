"""What an image's debugging information says: its variables, their types, and which source each byte comes from."""

from collections import Counter
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from elftools.dwarf.die import DIE
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import Section

from priot_hil.harness.firmware import symbol_table
from priot_hil.reference.errors import InputError

TRANSPARENT = ("DW_TAG_typedef", "DW_TAG_const_type", "DW_TAG_volatile_type")
POINTER_BYTES = 4
OP_ADDRESS = 0x03
SIGNED = (0x05, 0x06)  # DW_ATE_signed, DW_ATE_signed_char
DO = "give the image's second ELF, the one with -debug in its name"


class DebugInfo:
    """The DWARF of an RP2040 image.

    Args:
        elf: `Image.debug`, whose addresses are those of `Image.elf`.

    Raises:
        InputError: It has no debugging information.
    """

    def __init__(self, elf: Path) -> None:
        self._path = elf
        self._file = elf.open("rb")
        self._elf = ELFFile(self._file)
        if not self._elf.has_dwarf_info():
            raise InputError.about(str(elf), expected="debugging information", got="none", do=DO)
        self._units = list(self._elf.get_dwarf_info().iter_CUs())

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def read_variable(self, name: str, read: Callable[[int, int], bytes]) -> Any:
        """A variable as Python values.

        Args:
            name: Of the variable; no other variable of the image may have it.
            read: Gives so many bytes at an address, `Rp2040.read` for one.

        Returns:
            An int for a number or pointer, a list for an array, a dict by member for a structure.

        Raises:
            InputError: There is none of that name, or there are several.
        """
        found = [die for die, _ in self._placed if _is_variable(die) and _name(die) == name]
        if len(found) != 1:
            expected = "one variable of that name"
            raise InputError.about(f"{name} in {self._path}", expected=expected, got=len(found), do="name another one")
        kind = _type_of(found[0])
        return _decoded(kind, read(_address(found[0]), _size(kind)), 0)

    def size_of(self, name: str) -> int:
        """The bytes of a type by its name.

        Raises:
            InputError: There is none of that name.
        """
        for unit in self._units:
            for die in unit.get_top_DIE().iter_children():
                if die.tag == "DW_TAG_typedef" and _name(die) == name:
                    return _size(die)
        raise InputError.about(f"type {name} in {self._path}", expected="a typedef", got="none", do="name another one")

    def bytes_by_source(self, *, stored: bool) -> Counter[str]:
        """The bytes of functions and variables by their source file.

        Args:
            stored: Those that the image brings along (code and constants); else those that start-up clears or leaves.

        Returns:
            The bytes by source; what belongs to none, such as alignment and sections without debugging information,
            under the empty string. Their sum is that of the sections.
        """
        counted: Counter[str] = Counter()
        sections = [s for s in self._elf.iter_sections() if _is_stored(s) is stored]
        ranges = [range(s["sh_addr"], s["sh_addr"] + s["sh_size"]) for s in sections]
        for die, source in self._placed:
            address = _address(die) & ~1
            if any(address in part for part in ranges):
                counted[source] += self._symbol_bytes.get(address, 0)
        counted[""] = sum(map(len, ranges)) - counted.total()
        return counted

    @cached_property
    def _symbol_bytes(self) -> dict[int, int]:
        symbols = [symbol for symbol in symbol_table(self._elf).iter_symbols() if symbol["st_size"]]
        return {symbol["st_value"] & ~1: symbol["st_size"] for symbol in symbols}

    @cached_property
    def _placed(self) -> list[tuple[DIE, str]]:
        """Functions and variables that have an address, each with its source file."""
        placed = []
        for unit in self._units:
            source = _name(unit.get_top_DIE()).removeprefix("./")
            placed += [(die, source) for die in unit.iter_DIEs() if _is_function(die) or _is_variable(die)]
        return placed


def _is_stored(section: Section) -> bool | None:
    """Whether the image brings the section's bytes along; None where the device never has them."""
    return section["sh_type"] != "SHT_NOBITS" if section["sh_flags"] & SH_FLAGS.SHF_ALLOC else None


def _name(die: DIE) -> str:
    attribute = die.attributes.get("DW_AT_name")
    return "" if attribute is None else str(attribute.value.decode())


def _is_function(die: DIE) -> bool:
    return die.tag == "DW_TAG_subprogram" and "DW_AT_low_pc" in die.attributes


def _is_variable(die: DIE) -> bool:
    """Whether it is a variable with a fixed address."""
    location = die.attributes.get("DW_AT_location") if die.tag == "DW_TAG_variable" else None
    return location is not None and location.form == "DW_FORM_exprloc" and location.value[0] == OP_ADDRESS


def _address(die: DIE) -> int:
    if _is_function(die):
        return int(die.attributes["DW_AT_low_pc"].value)
    return int.from_bytes(bytes(die.attributes["DW_AT_location"].value[1:5]), "little")


def _type_of(die: DIE) -> DIE:
    kind = die.get_DIE_from_attribute("DW_AT_type")
    return _type_of(kind) if kind.tag in TRANSPARENT else kind


def _count(array: DIE) -> int:
    """Elements of an array of one dimension."""
    (dimension,) = array.iter_children()
    if "DW_AT_count" in dimension.attributes:
        return int(dimension.attributes["DW_AT_count"].value)
    return int(dimension.attributes["DW_AT_upper_bound"].value) + 1


def _size(die: DIE) -> int:
    if die.tag in TRANSPARENT:
        return _size(_type_of(die))
    if die.tag == "DW_TAG_array_type":
        return _count(die) * _size(_type_of(die))
    if die.tag == "DW_TAG_pointer_type":
        return POINTER_BYTES
    return int(die.attributes["DW_AT_byte_size"].value)


def _decoded(kind: DIE, data: bytes, offset: int) -> Any:
    if kind.tag == "DW_TAG_structure_type":
        members = [die for die in kind.iter_children() if die.tag == "DW_TAG_member"]
        return {
            _name(member): _decoded(
                _type_of(member), data, offset + int(member.attributes["DW_AT_data_member_location"].value)
            )
            for member in members
        }
    if kind.tag == "DW_TAG_array_type":
        element = _type_of(kind)
        return [_decoded(element, data, offset + i * _size(element)) for i in range(_count(kind))]
    encoding = kind.attributes.get("DW_AT_encoding")
    is_signed = encoding is not None and encoding.value in SIGNED
    return int.from_bytes(data[offset : offset + _size(kind)], "little", signed=is_signed)
