"""One emulated RP2040: load an image, feed its UART, run it from wait to wait, count, snapshot, restore."""

import ctypes
import enum
import struct
import time
import weakref
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from priot_hil.harness.emulator import shim
from priot_hil.harness.emulator.image import (
    EXECUTE,
    FLASH_BASE,
    FLASH_BYTES,
    PAGE_BYTES,
    SRAM_BASE,
    SRAM_BYTES,
    read_image,
)
from priot_hil.harness.errors import DeviceFault, EmulationStuck
from priot_hil.reference.errors import InputError

CLOCK_HZ: Final = 125_000_000
# Ctrl-C reaches Python only between two slices.
SLICE_SECONDS: Final = 0.2


class Stop(enum.Enum):
    """Why the core stands: waiting for input, restarted because the firmware asked for it, or in the midst of work."""

    IDLE = 1
    RESET = 2
    OUTPUT = 5


_WATCHED_BYTES: Final = 8
_LOCKUP: Final = 3
_SLICE: Final = 4


class FaultKind(enum.Enum):
    """What the faulting instruction tried."""

    READ = 1
    WRITE = 2
    FETCH = 3
    UNALIGNED = 4
    INSTRUCTION = 5
    EXCEPTION = 6


@dataclass(frozen=True)
class Fault:
    """The last fault of the core, whether or not a handler took it.

    Attributes:
        kind: What was tried.
        pc: Address of the faulting instruction.
        symbol: The function around it.
        address: What it touched, for READ and WRITE; else 0.
    """

    kind: FaultKind
    pc: int
    symbol: str
    address: int

    def __str__(self) -> str:
        touched = f" of {self.address:#010x}" if self.address else ""
        return f"{self.kind.name.lower()} fault{touched} at {self.symbol} ({self.pc:#010x})"


class Change(NamedTuple):
    """What eight watched bytes of SRAM became, and the counts of the code up to there.

    Attributes:
        value: The eight bytes.
        instructions: Executed up to the end of the block that wrote them.
        cycles: The same in core cycles.
    """

    value: bytes
    instructions: int
    cycles: int


@dataclass(frozen=True)
class Snapshot:
    """A machine's whole state at one moment: core, peripherals, counters, memory, bytes under way."""

    state: bytes
    sram: bytes
    flash: bytes
    input: bytes
    output: bytes


class Rp2040:
    """An emulated RP2040, core 0, running one ELF image.

    Counts are those of executed code: a core that waits in WFI lets no time pass, sending takes none, and flash
    answers without waiting, so cycles are an estimate for code that runs from SRAM and a lower bound from flash. The
    same input in the same pieces gives the same counts. Interrupts are taken at WFI, and by a core at work every
    million cycles while bytes wait for it. Not modelled: their priorities, PSP, WFE, a second core, DMA, PIO,
    a USB host.
    """

    def __init__(self, elf: Path):
        """Load an image; nothing runs yet.

        Raises:
            InputError: the file is no RP2040 image.
            RuntimeError: the compiled half cannot be built, or Unicorn refuses.
        """
        self.elf = elf
        self._image = read_image(elf)
        self._shim = shim.load()
        problem = ctypes.c_char_p()
        # The bootrom enters an image with the stack at the end of SRAM.
        self._handle: int | None = self._shim.machine_open(
            shim.unicorn_functions(),
            self._image.pages,
            self._image.entry,
            SRAM_BASE + SRAM_BYTES,
            ctypes.byref(problem),
        )
        if not self._handle:
            raise RuntimeError(f"{elf}: Unicorn refuses to start ({(problem.value or b'').decode()}).")
        self._finalizer = weakref.finalize(self, self._shim.machine_close, self._handle)
        self._sram: int = self._shim.machine_sram(self._handle)
        self._flash: int = self._shim.machine_flash(self._handle)
        self._rom: int = self._shim.machine_rom(self._handle)
        for address, data in self._image.segments:
            ctypes.memmove(self._at(address, len(data)), data, len(data))
        self._flash_copy: bytes | None = None
        self._flash_changes = 0  # of the firmware's own, as of the copy
        self._shim.machine_reset(self._handle)

    def close(self) -> None:
        """Free what the machine holds; further calls are refused. May be called twice."""
        self._finalizer()
        self._handle = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def symbols(self) -> dict[str, int]:
        """Symbol name to address; functions without the Thumb bit."""
        return self._image.symbols

    def symbol_at(self, address: int) -> str:
        """Name the function around an address, e.g. ``priot_step+0x12``."""
        return self._image.symbol_at(address)

    @property
    def cycles(self) -> int:
        """Core cycles of the code executed since the machine was made, by the Cortex-M0+'s published costs."""
        return self._state().counters.cycles

    @property
    def instructions(self) -> int:
        """Instructions executed since the machine was made."""
        return self._state().counters.instructions

    @property
    def registers(self) -> dict[str, int]:
        """The core's registers: r0 to r12, sp, lr, pc, xpsr, primask, control."""
        return dict(zip(shim.REGISTERS, self._state().registers, strict=True))

    @property
    def last_fault(self) -> Fault | None:
        """The last fault since the machine was made, or None."""
        fault = self._state().fault
        if fault.kind == 0:
            return None
        return Fault(FaultKind(fault.kind), fault.pc, self.symbol_at(fault.pc), fault.address)

    @property
    def unmodelled(self) -> tuple[int, ...]:
        """Addresses of registers that the firmware touched and that are only memory here, at most 64."""
        addresses = (ctypes.c_uint32 * shim.UNMODELLED_KEPT)()
        count: int = self._shim.machine_unmodelled(self._open, addresses)
        return tuple(addresses[:count])

    def run(self, deadline: float | None = None, until_output: bool = False) -> Stop:
        """Run until the core waits with nothing to wake it, or has asked for a reset, which is done then.

        The clock is looked at every million cycles, a few milliseconds.

        Args:
            deadline: ``time.monotonic()`` value, or None to run without end.
            until_output: Return OUTPUT once a core that goes on working has sent something, within a slice of time.

        Raises:
            DeviceFault: the core locked up: a fault without a working handler, or within it.
            EmulationStuck: the deadline passed first; the machine stands between two blocks and may go on.
        """
        while True:
            left = SLICE_SECONDS if deadline is None else deadline - time.monotonic()
            # A deadline in the past still gets a first look: an idle core says so at once.
            stop: int = self._shim.machine_run(self._open, max(1e-6, min(left, SLICE_SECONDS)))
            if stop == _LOCKUP:
                self._raise_lockup()
            if stop != _SLICE:
                return Stop(stop)
            if until_output and self._queued(self._shim.machine_output):
                return Stop.OUTPUT
            if deadline is not None and time.monotonic() >= deadline:
                pc = self.registers["pc"]
                raise EmulationStuck(
                    f"{self.elf.name} still runs in {self.symbol_at(pc)} ({pc:#010x}) after its deadline; "
                    f"allow more time, or look there for an endless loop.",
                    pc=pc,
                )

    def feed(self, data: bytes) -> None:
        """Queue bytes for UART0; they reach it 32 at a time, whenever the core waits for more."""
        if not self._shim.machine_feed(self._open, data, len(data)):
            raise MemoryError(f"no room to queue {len(data)} bytes")

    def flood(self, data: bytes) -> None:
        """Give UART0 bytes at once, whether or not its FIFO has room: what does not fit is lost and flagged."""
        self.feed(data)
        self._shim.machine_flood(self._open)

    def take(self) -> bytes:
        """Return what UART0 has sent since the last call."""
        output = self._queued(self._shim.machine_output)
        if output:
            self._shim.machine_clear_output(self._open)
        return output

    def reset(self) -> None:
        """Put core and peripherals into reset state and bytes under way out of the world; memory and counts stay."""
        self._shim.machine_clear_input(self._open)
        self._shim.machine_clear_output(self._open)
        self._shim.machine_reset(self._open)

    def bite_at(self, cycle: int) -> None:
        """Let the watchdog bite when the core has executed so many cycles in all, whatever the firmware set it to."""
        self._state().watchdog_due = cycle

    def watch(self, address: int) -> None:
        """Log from now on how eight bytes of SRAM change, each block looking at what the one before it has left.

        Counts stay the same; the host needs a little longer. A second call watches another place instead.

        Raises:
            InputError: Not in SRAM.
        """
        if not SRAM_BASE <= address <= SRAM_BASE + SRAM_BYTES - _WATCHED_BYTES:
            got = f"{address:#010x}"
            raise InputError.about("address to watch", expected="eight bytes of SRAM", got=got, do="name a variable")
        if not self._shim.machine_watch(self._open, address):
            raise MemoryError("no room to watch memory")

    def take_changes(self) -> list[Change]:
        """Return the log since the last call, in order; it begins with what lay there when watching began.

        It belongs to the host, not to the machine's state: `restore` takes nothing back from it.

        Raises:
            MemoryError: The log did not fit.
        """
        start, count = ctypes.c_void_p(), ctypes.c_size_t()
        if not self._shim.machine_changes(self._open, ctypes.byref(start), ctypes.byref(count)):
            raise MemoryError("no room for all changes of the watched memory; take them more often")
        log = ctypes.string_at(start, count.value) if count.value else b""
        return [Change(*fields) for fields in struct.iter_unpack(f"={_WATCHED_BYTES}sQQ", log)]

    def snapshot(self) -> Snapshot:
        """Copy the machine's state, to be restored into this machine or another one with the same image."""
        state = self._shim.machine_get_state(self._open)
        self._forget_old_flash()
        if self._flash_copy is None:
            self._flash_copy = ctypes.string_at(self._flash, FLASH_BYTES)
        return Snapshot(
            ctypes.string_at(state, self._shim.machine_state_bytes()),
            ctypes.string_at(self._sram, SRAM_BYTES),
            self._flash_copy,
            self._queued(self._shim.machine_input),
            self._queued(self._shim.machine_output),
        )

    def restore(self, snapshot: Snapshot) -> None:
        """Put a snapshot's state back, to the last bit and count."""
        self._shim.machine_set_state(self._open, snapshot.state)
        ctypes.memmove(self._sram, snapshot.sram, SRAM_BYTES)
        self._forget_old_flash()
        if self._flash_copy is not snapshot.flash:
            ctypes.memmove(self._flash, snapshot.flash, FLASH_BYTES)
            self._flash_copy = snapshot.flash
        self._shim.machine_clear_input(self._open)
        self._shim.machine_clear_output(self._open)
        self._shim.machine_feed(self._open, snapshot.input, len(snapshot.input))
        self._shim.machine_send(self._open, snapshot.output, len(snapshot.output))

    def write_flash(self, offset: int, data: bytes) -> None:
        """Put bytes into flash, as a programmer would.

        Args:
            offset: From the start of flash, 0 up to 2 MiB.
            data: What to put there.

        Raises:
            InputError: the bytes do not fit.
        """
        if not 0 <= offset <= FLASH_BYTES - len(data):
            raise InputError(
                f"flash offset: expected 0 to {FLASH_BYTES - len(data)} for {len(data)} bytes, got {offset}."
            )
        self.write(FLASH_BASE + offset, data)

    def read(self, address: int, count: int) -> bytes:
        """Read memory (SRAM, flash or ROM) as it lies, without running anything."""
        return ctypes.string_at(self._at(address, count), count)

    def write(self, address: int, data: bytes) -> None:
        """Write memory (SRAM, flash or ROM), text included, whatever the core's own rights are."""
        if not data:
            return
        ctypes.memmove(self._at(address, len(data)), data, len(data))
        if FLASH_BASE <= address < FLASH_BASE + FLASH_BYTES:
            self._flash_copy = None
        if self._touches_text(address, len(data)) and not self._shim.machine_text_changed(self._open):
            raise MemoryError("no room to translate the changed text")

    def _forget_old_flash(self) -> None:
        """Drop the copy of flash that the firmware has written to since."""
        changes: int = self._shim.machine_flash_changes(self._open)
        if changes != self._flash_changes:
            self._flash_copy, self._flash_changes = None, changes

    def _touches_text(self, address: int, count: int) -> bool:
        base = address - SRAM_BASE if address >= SRAM_BASE else address - FLASH_BASE + SRAM_BYTES
        pages = self._image.pages[max(base, 0) // PAGE_BYTES : (base + count - 1) // PAGE_BYTES + 1]
        return any(page & EXECUTE for page in pages)

    @property
    def _open(self) -> int:
        if self._handle is None:
            raise InputError(f"{self.elf.name}: this machine is closed; make a new one.")
        return self._handle

    def _state(self) -> shim.State:
        state: shim.State = self._shim.machine_get_state(self._open).contents
        return state

    def _queued(self, queue: "ctypes._FuncPointer") -> bytes:
        start = ctypes.c_void_p()
        count: int = queue(self._open, ctypes.byref(start))
        return ctypes.string_at(start, count) if count else b""

    def _at(self, address: int, count: int) -> int:
        """Address of emulated memory in this process."""
        for base, size, memory in (
            (SRAM_BASE, SRAM_BYTES, self._sram),
            (FLASH_BASE, FLASH_BYTES, self._flash),
            (0, 0x4000, self._rom),
        ):
            if base <= address and address + count <= base + size and self._open:
                return memory + address - base
        raise InputError(f"address: expected SRAM, flash or ROM, got {count} bytes at {address:#010x}.")

    def _raise_lockup(self) -> None:
        registers = self.registers
        listed = " ".join(f"{name}={value:08x}" for name, value in registers.items())
        raise DeviceFault(
            f"{self.elf.name} locked up: {self.last_fault}, and no HardFault handler could take it; {listed}",
            pc=registers["pc"],
            registers=registers,
        )
