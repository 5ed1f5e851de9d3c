"""Faults of the emulated core: each reaches the HardFault handler with the frame that the chip would stack."""

import struct
import time
from dataclasses import dataclass

import pytest
from emulator_programs import build

from priot_hil.harness.emulator import FaultKind, Rp2040, Stop
from priot_hil.harness.errors import DeviceFault


@dataclass(frozen=True)
class Case:
    """One function of faults.c: what it commits, and where; `touched` is the address, or its page."""

    name: str
    kind: FaultKind
    r3: int
    pc: int | None = None
    touched: int = 0
    before: int = 4  # instructions of the function that complete


UNMAPPED = 0x60000000
# In the order of faults.c: the index is the byte that asks for it.
CASES = (
    Case("unaligned_load", FaultKind.UNALIGNED, UNMAPPED),
    Case("unaligned_store", FaultKind.UNALIGNED, UNMAPPED),
    Case("unmapped_store", FaultKind.WRITE, UNMAPPED, touched=UNMAPPED, before=5),
    Case("unmapped_load", FaultKind.READ, UNMAPPED, touched=UNMAPPED),
    Case("illegal_instruction", FaultKind.INSTRUCTION, UNMAPPED),
    Case("wide_instruction", FaultKind.INSTRUCTION, UNMAPPED),
    Case("execute_data", FaultKind.FETCH, 0x20030001, pc=0x20030000, before=6),
    Case("write_flash", FaultKind.WRITE, 0x10060000, touched=0x10060000, before=5),
    Case("write_text", FaultKind.WRITE, 0, before=6),
    Case("write_rom", FaultKind.WRITE, 0, before=5),
    Case("leave_thumb", FaultKind.INSTRUCTION, 0x20001100, pc=0x20001100, before=6),
    Case("branch_to_exc_return", FaultKind.FETCH, 0xFFFFFFF9, pc=0xFFFFFFF8, before=6),
    Case("breakpoint", FaultKind.EXCEPTION, UNMAPPED),
)
OVERFLOW_STACK, CALL_SVC = len(CASES), len(CASES) + 1


def soon() -> float:
    """A deadline that only a hang reaches."""
    return time.monotonic() + 20


@pytest.fixture
def machine() -> Rp2040:
    """faults.c, waiting for the byte that names a fault."""
    machine = Rp2040(build("faults.c"))
    assert machine.run(soon()) is Stop.IDLE
    return machine


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_fault_reaches_the_handler(machine: Rp2040, case: Case) -> None:
    """The stacked frame has the faulting instruction and its registers; the handler's reset brings the program back."""
    machine.feed(bytes([CASES.index(case)]))
    assert machine.run(soon()) is Stop.RESET
    pc = machine.symbols[f"{case.name}_at"] if case.pc is None else case.pc
    r3 = machine.symbols["write_text"] if case.name == "write_text" else case.r3

    fault = machine.last_fault
    assert fault is not None
    assert (fault.kind, fault.pc) == (case.kind, pc)
    assert fault.address == (r3 & ~1023 if case.name == "write_text" else case.touched)
    if case.pc is None:
        assert fault.symbol.startswith(f"{case.name}+")

    assert machine.run(soon()) is Stop.IDLE
    valid, r0, r1, r2, stacked_r3, _r12, lr, stacked_pc, xpsr = struct.unpack("<9I", machine.take())
    assert (valid, r1, r2, stacked_r3, stacked_pc) == (1, 0x22, 0x20002001, r3, pc)
    assert r0 == (0x12 if case.name == "unmapped_store" else 0x11)
    assert machine.symbol_at(lr).startswith("main")
    assert xpsr & ~0xF0000000 == 1 << 24


def test_faulting_instructions_are_not_counted(machine: Rp2040) -> None:
    """Up to the reset, two faults differ by the instructions that their functions complete before it."""
    snapshot = machine.snapshot()
    counts = {}
    for index, case in enumerate(CASES):
        machine.restore(snapshot)
        machine.feed(bytes([index]))
        machine.run(soon())
        counts[case.name] = machine.instructions - case.before
    assert len(set(counts.values())) == 1, counts


def test_text_and_flash_are_not_changed(machine: Rp2040) -> None:
    """A refused write has no effect."""
    for name, address in (("write_text", machine.symbols["write_text"]), ("write_flash", 0x10060000)):
        before = machine.read(address, 4)
        machine.feed(bytes([[case.name for case in CASES].index(name)]))
        assert machine.run(soon()) is Stop.RESET
        machine.run(soon())
        assert machine.read(address, 4) == before


def test_stack_overflow_locks_up(machine: Rp2040) -> None:
    """Without room for the frame no handler runs; the error names the function, and only a reset helps."""
    machine.feed(bytes([OVERFLOW_STACK]))
    for _ in range(2):
        with pytest.raises(DeviceFault, match=r"write fault of 0x1fffff.. at overflow_stack") as caught:
            machine.run(soon())
    assert caught.value.pc is not None
    assert machine.symbol_at(caught.value.pc).startswith("overflow_stack")
    assert caught.value.registers["sp"] < 0x20000020
    machine.reset()
    assert machine.run(soon()) is Stop.IDLE


def test_svc_returns(machine: Rp2040) -> None:
    """An SVC runs its handler and goes on behind it."""
    machine.feed(bytes([CALL_SVC, CALL_SVC]))
    assert machine.run(soon()) is Stop.IDLE
    assert machine.take() == struct.pack("<II", 1, 2)


def test_fault_in_the_handler_locks_up() -> None:
    """A HardFault handler that faults is not entered again."""
    with Rp2040(build("lockup.c")) as machine:
        with pytest.raises(DeviceFault, match="instruction fault at hard_fault") as caught:
            machine.run(soon())
        assert 0x20001000 - caught.value.registers["sp"] < 2 * 32 + 16  # one frame, and what the two functions push
