"""The images are what a board, its bootrom and the emulator take."""

import struct
import zlib
from types import ModuleType

import pytest
from elftools.elf.elffile import ELFFile

from priot_hil.harness.firmware import BoardFirmware, Image, sizes, symbolize

STACK_TOP = 0x20001000
SRAM_END = 0x20042000
DATASET = 0x10060000
USB, UART0 = 16 + 5, 16 + 20
HARD_FAULT = 3


def symbols(image: Image) -> dict[str, int]:
    """Name to address, with the Thumb bit on functions."""
    with image.elf.open("rb") as file:
        return {
            symbol.name: symbol["st_value"] for symbol in ELFFile(file).get_section_by_name(".symtab").iter_symbols()
        }


def sections(image: Image) -> dict[str, tuple[int, int]]:
    """Name to (address, size)."""
    with image.elf.open("rb") as file:
        return {section.name: (section["sh_addr"], section["sh_size"]) for section in ELFFile(file).iter_sections()}


def base(image: Image) -> int:
    """Address of the first byte of the BIN."""
    return 0x10000000 if "flash" in image.elf.name else 0x20001000


def reflect(value: int, bits: int) -> int:
    """The bits in reverse order."""
    return int(f"{value:0{bits}b}"[::-1], 2)


def test_uf2_carries_the_image(image: Image) -> None:
    """Every block is well formed, numbered and addressed in order, and together they are the BIN."""
    uf2, binary = image.uf2.read_bytes(), image.bin.read_bytes()
    assert len(uf2) % 512 == 0
    blocks = [uf2[start : start + 512] for start in range(0, len(uf2), 512)]
    for number, block in enumerate(blocks):
        first, second, flags, address, count, index, total, family = struct.unpack_from("<8I", block)
        assert (first, second, block[508:]) == (0x0A324655, 0x9E5D5157, b"\x30\x6f\xb1\x0a")
        assert (flags, family) == (0x2000, 0xE48BFF56)
        assert (index, total, count) == (number, len(blocks), 256)
        assert address == base(image) + 256 * number
        assert not any(block[32 + 256 : 508])
    payload = b"".join(block[32 : 32 + 256] for block in blocks)
    assert payload == binary.ljust(len(payload), b"\0")
    assert len(payload) - len(binary) < 256


def test_boot2_has_the_bootroms_checksum(board: BoardFirmware) -> None:
    """The last word is the CRC of the 252 bytes before it, computed here by way of zlib's reflected one."""
    boot2 = board.flash.bin.read_bytes()[:256]
    assert any(boot2[:252])
    reflected = bytes(reflect(byte, 8) for byte in boot2[:252])
    crc = reflect(zlib.crc32(reflected) ^ 0xFFFFFFFF, 32)
    assert struct.unpack("<I", boot2[252:]) == (crc,)


def test_boot2_that_is_too_long_is_refused(board: BoardFirmware, images_tool: ModuleType) -> None:
    """A second stage without room for its checksum never reaches an image."""
    with pytest.raises(SystemExit, match="boot2 takes"):
        images_tool.sign_boot2(board.ram.elf)


def test_vector_table(image: Image) -> None:
    """Stack, entry, fault and UART stand at their places; every vector is Thumb code of this image."""
    at, size = sections(image)[".vectors"]
    start = at - base(image)
    vectors = struct.unpack(f"<{size // 4}I", image.bin.read_bytes()[start : start + size])
    names = symbols(image)
    assert at % 256 == 0
    assert len(vectors) == 16 + 32
    assert vectors[0] == names["__stack_top"] == STACK_TOP
    assert vectors[1] == names["priot_entry"]
    assert vectors[USB] == names["usb_interrupt"]
    assert vectors[UART0] == names["uart_interrupt"]
    others = [vector for number, vector in enumerate(vectors) if number not in (0, 1, USB, UART0)]
    assert set(others) == {names["priot_fault_entry"]}
    assert all(vector & 1 for vector in vectors[1:])


def test_entry(board: BoardFirmware) -> None:
    """The bootrom enters a RAM image at its lowest address; boot2 a flash image through the table at 0x10000100."""
    assert symbols(board.ram)["priot_entry"] == base(board.ram) | 1
    assert sections(board.flash)[".vectors"][0] == 0x10000100
    for image in (board.ram, board.flash):
        with image.elf.open("rb") as file:
            assert ELFFile(file)["e_entry"] == symbols(image)["priot_entry"]


def test_memory_map(image: Image) -> None:
    """Stack, image, arena up to the end; nothing that is executed shares a page of 1 KB with what is written."""
    placed = sections(image)
    code = {name: placed[name] for name in (".entry", ".vectors", ".text", ".rodata", ".note.gnu.build-id")}
    data = {name: placed[name] for name in (".noinit", ".bss")}
    code_end = max(address + size for address, size in code.values())
    in_sram = placed.get(".ramcode", (0, 0))  # the flash image's code that must not run from flash
    names = symbols(image)
    assert sum(in_sram) <= min(address for address, _ in data.values()) // 1024 * 1024
    assert min(address for address, _ in data.values()) // 1024 > (code_end - 1) // 1024
    assert STACK_TOP <= names["__bss_start"] <= names["__bss_end"] <= names["__arena_start"]
    assert names["__arena_start"] % 8 == 0
    assert names["__arena_end"] == SRAM_END
    assert code_end <= (DATASET if image.elf.name == "priot-flash.elf" else SRAM_END)
    # The fault record survives a restart because start-up clears .bss alone.
    assert placed[".noinit"][0] + placed[".noinit"][1] <= names["__bss_start"]
    found = sizes(image.elf)
    assert found == image.sizes
    assert found.data == 0
    assert found.bss == sum(size for _, size in data.values())
    assert found.text == sum(size for _, size in (*code.values(), in_sram, placed.get(".boot2", (0, 0))))
    assert found.arena == SRAM_END - names["__arena_start"]


def test_build_id_is_where_the_firmware_reads_it(image: Image) -> None:
    """The 20 bytes at __build_id are the note's."""
    start = symbols(image)["__build_id"] - base(image)
    assert len(image.build_id) == 20
    assert image.bin.read_bytes()[start : start + 20] == image.build_id


def test_debug_elf_has_the_same_code(image: Image, images_tool: ModuleType) -> None:
    """A debugger's DWARF describes exactly what runs; the image itself carries none."""
    read = images_tool.read_image
    (at, shipped), (debug_at, debug) = read(image.elf), read(image.debug)
    start = symbols(image)["__build_id"] - base(image)
    assert at == debug_at
    assert shipped[:start] == debug[:start]
    assert shipped[start + 20 :] == debug[start + 20 :]
    with image.elf.open("rb") as plain, image.debug.open("rb") as full:
        assert not ELFFile(plain).has_dwarf_info()
        assert ELFFile(full).has_dwarf_info()


def test_symbolize_names_functions(image: Image) -> None:
    """Any address within a function is named with its distance; one outside stays a number."""
    entry = symbols(image)["uart_interrupt"]
    assert symbolize(image.elf, entry) == symbolize(image.elf, entry & ~1) == "uart_interrupt+0x0"
    assert symbolize(image.elf, (entry & ~1) + 4) == "uart_interrupt+0x4"
    assert symbolize(image.elf, 0x1234) == "0x00001234"
    assert symbolize(image.elf, 0x40034000) == "0x40034000"
