"""The platform's files: every block that the firmware touches is there, and its stand-in answers as the chip does."""

import re
from types import CodeType, SimpleNamespace
from typing import Any

import pytest

from priot_hil.harness.paths import ROOT
from priot_hil.harness.renode.monitor import PLATFORM

XOR, SET, CLEAR = 0x1000, 0x2000, 0x3000
BLOCK = 0x4000
RESETS_RESET, RESETS_DONE = 0x4000C000, 0x4000C008
CLK_REF_CTRL, CLK_REF_SELECTED, CLK_SYS_CTRL, CLK_SYS_SELECTED = 0x40008030, 0x40008038, 0x4000803C, 0x40008044
XOSC_STATUS, PLL_SYS_CS, TIMER_RAWH, TIMER_RAWL = 0x40024004, 0x40028000, 0x40054024, 0x40054028
WATCHDOG_REASON, GPIO0_CTRL = 0x40058008, 0x40014004
MICROSECONDS = 0x123456789A


class Registers:
    """Runs registers.py as Renode does: once for each access, its names kept."""

    def __init__(self, code: CodeType, capitals: bool) -> None:
        time = SimpleNamespace(TimeElapsed=SimpleNamespace(TotalMicroseconds=MICROSECONDS + 0.5))
        machine = SimpleNamespace(ElapsedVirtualTime=time)
        self._code, self._capitals = code, capitals
        self._names: dict[str, Any] = {"self": SimpleNamespace(GetMachine=lambda: machine)}
        self._run(IsInit=True)

    def read(self, address: int) -> int:
        """A word as the firmware sees it."""
        return self._run(IsRead=True, Absolute=address)

    def write(self, address: int, value: int) -> None:
        """A word from the firmware."""
        self._run(IsWrite=True, Absolute=address, Value=value)

    def _run(self, **given: int) -> int:
        fields = {"IsInit": False, "IsRead": False, "IsWrite": False, "Absolute": 0, "Value": 0, **given}
        if not self._capitals:
            fields = {name[0].lower() + name[1:]: value for name, value in fields.items()}
        request = SimpleNamespace(**fields)
        self._names["request"] = request
        exec(self._code, self._names)
        return int(request.Value if self._capitals else request.value)


@pytest.fixture(params=[True, False], ids=["IsInit", "isInit"])
def registers(request: pytest.FixtureRequest) -> Registers:
    """With the request's names of Renode 1.16.1, and of those before."""
    path = PLATFORM / "registers.py"
    return Registers(compile(path.read_text(), str(path), "exec"), request.param)


def test_registers_remember(registers: Registers) -> None:
    """Each on its own; nothing was written yet: zero."""
    assert registers.read(GPIO0_CTRL) == registers.read(WATCHDOG_REASON) == 0
    registers.write(GPIO0_CTRL, 0x5A)
    assert (registers.read(GPIO0_CTRL), registers.read(GPIO0_CTRL + 8)) == (0x5A, 0)


def test_aliases_flip_set_and_clear(registers: Registers) -> None:
    """Bit by bit, and the other bits stay."""
    registers.write(GPIO0_CTRL, 0b1100)
    for alias, expected in ((SET, 0b1110), (XOR, 0b0100), (CLEAR, 0b0100)):
        registers.write(GPIO0_CTRL + alias, 0b1010)
        assert registers.read(GPIO0_CTRL) == expected


def test_resets_are_done_where_they_are_released(registers: Registers) -> None:
    """Everything is held in reset at first."""
    assert registers.read(RESETS_DONE) == 0
    registers.write(RESETS_RESET + CLEAR, 0b101)
    assert registers.read(RESETS_DONE) == 0b101
    registers.write(RESETS_RESET + SET, 0b001)
    assert registers.read(RESETS_DONE) == 0b100


def test_clocks_switch_at_once(registers: Registers) -> None:
    """SELECTED shows the source, one-hot; oscillator and PLL are ready."""
    for control, selected, source in ((CLK_REF_CTRL, CLK_REF_SELECTED, 2), (CLK_SYS_CTRL, CLK_SYS_SELECTED, 1)):
        assert registers.read(selected) == 1
        registers.write(control, source)
        assert registers.read(selected) == 1 << source
    assert registers.read(XOSC_STATUS) >> 31 == 1
    registers.write(PLL_SYS_CS, 1)
    assert registers.read(PLL_SYS_CS) == 1 << 31 | 1


def test_the_timer_is_virtual_time(registers: Registers) -> None:
    """Whole microseconds in two words."""
    assert registers.read(TIMER_RAWH) << 32 | registers.read(TIMER_RAWL) == MICROSECONDS


def test_every_block_that_the_firmware_touches_is_there() -> None:
    """Renode answers an access to nothing with zero and goes on: a missing block would be found late."""
    script, platform = ((PLATFORM / name).read_text() for name in ("image.resc", "rp2040.repl"))
    there = {int(found, 16) for found in re.findall(r"@registers\.py (0x\w+) 0x4000 true", script)}
    there |= {int(found, 16) for found in re.findall(r"UART\.PL011 @ sysbus (0x4\w+)", platform)}
    there |= {int(found, 16) for found in re.findall(r"Memory\.MappedMemory @ sysbus (0x5\w+)", platform)}
    headers = [path.read_text() for path in (ROOT / "firmware/boards/rp2040").glob("*registers.h")]
    addresses = [found for text in headers for found in re.findall(r"\b(0x[45]0[0-9a-f]{6})u\b", text)]
    touched = {int(address, 16) & -BLOCK for address in addresses}
    assert len(touched) >= 12
    assert touched <= there


def test_paths_stay_within_the_instance() -> None:
    """What the files name lies beside them, so that each instance has its own; nothing is written beside them."""
    names = {file.name for file in PLATFORM.iterdir() if file.is_file()}
    assert names == {"image.resc", "registers.py", "rp2040.repl"}
    script = (PLATFORM / "image.resc").read_text()
    assert set(re.findall(r"@(\S+)", script)) == names - {"image.resc"} | {"firmware.elf"}
    assert "$ORIGIN" not in script
    assert "logFile" not in script


def test_the_quantum_is_the_one_that_the_page_names() -> None:
    """In milliseconds there, in seconds here."""
    (seconds,) = re.findall(r'SetGlobalQuantum "([\d.]+)"', (PLATFORM / "image.resc").read_text())
    page = (ROOT / "docs" / "renode.md").read_text(encoding="utf-8")
    assert f"a quantum of {1000 * float(seconds):g} ms are fixed" in page
