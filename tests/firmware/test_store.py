"""The board's own flash, written through the bootrom while the program stands in it: both images, both emulators."""

import contextlib
import zlib
from collections.abc import Iterator

import pytest

from priot_hil.harness.booted import BootedRp2040
from priot_hil.harness.errors import EmulationStuck
from priot_hil.harness.firmware import BoardFirmware, Image
from priot_hil.harness.frames import decode_frame
from priot_hil.harness.link import Link
from priot_hil.harness.protocol import (
    PAGE_BYTES,
    SECTOR_BYTES,
    CapabilityCode,
    CommandCode,
    EraseRequest,
    HelloResponse,
    ResetRequest,
    RestartCode,
    StoreRequest,
)
from priot_hil.harness.transports.emulator import EmulatorTransport
from priot_hil.harness.transports.rp2040py import Rp2040pyTransport

DATASET = 0x60000
SSI = (0x00, 0x04, 0x08, 0x14, 0xF4)
PLAIN_READS = [0x1F0300, 0, 1, 4, 0x3000218]
PAGES = bytes(range(256)) + bytes(reversed(range(256)))
BOOTROM_LOADER = (0x2E8A, 0x0003)


def erase(link: Link, offset: int, length: int = SECTOR_BYTES) -> None:
    """A request that must succeed."""
    assert link.request(CommandCode.ERASE, EraseRequest(offset, length).pack(), 20.0) == (0, b"")


def store(link: Link, offset: int, data: bytes) -> None:
    """A request that must succeed."""
    assert link.request(CommandCode.STORE, StoreRequest(offset).pack() + data, 20.0) == (0, b"")


@pytest.fixture
def emulated(image: Image) -> Iterator[EmulatorTransport]:
    """An image in the emulator."""
    transport = EmulatorTransport(image.elf)
    yield transport
    transport.close()


@pytest.fixture
def booted(board: BoardFirmware) -> Rp2040pyTransport:
    """The flash image behind the real bootrom."""
    return Rp2040pyTransport(BootedRp2040(board.flash.uf2))


def test_emulated(emulated: EmulatorTransport) -> None:
    """Bytes where they belong and nowhere else; the modelled chip has an id; a snapshot keeps what was stored."""
    link, machine = Link(emulated), emulated.machine
    hello = HelloResponse.unpack(link.hello())
    assert hello.capabilities & CapabilityCode.STORE
    assert len(set(hello.unique_id)) > 1
    before = machine.read(0x10000000, 0x200000)
    machine.write_flash(DATASET + SECTOR_BYTES, b"\x12" * (4 * SECTOR_BYTES))
    first = machine.snapshot()
    erase(link, 2 * SECTOR_BYTES)
    store(link, 2 * SECTOR_BYTES + PAGE_BYTES, PAGES)
    here = DATASET + SECTOR_BYTES
    whole = b"\x12" * SECTOR_BYTES + b"\xff" * PAGE_BYTES + PAGES + b"\xff" * (SECTOR_BYTES - 768)
    after = before[:here] + whole + b"\x12" * (2 * SECTOR_BYTES)
    assert machine.read(0x10000000, len(after)) == after
    second = machine.snapshot()
    for snapshot, flash in ((first, b"\x12" * SECTOR_BYTES), (second, whole[SECTOR_BYTES:]), (first, None)):
        machine.restore(snapshot)
        assert flash is None or machine.read(0x10000000 + here + SECTOR_BYTES, SECTOR_BYTES) == flash
    assert machine.unmodelled == ()
    assert machine.last_fault is None


def test_booted(booted: Rp2040pyTransport) -> None:
    """By the real bootrom: the same bytes, program and other data untouched, and flash is read as boot2 had set it."""
    link, chip = Link(booted), booted.machine.rp2040
    assert HelloResponse.unpack(link.hello()).capabilities & CapabilityCode.STORE
    booted.machine.write_flash(DATASET, b"\x12" * (3 * SECTOR_BYTES))
    program = zlib.crc32(bytes(chip.flash[:DATASET]))
    places: set[int] = set()
    read, write = chip.ssi.read_uint32, chip.ssi.write_uint32

    def noting_read(offset: int) -> int:
        places.add(chip.core.pc >> 28)
        return int(read(offset))

    def noting_write(offset: int, value: int) -> None:
        places.add(chip.core.pc >> 28)
        write(offset, value)

    chip.ssi.read_uint32, chip.ssi.write_uint32 = noting_read, noting_write
    erase(link, SECTOR_BYTES)
    store(link, SECTOR_BYTES, PAGES)
    assert places == {0x0, 0x2}  # the interface is driven from the bootrom and from SRAM only
    whole = b"\x12" * SECTOR_BYTES + PAGES + b"\xff" * (SECTOR_BYTES - 512) + b"\x12" * SECTOR_BYTES
    assert bytes(chip.flash[DATASET : DATASET + len(whole)]) == whole
    assert zlib.crc32(bytes(chip.flash[:DATASET])) == program
    assert [read(offset) for offset in SSI] == PLAIN_READS
    assert link.request(CommandCode.STATE, b"")[0] != 0  # and it still answers


def test_an_erase_over_blocks_is_whole(booted: Rp2040pyTransport) -> None:
    """From within a block of 64 KiB into the next one."""
    link, chip = Link(booted), booted.machine.rp2040
    link.hello()
    booted.machine.write_flash(DATASET, bytes(0x20000))
    erase(link, 0xE000, 4 * SECTOR_BYTES)
    flash = bytes(chip.flash[DATASET : DATASET + 0x20000])
    assert flash == bytes(0xE000) + b"\xff" * 0x4000 + bytes(0xE000)


def test_restarts_as_the_loader(board: BoardFirmware) -> None:
    """Asked over the UART, answered, then gone: what USB finds is the bootrom's own device."""
    machine = BootedRp2040(board.flash.uf2)
    uart, usb = Rp2040pyTransport(machine, "uart"), Rp2040pyTransport(machine, "usb")
    link = Link(uart)
    link.hello()
    with pytest.raises(EmulationStuck, match="in the bootrom"):  # the loader polls
        link.request(CommandCode.RESET, ResetRequest(RestartCode.LOADER).pack())
    answer = decode_frame(uart.line.take().strip(b"\0"))
    assert answer is not None
    assert (answer.header.command, answer.header.status) == (CommandCode.RESET, 0)
    for _ in range(40):
        with contextlib.suppress(EmulationStuck):
            machine.run(0.01)
        if usb.line.identity is not None and usb.line.identity.vendor_and_product == BOOTROM_LOADER:
            return
    raise AssertionError(f"no loader on the bus, but {usb.line.identity}")
