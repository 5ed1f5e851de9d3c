"""Refuses an ELF that holds an instruction outside ARMv6-M, or a helper for floating point.

    check_isa.py priot-ram.elf ...

An assembler stops most of them, but inline assembly, a wrong -mcpu or a runtime library can still bring one in, and
emulators run many of them without a word; the RP2040 does not. The mapping symbols $t and $d tell code from data.

Source: ARMv6-M Architecture Reference Manual, chapter A5 (instruction set encoding) and B5 (special registers).
"""

import re
import struct
import sys
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import Section, SymbolTableSection

# (mask, value) of every 16-bit encoding; what fits none is refused.
NARROW = (
    (0xC000, 0x0000),  # shifts, ADDS, SUBS, MOVS, CMP with immediates or low registers
    (0xFC00, 0x4000),  # data processing on low registers, MULS
    (0xFF00, 0x4400),  # ADD, any register
    (0xFFC0, 0x4540),  # CMP, any register: low with high ...
    (0xFF80, 0x4580),  # ... and high with any
    (0xFF00, 0x4600),  # MOV, any register
    (0xFF07, 0x4700),  # BX, BLX
    (0xF800, 0x4800),  # LDR literal
    (0xF000, 0x5000),  # loads and stores, register offset
    (0xE000, 0x6000),  # STR, LDR, STRB, LDRB, immediate offset
    (0xF000, 0x8000),  # STRH, LDRH, immediate offset
    (0xF000, 0x9000),  # STR, LDR, SP-relative
    (0xF000, 0xA000),  # ADR; ADD to SP
    (0xFF00, 0xB000),  # ADD SP, SUB SP
    (0xFF00, 0xB200),  # SXTH, SXTB, UXTH, UXTB
    (0xFE00, 0xB400),  # PUSH
    (0xFFFF, 0xB662),  # CPSIE i
    (0xFFFF, 0xB672),  # CPSID i
    (0xFF80, 0xBA00),  # REV, REV16
    (0xFFC0, 0xBAC0),  # REVSH
    (0xFE00, 0xBC00),  # POP
    (0xFF00, 0xBE00),  # BKPT
    (0xFFCF, 0xBF00),  # NOP, YIELD, WFE, WFI
    (0xFFFF, 0xBF40),  # SEV
    (0xF000, 0xC000),  # STM, LDM
    (0xF000, 0xD000),  # conditional branches, UDF, SVC
    (0xF800, 0xE000),  # B
)
# The same for 32-bit encodings, first halfword in the upper half.
WIDE = (
    (0xF800D000, 0xF000D000),  # BL
    (0xFFF0FF00, 0xF3808800),  # MSR
    (0xFFFFF000, 0xF3EF8000),  # MRS
    (0xFFFFFFFF, 0xF3BF8F4F),  # DSB
    (0xFFFFFFFF, 0xF3BF8F5F),  # DMB
    (0xFFFFFFFF, 0xF3BF8F6F),  # ISB
    (0xFFF0F000, 0xF7F0A000),  # UDF.W
)
SPECIAL_MOVES = ((0xFFF0FF00, 0xF3808800), (0xFFFFF000, 0xF3EF8000))
# APSR and its unions, IPSR, EPSR, IEPSR, MSP, PSP, PRIMASK, CONTROL; BASEPRI and FAULTMASK are ARMv7-M.
SPECIAL_REGISTERS = {0, 1, 2, 3, 5, 6, 7, 8, 9, 16, 20}

# The names that the ARM run-time ABI and the two compilers' libraries give to floating point.
FLOAT_HELPER = re.compile(
    r"__aeabi_c?[fd]\w+"
    r"|__aeabi_u?[hil]2[fd]\w*"
    r"|__(add|sub|mul|div|neg|eq|ne|lt|le|gt|ge|cmp|unord|powi)[hsdxt]f[23]"
    r"|__(fix|float|extend|trunc)\w+"
    r"|__gnu_(h2f|f2h|d2h)\w*"
    r"|(fma|sqrt|floor|ceil|round|rint|trunc|exp|log|pow|fabs)f?"
)
EXECUTABLE = 0x4


def is_narrow(halfword: int) -> bool:
    """Whether a 16-bit encoding belongs to ARMv6-M."""
    return any(halfword & mask == value for mask, value in NARROW)


def is_wide(word: int) -> bool:
    """Whether a 32-bit encoding (first halfword above) belongs to ARMv6-M."""
    if any(word & mask == value for mask, value in SPECIAL_MOVES):
        return word & 0xFF in SPECIAL_REGISTERS
    return any(word & mask == value for mask, value in WIDE)


def find_foreign(code: bytes, address: int) -> Iterator[tuple[int, str]]:
    """Addresses and encodings of what is not ARMv6-M in a run of Thumb code; `code` starts at `address`."""
    offset = 0
    while offset + 2 <= len(code):
        (first,) = struct.unpack_from("<H", code, offset)
        if first >> 11 < 0b11101:
            if not is_narrow(first):
                yield address + offset, f"{first:04x}"
            offset += 2
        elif offset + 4 > len(code):
            yield address + offset, f"{first:04x} (half an instruction)"
            offset += 2
        else:
            (second,) = struct.unpack_from("<H", code, offset + 2)
            if not is_wide(first << 16 | second):
                yield address + offset, f"{first:04x} {second:04x}"
            offset += 4


def code_runs(section: Section, marks: list[tuple[int, str]]) -> Iterator[tuple[int, bytes]]:
    """Runs of Thumb code in an executable section, each from a $t mark to the next mark."""
    base, data = section["sh_addr"], section.data()
    end = base + len(data)
    inside = [(address, kind) for address, kind in marks if base <= address < end]
    if not inside or inside[0][0] != base:
        raise ValueError(f"section {section.name} does not start with a mapping symbol: link without stripping")
    for (address, kind), (stop, _) in zip(inside, [*inside[1:], (end, "")], strict=True):
        if kind == "$a":
            raise ValueError(f"section {section.name} holds ARM code at {address:#x}; a Cortex-M runs Thumb only")
        if kind == "$t":
            yield address, data[address - base : stop - base]


def check(path: Path) -> list[str]:
    """Everything in an ELF that an ARMv6-M core without floating point cannot run.

    Args:
        path: a linked ELF with its symbol table.

    Returns:
        One sentence for each finding, in the order of addresses; empty where there is none.
    """
    with path.open("rb") as file:
        elf = ELFFile(file)
        table = elf.get_section_by_name(".symtab")
        if not isinstance(table, SymbolTableSection):
            return [f"{path.name} has no symbol table, so code cannot be told from data"]
        symbols = sorted((symbol["st_value"], symbol.name) for symbol in table.iter_symbols())
        marks = [(address, name[:2]) for address, name in symbols if name[:2] in ("$t", "$d", "$a")]
        functions = sorted(
            (symbol["st_value"] & ~1, symbol.name)
            for symbol in table.iter_symbols()
            if symbol["st_info"]["type"] == "STT_FUNC"
        )
        findings = [f"{name} is a floating-point helper" for _, name in symbols if FLOAT_HELPER.fullmatch(name)]
        for section in elf.iter_sections():
            if not section["sh_flags"] & EXECUTABLE or section["sh_type"] != "SHT_PROGBITS" or not section["sh_size"]:
                continue
            try:
                for start, code in code_runs(section, marks):
                    for address, encoding in find_foreign(code, start):
                        index = bisect_right(functions, (address, "\uffff")) - 1
                        where = functions[index][1] if index >= 0 else section.name
                        findings.append(f"{encoding} at {address:#010x} in {where} is not an ARMv6-M instruction")
            except ValueError as error:
                findings.append(str(error))
    return findings


def main(arguments: list[str]) -> int:
    """Check each ELF named; status 1 where anything was found."""
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    findings = [f"error: {path}: {finding}" for path in arguments for finding in check(Path(path))]
    print("\n".join(findings), file=sys.stderr, end="\n" if findings else "")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
