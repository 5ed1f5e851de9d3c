"""The check of the instruction set finds what does not belong to an ARMv6-M core without floating point."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from priot_hil.harness.firmware import BoardFirmware

FOREIGN = {
    "cbz r0, 1f\n nop\n 1:": "b1",
    "cbnz r1, 1f\n nop\n 1:": "b9",
    "it eq\n moveq r0, r1": "bf08",
    "udiv r0, r0, r1": "fbb0",
    "sdiv r0, r0, r1": "fb90",
    "movw r0, #4660": "f241",
    "movt r0, #4660": "f2c1",
    "mls r0, r1, r2, r3": "fb01",
    "ldr.w r0, [r1, #256]": "f8d1",
    "b.w .": "f7ff",
    "ldrex r0, [r1]": "e851",
    "clz r0, r1": "fab1",
    "msr basepri, r0": "f380",
    "push.w {r4, r8}": "e92d",
}
LEGAL = {
    "arithmetic": "movs r0, #1; adds r0, r0, r1; muls r0, r1, r0; rsbs r0, r0, #0; mvns r0, r1; tst r0, r1",
    "high registers": "cmp r8, r0; cmp r0, r8; mov r8, r0; add r8, r0",
    "memory": "ldr r0, [sp, #4]; ldrsb r0, [r1, r2]; ldrsh r0, [r1, r2]; strh r0, [r1, #2]; ldm r0!, {r1}",
    "stack": "push {r4, lr}; sub sp, #8; add sp, #8; add r0, sp, #4; nop; pop {r4, pc}",
    "bytes": "sxtb r0, r1; uxth r0, r1; rev r0, r1; rev16 r0, r1; revsh r0, r1",
    "exceptions": "bkpt 0; udf #1; svc 0; .inst.w 0xf7f0a001; cpsid i; cpsie i",
    "system": "wfi; wfe; sev; yield; dsb; dmb; isb; mrs r0, primask; msr msp, r0",
    "branches": "bl .; bx lr; blx r3; beq .; b .",
}
ALL_HALFWORDS = range(0b11101 << 11)

PROGRAM = '__attribute__((used)) void planted(void) {{ __asm volatile("{}"); }}'


@pytest.mark.parametrize(("instruction", "encoding"), FOREIGN.items(), ids=lambda value: value.split()[0])
def test_foreign_instruction_is_found(
    check_isa: ModuleType, zig_thumb: Callable[..., Path], instruction: str, encoding: str
) -> None:
    """Each instruction of a larger core is reported with its encoding, its address and its function."""
    text = instruction.replace("\n", r"\n")
    elf = zig_thumb(PROGRAM.format(text), "cortex_m3")
    findings = [finding for finding in check_isa.check(elf) if "instruction" in finding]
    assert any(finding.startswith(encoding) for finding in findings)
    assert all("in planted is not an ARMv6-M instruction" in finding for finding in findings)


@pytest.mark.parametrize("instructions", LEGAL.values(), ids=LEGAL)
def test_armv6m_is_accepted(check_isa: ModuleType, zig_thumb: Callable[..., Path], instructions: str) -> None:
    """What the core has is not reported."""
    elf = zig_thumb(PROGRAM.format(instructions), "cortex_m0plus")
    assert check_isa.check(elf) == []


def test_data_between_code_is_not_read_as_code(check_isa: ModuleType, zig_thumb: Callable[..., Path]) -> None:
    """A literal pool may hold any bits."""
    elf = zig_thumb(PROGRAM.format(r"ldr r0, =0xb100fbb0\n bx lr\n .ltorg"), "cortex_m0plus")
    assert check_isa.check(elf) == []


@pytest.mark.parametrize(
    ("expression", "helper"),
    [
        ("a * b", "__aeabi_fmul"),
        ("a / b", "__aeabi_fdiv"),
        ("a + b", "__aeabi_fadd"),
        ("(int)a + (b < a)", "__aeabi_f2iz"),
    ],
)
def test_planted_float_is_found(
    check_isa: ModuleType, zig_thumb: Callable[..., Path], expression: str, helper: str
) -> None:
    """One expression in floating point brings in a helper, and that is reported."""
    source = f"float planted(float a, float b) {{ return {expression}; }}"
    findings = check_isa.check(zig_thumb(source, "cortex_m0plus"))
    assert f"{helper} is a floating-point helper" in findings


@pytest.mark.parametrize(
    "name",
    [
        *("__aeabi_dmul", "__aeabi_i2f", "__aeabi_ul2d", "__aeabi_cfcmple", "__addsf3", "__eqdf2", "__fixunssfdi"),
        *("__floatsisf", "__extendsfdf2", "__truncdfsf2", "__gnu_f2h_ieee", "sqrtf", "fma"),
    ],
)
def test_float_helpers_by_name(check_isa: ModuleType, name: str) -> None:
    """The compilers' names for floating point."""
    assert check_isa.FLOAT_HELPER.fullmatch(name)


@pytest.mark.parametrize(
    "name", ["__aeabi_idivmod", "__aeabi_lmul", "__aeabi_uidiv", "__udivsi3", "__muldi3", "__clzsi2", "__aeabi_memcpy"]
)
def test_integer_helpers_are_not_floats(check_isa: ModuleType, name: str) -> None:
    """Integer division and 64-bit products have helpers too, and may."""
    assert not check_isa.FLOAT_HELPER.fullmatch(name)


def test_narrow_encodings_refused(check_isa: ModuleType) -> None:
    """All that is not ARMv6-M among the 16-bit encodings: a hole for a hole in the manual's tables A5-1 to A5-8."""
    refused = [halfword for halfword in ALL_HALFWORDS if not check_isa.is_narrow(halfword)]
    expected = [
        *range(0x4500, 0x4540),  # CMP of two low registers in the form for high ones
        *(word for word in range(0x4700, 0x4800) if word & 7),  # BX, BLX with bits that should be zero
        *range(0xB100, 0xB200),  # CBZ
        *range(0xB300, 0xB400),  # CBZ
        *(word for word in range(0xB600, 0xB800) if word not in (0xB662, 0xB672)),  # SETEND, CPS of other flags
        *range(0xB800, 0xBA00),  # CBNZ, and an undefined row
        *range(0xBA80, 0xBAC0),
        *range(0xBB00, 0xBC00),  # CBNZ
        *(word for word in range(0xBF00, 0xC000) if word not in (0xBF00, 0xBF10, 0xBF20, 0xBF30, 0xBF40)),  # IT, hints
    ]
    assert refused == expected


def test_images_pass(check_isa: ModuleType, board: BoardFirmware) -> None:
    """The built images hold nothing foreign."""
    assert check_isa.check(board.ram.elf) == []
    assert check_isa.check(board.flash.elf) == []


def test_stripped_elf_is_refused(check_isa: ModuleType, zig_thumb: Callable[..., Path]) -> None:
    """Without mapping symbols nothing can be said, so nothing is passed."""
    elf = zig_thumb(PROGRAM.format("nop"), "cortex_m0plus", "-Wl,-s")
    assert check_isa.main([str(elf)]) == 1
