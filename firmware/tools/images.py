"""Turns a linked RP2040 ELF into what a board takes: the checked boot2, a BIN and a UF2.

    images.py boot2 boot2.elf boot2_image.S     256 bytes with their CRC, as assembly to link
    images.py pack priot-ram.elf priot-ram.bin priot-ram.uf2

Formats: RP2040 datasheet, section 2.8.1.3.1 (boot2 checksum); UF2 specification, family 0xe48bff56.
"""

import struct
import sys
from pathlib import Path

from elftools.elf.elffile import ELFFile

BOOT2_BYTES = 256
UF2_PAYLOAD = 256
UF2_HEADER = struct.Struct("<8I")
UF2_MAGIC = (0x0A324655, 0x9E5D5157)
UF2_END = 0x0AB16F30
UF2_FAMILY_PRESENT = 0x2000
RP2040_FAMILY = 0xE48BFF56


def crc32_boot2(code: bytes) -> int:
    """Checksum that the bootrom demands of boot2.

    Args:
        code: the first 252 bytes of boot2.

    Returns:
        CRC-32 with polynomial 0x04c11db7 and initial value 0xffffffff, not reflected, without final xor.
    """
    crc = 0xFFFFFFFF
    for byte in code:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1) ^ (0x04C11DB7 if crc & 0x80000000 else 0)
            crc &= 0xFFFFFFFF
    return crc


def read_image(elf: Path) -> tuple[int, bytes]:
    """Loadable bytes of an ELF at their load addresses.

    Args:
        elf: a linked image.

    Returns:
        The lowest load address and all bytes from there on; gaps are zero.

    Raises:
        SystemExit: nothing in it is loaded.
    """
    with elf.open("rb") as file:
        segments = [
            (segment["p_paddr"], segment.data())
            for segment in ELFFile(file).iter_segments()
            if segment["p_type"] == "PT_LOAD" and segment["p_filesz"]
        ]
    if not segments:
        raise SystemExit(f"error: {elf} holds no bytes to load")
    base = min(address for address, _ in segments)
    image = bytearray(max(address + len(data) for address, data in segments) - base)
    for address, data in segments:
        image[address - base : address - base + len(data)] = data
    return base, bytes(image)


def pack_uf2(base: int, image: bytes) -> bytes:
    """UF2 blocks for an image that starts at `base`, a multiple of 256; the last block is filled with zeros."""
    if base % UF2_PAYLOAD:
        raise SystemExit(f"error: a UF2 starts at a multiple of {UF2_PAYLOAD}, not at {base:#x}")
    count = -(-len(image) // UF2_PAYLOAD)
    blocks = bytearray()
    for number in range(count):
        offset = number * UF2_PAYLOAD
        payload = image[offset : offset + UF2_PAYLOAD].ljust(476, b"\0")
        blocks += UF2_HEADER.pack(
            *UF2_MAGIC, UF2_FAMILY_PRESENT, base + offset, UF2_PAYLOAD, number, count, RP2040_FAMILY
        )
        blocks += payload + struct.pack("<I", UF2_END)
    return bytes(blocks)


def sign_boot2(elf: Path) -> bytes:
    """The 256 bytes of boot2: code, zeros, and the checksum in the last word."""
    _, code = read_image(elf)
    if len(code) > BOOT2_BYTES - 4:
        raise SystemExit(f"error: boot2 takes {len(code)} bytes, at most {BOOT2_BYTES - 4} are possible")
    code = code.ljust(BOOT2_BYTES - 4, b"\0")
    return code + struct.pack("<I", crc32_boot2(code))


def assembly(data: bytes) -> str:
    """Assembly that places `data` in the section .boot2."""
    rows = [data[start : start + 16] for start in range(0, len(data), 16)]
    lines = ["    .byte " + ", ".join(f"0x{byte:02x}" for byte in row) for row in rows]
    return "\n".join(['    .section .boot2, "a"', *lines, ""])


def write(path: Path, data: bytes) -> None:
    """Write aside, then rename: a file is whole or not there."""
    aside = path.with_name(path.name + ".part")
    aside.write_bytes(data)
    aside.replace(path)


def main(arguments: list[str]) -> int:
    """Run one of the two commands of the module's docstring."""
    match arguments:
        case ["boot2", elf, output]:
            write(Path(output), assembly(sign_boot2(Path(elf))).encode())
        case ["pack", elf, binary, uf2]:
            base, image = read_image(Path(elf))
            write(Path(binary), image)
            write(Path(uf2), pack_uf2(base, image))
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
