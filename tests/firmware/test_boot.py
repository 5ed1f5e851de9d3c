"""Both images start, say who they are, restart when asked and survive a fault with a report of it."""

import subprocess
from collections.abc import Iterator

import pytest

from priot_hil.harness.firmware import HostFirmware, Image, symbolize
from priot_hil.harness.link import Link
from priot_hil.harness.protocol import CommandCode, FaultRecord, HelloResponse, ResetRequest, RestartCode, StatusCode
from priot_hil.harness.transports.emulator import EmulatorTransport
from priot_hil.harness.transports.process import ProcessTransport

POWER_ON, REQUESTED, FAULT = 0, 1, 2
UNDEFINED_INSTRUCTION = b"\x00\xde"


@pytest.fixture
def emulated(image: Image) -> Iterator[tuple[Link, EmulatorTransport]]:
    """A link to the image in the emulator."""
    transport = EmulatorTransport(image.elf)
    link = Link(transport)
    yield link, transport
    link.close()


def hello(link: Link) -> tuple[HelloResponse, bytes]:
    """The handshake's record, and what follows it: the last fault, if there was one."""
    payload = link.hello()
    return HelloResponse.unpack(payload), payload[HelloResponse.size() :]


def test_image_starts(image: Image, emulated: tuple[Link, EmulatorTransport]) -> None:
    """Name, clock, arena and build id are the image's; it touches no register that the emulator does not model."""
    link, transport = emulated
    record, fault = hello(link)
    assert record.name.rstrip(b"\0") == b"rp2040"
    assert record.build_id == image.build_id
    assert record.arena_bytes == image.sizes.arena
    assert record.clock_hz == 125_000_000
    assert (record.reset_cause, record.faulted, fault) == (POWER_ON, 0, b"")
    assert transport.machine.unmodelled == ()


def test_restart(emulated: tuple[Link, EmulatorTransport]) -> None:
    """A requested reset is answered, then done and known as such; one from outside is not taken for another."""
    link, transport = emulated
    hello(link)
    for _ in range(3):
        assert link.request(CommandCode.RESET, ResetRequest(RestartCode.FIRMWARE).pack()) == (0, b"")
        assert hello(link)[0].reset_cause == REQUESTED
    transport.reset()
    assert hello(link)[0].reset_cause == POWER_ON


def test_fault_is_reported(image: Image, emulated: tuple[Link, EmulatorTransport]) -> None:
    """An undefined instruction ends in a restart that reports where it was; the report outlives the next restart."""
    link, transport = emulated
    hello(link)
    machine = transport.machine
    place = machine.symbols["run_state"] & ~1
    whole = machine.read(place, 2)
    machine.write(place, UNDEFINED_INSTRUCTION)
    assert link.request(CommandCode.STATE, b"") == (StatusCode.STALE_SESSION, b"")
    machine.write(place, whole)
    record, report = hello(link)
    fault = FaultRecord.unpack(report)
    assert (record.reset_cause, record.faulted) == (FAULT, 1)
    assert fault.pc == place
    assert symbolize(image.elf, fault.lr).startswith("priot_device_command+")
    assert link.request(CommandCode.RESET, ResetRequest(RestartCode.FIRMWARE).pack()) == (0, b"")
    record, report = hello(link)
    assert (record.reset_cause, FaultRecord.unpack(report).pc) == (REQUESTED, place)


def test_bytes_that_do_not_fit_are_counted(emulated: tuple[Link, EmulatorTransport]) -> None:
    """More than the UART's FIFO at once: the loss is counted, and the next frame is answered all the same."""
    link, transport = emulated
    machine = transport.machine

    def lost() -> int:
        return int.from_bytes(machine.read(machine.symbols["lost"], 4), "little")

    hello(link)
    assert lost() == 0
    machine.flood(b"\1" * 100)
    assert hello(link)[0].reset_cause == POWER_ON
    assert lost() > 0


def test_process_starts(host: HostFirmware) -> None:
    """The process answers, restarts when asked, and ends with its input."""
    link = Link(ProcessTransport(host.process))
    record, _ = hello(link)
    assert record.build_id == host.build_id
    assert record.reset_cause == POWER_ON
    assert link.request(CommandCode.RESET, ResetRequest(RestartCode.FIRMWARE).pack()) == (0, b"")
    assert hello(link)[0].reset_cause == REQUESTED
    link.close()
    assert subprocess.run([host.process], input=b"\0noise\0", timeout=10, check=False).returncode == 0


def test_process_refuses_a_flash_file_that_is_not_there(host: HostFirmware) -> None:
    """A sentence and status 2."""
    done = subprocess.run([host.process, "no such file"], capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == 2
    assert "cannot map the flash file no such file" in done.stderr
