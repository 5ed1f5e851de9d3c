"""Transports: bytes in order, deadlines kept, a lost device said so."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from emulator_programs import build

from fake_programs import write_program
from priot_hil.harness.errors import DeviceFault, EmulationStuck, LinkLost
from priot_hil.harness.transports import Transport
from priot_hil.harness.transports.emulator import EmulatorTransport
from priot_hil.harness.transports.process import ProcessTransport

# Answers every byte with its successor; 0xff makes it die, 0xfd as under a sanitizer, 0xfe makes it deaf.
PROGRAM = """
import sys, time
while data := sys.stdin.buffer.raw.read(4096):
    if 0xfe in data:
        time.sleep(60)
    if 0xff in data:
        sys.exit("the reason")
    if 0xfd in data:
        sys.exit("ours\\nkernel.c:7:3: runtime error: signed integer overflow\\n" + "    #1 call\\n" * 999)
    sys.stdout.buffer.write(bytes(byte + 1 for byte in data))
    sys.stdout.buffer.flush()
"""


def soon() -> float:
    """A deadline that only a hang reaches."""
    return time.monotonic() + 20


@pytest.fixture
def process(tmp_path: Path) -> Iterator[ProcessTransport]:
    """The program above."""
    transport = ProcessTransport(write_program(tmp_path / "program", PROGRAM))
    yield transport
    transport.close()


@pytest.fixture(params=["emulator", "process"])
def transport(request: pytest.FixtureRequest) -> Iterator[Transport]:
    """Each transport with a device that answers every byte with its successor."""
    if request.param == "process":
        yield request.getfixturevalue("process")
        return
    emulated = EmulatorTransport(build("echo.c"))
    yield emulated
    emulated.close()


def read_exactly(transport: Transport, count: int) -> bytes:
    """Read until `count` bytes have come."""
    received = b""
    while len(received) < count:
        data = transport.read(soon())
        assert data
        received += data
    return received


def test_bytes_come_back_in_order(transport: Transport) -> None:
    """Small and large writes, more than a pipe's or a FIFO's worth."""
    for size in (1, 100, 5000):
        data = bytes(i % 250 for i in range(size))
        transport.write(data, soon())
        assert read_exactly(transport, size) == bytes(i % 250 + 1 for i in range(size))


def test_nothing_to_say_is_empty(transport: Transport) -> None:
    """A device without a question stays silent, and a deadline that has passed is no error."""
    assert transport.read(time.monotonic() + 0.05) == b""
    assert transport.read(time.monotonic() - 1) == b""


def test_reset_restarts(transport: Transport) -> None:
    """Bytes under way are lost, the next ones arrive."""
    transport.write(b"lost", soon())
    transport.reset()
    transport.write(b"abc", soon())
    assert read_exactly(transport, 3) == b"bcd"


def test_close_twice(transport: Transport) -> None:
    """The second time does nothing."""
    transport.close()
    transport.close()


def test_a_dead_process_gives_its_last_words(process: ProcessTransport) -> None:
    """Status and standard error are in the message; a reset brings a new process."""
    process.write(b"\xff", soon())
    with pytest.raises(LinkLost, match=r"status 1(.|\n)*the reason"):
        process.read(soon())
    process.reset()
    process.write(b"a", soon())
    assert read_exactly(process, 1) == b"b"


def test_a_sanitizers_report_is_a_fault(process: ProcessTransport) -> None:
    """A verdict on the firmware, not on the line: an ordinary exception, which hypothesis shrinks."""
    process.write(b"\xfd", soon())
    with pytest.raises(DeviceFault, match=r"a sanitizer stopped the firmware:\nkernel.c:7:3: .*overflow") as fault:
        process.read(soon())
    assert str(fault.value).count("#1 call") == 11  # the innermost; a report goes on for hundreds of lines
    process.reset()
    process.write(b"a", soon())
    assert read_exactly(process, 1) == b"b"


def test_a_deaf_process_keeps_the_deadline(process: ProcessTransport) -> None:
    """A full pipe does not block beyond the deadline."""
    process.write(b"\xfe", soon())
    start = time.monotonic()
    with pytest.raises(LinkLost, match="not taken before the deadline"):
        process.write(b"x" * 10_000_000, start + 0.3)
    assert 0.2 < time.monotonic() - start < 5


def test_a_missing_process_says_so(tmp_path: Path) -> None:
    """The file's name and the way out are in the message."""
    with pytest.raises(LinkLost, match="missing: cannot be started"):
        ProcessTransport(tmp_path / "missing")


def test_link_lost_is_no_exception() -> None:
    """Hypothesis must not take a broken cable for a counterexample."""
    assert not issubclass(LinkLost, Exception)


def test_emulator_goes_on_after_the_firmware_resets_itself() -> None:
    """One read spans the reset and returns what the new start says."""
    transport = EmulatorTransport(build("watchdog.c"))
    assert transport.read(soon()) == bytes(4)
    transport.write(b"\x02", soon())
    assert transport.read(soon()) == bytes([2, 0, 0, 0])
    transport.close()


def test_emulator_stuck_is_named() -> None:
    """A core that is still busy at the deadline is not the same as one with nothing to say."""
    transport = EmulatorTransport(build("watchdog.c"))
    transport.read(soon())
    transport.write(b"\x03", soon())
    with pytest.raises(EmulationStuck, match="main"):
        transport.read(time.monotonic() + 0.05)
    transport.close()


def test_emulator_that_keeps_restarting_is_named() -> None:
    """A firmware that never gets beyond its start does not hold the host for ever."""
    transport = EmulatorTransport(build("restart.c"))
    with pytest.raises(EmulationStuck, match="keeps restarting"):
        transport.read(time.monotonic() + 0.05)
    transport.close()
