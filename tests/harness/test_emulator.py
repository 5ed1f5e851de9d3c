"""The emulated RP2040: input and output, counts, clocks, snapshots, resets, what it refuses."""

import gc
import struct
import time
from pathlib import Path

import pytest
from emulator_programs import build

from priot_hil.harness.emulator import Rp2040, Stop, shim
from priot_hil.harness.errors import EmulationStuck
from priot_hil.reference.errors import InputError

SECONDS = 20.0
MASK64 = 2**64 - 1
START_INSTRUCTIONS, START_CYCLES = 7, 16  # of start.S: six instructions before main, WFI behind it


def soon() -> float:
    """A deadline that only a hang reaches."""
    return time.monotonic() + SECONDS


def started(program: str) -> Rp2040:
    """A machine whose program waits for its first input."""
    machine = Rp2040(build(program))
    assert machine.run(soon()) is Stop.IDLE
    return machine


def words(data: bytes) -> list[int]:
    """Little-endian 32-bit words."""
    return [word for (word,) in struct.iter_unpack("<I", data)]


def ask(machine: Rp2040, data: bytes) -> bytes:
    """Feed, run to the next wait, take."""
    machine.feed(data)
    assert machine.run(soon()) is Stop.IDLE
    return machine.take()


@pytest.mark.parametrize("count", [0, 1, 15, 16, 31, 32, 33, 64, 1000])
def test_uart_interrupt_loses_nothing(count: int) -> None:
    """Bytes of any number reach a 64-byte ring through the 32-byte FIFO, one interrupt for each FIFO."""
    data = bytes(i % 251 for i in range(count))
    with started("echo.c") as machine:
        assert ask(machine, data) == bytes((i % 251) + 1 for i in range(count))
        interrupts = struct.unpack("<I", machine.read(machine.symbols["interrupts"], 4))[0]
        assert interrupts == (count + 31) // 32
        assert machine.unmodelled == ()
        assert machine.last_fault is None


def test_counts_equal_those_worked_out_by_hand() -> None:
    """Each instruction of counting.S has its published cost; taken and untaken branches differ."""
    rounds, skipped = 100, 50
    instructions = 3 + rounds * 13 + (rounds - skipped) + 3
    before, after = 3 + 1 + 2, 3 + 2 + 5
    body = 1 + 2 + 2 + 3 + 1 + 1 + 3 + 2 + 2 + 2 + 1
    branches = skipped * 2 + (rounds - skipped) * 1 + (rounds - 1) * 2 + 1
    with started("counting.S") as machine:
        assert machine.instructions == START_INSTRUCTIONS + instructions
        assert machine.cycles == START_CYCLES + before + rounds * body + branches + (rounds - skipped) + after


def test_counts_are_exact_where_the_translator_splits_blocks() -> None:
    """3,000 instructions in a row are more than one translated block."""
    with started("straight.S") as machine:
        assert machine.instructions == START_INSTRUCTIONS + 3001
        assert machine.cycles == START_CYCLES + 1500 * (1 + 2) + 2


def test_counts_do_not_depend_on_interruption() -> None:
    """A run that is cut into many slices ends with the counts of one that is not."""
    data = bytes([200] * 25)
    with started("count_down.c") as whole, started("count_down.c") as cut:
        assert ask(whole, data) == data
        slices = 0
        cut.feed(data)
        while True:
            slices += 1
            try:
                assert cut.run(time.monotonic()) is Stop.IDLE
                break
            except EmulationStuck:
                continue
        assert cut.take() == data
        assert slices > 10
        assert (cut.instructions, cut.cycles) == (whole.instructions, whole.cycles)
        assert cut.registers == whole.registers


def worked(sum_: int, rounds: int) -> int:
    """The sum of busy.c after some rounds."""
    for _ in range(rounds):
        sum_ = sum_ + (sum_ << 7 & MASK64) + (sum_ >> 3) + 0xFFFFFFFF & MASK64
        sum_ ^= 0x8000000000000001 if sum_ & 0x80000000 else 0
    return sum_


def test_a_core_at_work_is_interrupted() -> None:
    """Its sum does not notice; bytes come a FIFO at a time, none while PRIMASK is set, whatever deadline passes."""
    data = bytes(range(200))
    ends = []
    for is_cut in (False, True):
        with started("busy.c") as machine:
            machine.feed(data)
            while True:
                try:
                    assert machine.run(time.monotonic() if is_cut else soon()) is Stop.IDLE
                    break
                except EmulationStuck:
                    assert is_cut
            low, high, first, second, third = words(machine.take())
            assert low | high << 32 == worked(1, 60_000)
            assert 32 < first == second < third < 200
            assert (first % 32, third % 32) == (0, 0)
            assert machine.read(machine.symbols["bytes"], 200) == data
            ends.append((machine.instructions, machine.cycles, first, third))
    assert ends[0] == ends[1]
    with started("busy.c") as machine:
        assert words(ask(machine, b"g")) == [low, high, 1, 1, 1]


def test_systick_and_timer_agree_with_the_count() -> None:
    """SysTick sees a loop of known length to the cycle, TIMER to the microsecond."""
    with started("clocks.c") as machine:
        for thousands in (1, 10, 255):
            before = machine.cycles
            ticks, microseconds, *_ = words(ask(machine, bytes([thousands])))
            loop = 3 * 1000 * thousands - 1
            assert ticks == loop + 2  # and one of the two reads
            assert -125 < microseconds * 125 - loop < 250  # some instructions more, in whole microseconds
            assert ticks < machine.cycles - before < ticks + 300


def test_systick_wraps_and_says_so_once() -> None:
    """COUNTFLAG tells of each time the 24-bit counter came round, and a read clears it."""
    with started("clocks.c") as machine:
        replies = [words(ask(machine, b"\xff")) for _ in range(50)]
        assert all(second == 0 for *_, second in replies)
        assert sum(first for *_, first, _ in replies) == machine.cycles >> 24 == 2
        assert all(ticks == 3 * 255_000 + 1 for ticks, *_ in replies)


def test_watched_memory_changes_at_the_counts_worked_out_by_hand() -> None:
    """A change is seen where the block that made it ends, and watching changes no count."""
    with Rp2040(build("marks.S")) as machine, started("marks.S") as unwatched:
        machine.watch(machine.symbols["mark"])
        assert machine.take_changes() == [(bytes(8), 0, 0)]
        assert machine.run(soon()) is Stop.IDLE
        wfi, wfi_cycles = 1, 2
        first = START_INSTRUCTIONS - wfi + 5, START_CYCLES - wfi_cycles + 2 + 1 + 2 + 1 + 2
        second = first[0] + 1 + 200 + 4, first[1] + 1 + 100 * (1 + 2) - 1 + 1 + 2 + 1 + 1
        third = second[0] + 8, second[1] + 1 + 2 + 1 + 2 + 2 + 2 + 2 + 2
        marks = [struct.pack("<II", *words) for words in ((1, 0), (1, 2), (0, 0))]
        assert machine.take_changes() == [(marks[0], *first), (marks[1], *second), (marks[2], *third)]
        assert machine.take_changes() == []
        assert (machine.instructions, machine.cycles) == (third[0] + wfi, third[1] + wfi_cycles)
        assert (machine.instructions, machine.cycles) == (unwatched.instructions, unwatched.cycles)


def test_watching_can_begin_later_and_move() -> None:
    """Blocks that ran before are watched too; what was seen of one place is not taken for another's."""
    with started("marks.S") as machine:
        ran = machine.instructions, machine.cycles
        machine.watch(machine.symbols["mark"])
        assert machine.take_changes() == [(bytes(8), *ran)]
        machine.reset()
        machine.run(soon())
        assert [change.value[:1] for change in machine.take_changes()] == [b"\1", b"\1", b"\0"]
        machine.reset()
        machine.run(soon())  # and nobody takes its changes
        beside = machine.symbols["mark"] + 8
        machine.watch(beside)
        machine.write(beside, bytes(8))
        machine.reset()
        machine.run(soon())
        (_, gone), ran_again = (lambda log: (log[:2], log[2:]))(machine.take_changes())
        assert gone.value == bytes(8)
        assert [change.value for change in ran_again] == [struct.pack("<II", beside, 0)]
        with pytest.raises(InputError, match="address to watch"):
            machine.watch(0x10000000)


def test_svc_runs_its_handler() -> None:
    """The handler reads its own number, the thread behind it none; the stack is aligned for it and put back."""
    with started("svc.S") as machine:
        assert machine.registers["r5"] == 11
        assert machine.registers["r6"] == 0
        assert machine.registers["sp"] == 0x20001000
        assert machine.instructions == START_INSTRUCTIONS + 8
        assert machine.cycles == START_CYCLES + 2 + 1 + 15 + 3 + 1 + 1 + 2 + 3 + 4


def test_bus_aliases_and_narrow_writes() -> None:
    """XOR, set and clear work at their aliases, a narrow write fills its word; what is not modelled is noted."""
    with started("bus.c") as machine:
        assert words(machine.take()) == [0x0F0F, 0x0FF0, 0x8FF0, 0x80F0, 0x5A5A5A5A, 0x12341234, 0x12, 77]
        assert machine.unmodelled == (0x50200010,)


def test_an_overrun_is_flagged() -> None:
    """40 bytes at once: 32 arrive, and the next byte after them carries the flag."""
    with started("overrun.c") as machine:
        machine.flood(bytes(range(40)))
        machine.run(soon())
        assert words(machine.take()) == list(range(32))
        assert words(ask(machine, b"ab")) == [0x800 | ord("a"), ord("b")]


def test_snapshot_restores_everything() -> None:
    """From a snapshot, the same input gives the same output, counts, memory and flash, on any machine of the image."""
    data = bytes(range(1, 100))
    with started("echo.c") as machine, Rp2040(build("echo.c")) as other:
        machine.write_flash(0x60000, b"before")
        ask(machine, b"warm up")
        machine.feed(b"left over")
        snapshot = machine.snapshot()
        first = ask(machine, data)
        end = machine.snapshot()
        machine.write_flash(0x60000, b"after!")
        for twin in (machine, other):
            twin.restore(snapshot)
            assert twin.read(0x10060000, 6) == b"before"
            assert ask(twin, data) == first
            assert twin.snapshot() == end
        assert first.startswith(bytes(byte + 1 for byte in b"left over"))


def test_same_input_same_counts() -> None:
    """Two machines fed alike stand alike."""
    ends = []
    for _ in range(2):
        with started("echo.c") as machine:
            for size in (1, 40, 7, 300):
                ask(machine, b"\x55" * size)
            ends.append(machine.snapshot())
    assert ends[0] == ends[1]


def test_reset_keeps_memory() -> None:
    """A reset starts the program again; SRAM that start-up does not clear and the counts stay."""
    with started("echo.c") as machine:
        ask(machine, b"abc")
        count = machine.instructions
        machine.feed(b"lost")
        machine.reset()
        machine.write(0x20030000, b"kept")
        assert machine.run(soon()) is Stop.IDLE
        assert machine.read(0x20030000, 4) == b"kept"
        assert machine.take() == b""
        assert machine.instructions > count
        assert ask(machine, b"d") == b"e"


@pytest.mark.parametrize(("byte", "reason"), [(1, 1), (2, 2)], ids=["timer", "trigger"])
def test_watchdog_resets(byte: int, reason: int) -> None:
    """The watchdog bites after its 10 ms or at once, and says which after the reset."""
    with started("watchdog.c") as machine:
        assert words(machine.take()) == [0]
        start = machine.cycles
        machine.feed(bytes([byte]))
        assert machine.run(soon()) is Stop.RESET
        assert 0 <= machine.cycles - start - (1_250_000 if byte == 1 else 0) < 100
        assert machine.run(soon()) is Stop.IDLE
        assert words(machine.take()) == [reason]


def test_an_endless_loop_is_named() -> None:
    """The deadline ends it, the message names the function; the machine can be asked again and reset."""
    with started("watchdog.c") as machine:
        machine.feed(b"\x03")
        for _ in range(2):
            with pytest.raises(EmulationStuck, match="main"):
                machine.run(time.monotonic() + 0.05)
        machine.reset()
        assert machine.run(soon()) is Stop.IDLE


def test_text_written_by_the_host_runs() -> None:
    """Translated code is forgotten when a test changes it."""
    with started("straight.S") as machine:
        count, main = machine.instructions, machine.symbols["main"]
        machine.write(main, b"\x70\x47")  # bx lr
        machine.reset()
        machine.run(soon())
        assert machine.instructions - count == START_INSTRUCTIONS + 1


def test_machines_are_freed() -> None:
    """Closed or only forgotten, a machine gives its memory back."""
    elf = build("echo.c")

    def resident() -> int:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * 4096

    def make(count: int) -> None:
        for index in range(count):
            machine = Rp2040(elf)
            machine.run(soon())
            if index % 2:
                machine.close()

    if not Path("/proc/self/statm").exists():
        pytest.skip("this system does not tell a process its memory")
    make(10)
    gc.collect()
    before = resident()
    make(100)
    gc.collect()
    assert resident() - before < 20_000_000


def test_closed_machine_refuses() -> None:
    """Closing twice is fine, using it is not."""
    machine = Rp2040(build("echo.c"))
    machine.close()
    machine.close()
    with pytest.raises(InputError, match="closed"):
        machine.run(soon())
    with pytest.raises(InputError, match="closed"):
        machine.read(0x20000000, 4)


def test_refuses_what_is_no_image(tmp_path: Path) -> None:
    """No file, no ELF, another machine's ELF, flash and memory that do not exist."""
    text = tmp_path / "text.elf"
    text.write_text("not an ELF file")
    with pytest.raises(InputError, match="build the firmware"):
        Rp2040(tmp_path / "missing.elf")
    with pytest.raises(InputError, match="expected an ELF file, got"):
        Rp2040(text)
    with pytest.raises(InputError, match="expected an ELF file for ARM"):
        Rp2040(Path(shim.load()._name))
    with Rp2040(build("echo.c")) as machine:
        with pytest.raises(InputError, match="flash offset"):
            machine.write_flash(0x200000 - 3, b"four")
        with pytest.raises(InputError, match="address"):
            machine.read(0x20042000 - 3, 4)


def test_a_shim_that_does_not_compile_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiler's own words are in the error, and nothing half-built is left."""
    (tmp_path / "broken.c").write_text("int broken(void) { return undeclared; }")
    monkeypatch.setattr(shim, "SOURCES", tmp_path)
    monkeypatch.setattr(shim, "CACHE", tmp_path / "cache")
    shim.load.cache_clear()
    try:
        with pytest.raises(RuntimeError, match=r"cannot be compiled(.|\n)*undeclared"):
            shim.load()
        assert not list((tmp_path / "cache").glob("shim-*"))
    finally:
        shim.load.cache_clear()
