"""Ports: found by number or place, listed with what answers behind them, and left in peace where nobody asked."""

import os
import pty
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from priot_hil.harness import link
from priot_hil.harness.boards_on_ports import pool_boards
from priot_hil.harness.device_kinds import DeviceOptions
from priot_hil.harness.devices_command import list_devices, port_rows
from priot_hil.harness.discovery import find_boards, port_named, where_now
from priot_hil.harness.firmware import build
from priot_hil.harness.transports.emulator import EmulatorTransport
from priot_hil.harness.transports.process import ProcessTransport
from priot_hil.harness.transports.serial import SerialTransport
from priot_hil.reference.errors import InputError
from serial_boards import PtyBoard

Plug = Callable[..., None]
PICO, ADAPTER = (0x1209, 1), (0x0403, 0x6001)


@pytest.fixture
def plug(monkeypatch: pytest.MonkeyPatch) -> Plug:
    """Say which ports the system lists: `plug((device, serial number, location, (vendor, product)), ...)`."""

    def listed(*ports: tuple[str, str | None, str | None, tuple[int, int]]) -> None:
        found = [
            SimpleNamespace(
                device=device, serial_number=number, location=location, vid=ids[0], pid=ids[1], description=""
            )
            for device, number, location, ids in ports
        ]
        monkeypatch.setattr("serial.tools.list_ports.comports", lambda: found)

    return listed


@pytest.fixture
def silent() -> Iterator[str]:
    """A port behind which nobody is."""
    master, slave = pty.openpty()
    yield os.ttyname(slave)
    os.close(slave)
    os.close(master)


def test_a_port_by_its_number(plug: Plug) -> None:
    """A serial number in either case, or a location; where several fit, none is taken."""
    plug(
        ("/dev/ttyACM1", "E66A", "1-1.4:1.0", PICO),
        ("/dev/ttyACM0", "77", "1-1.3:1.0", PICO),
        ("/dev/ttyACM2", "77", "2-1:1.2", (0x2E8A, 0x000C)),
        ("/dev/ttyUSB0", None, "2-2:1.0", ADAPTER),
    )
    assert port_named("e66a").device == "/dev/ttyACM1"
    assert port_named("1-1.3").device == "/dev/ttyACM0"
    assert port_named("2-1:1.2").device == "/dev/ttyACM2"
    with pytest.raises(InputError, match=r"got 2 \(/dev/ttyACM0 \(77 at 1-1.3:1.0\), .*name one by its location"):
        port_named("77")
    with pytest.raises(InputError, match=r"serial:99: expected one port .*, got /dev/ttyACM0 .*/dev/ttyUSB0.*; plug"):
        port_named("99")
    assert [board.device for board in find_boards()] == ["/dev/ttyACM0", "/dev/ttyACM1", "/dev/ttyACM2"]
    assert pool_boards(("serial:*",)) == ("serial:1-1.3:1.0", "serial:E66A", "serial:2-1:1.2")


def test_a_board_is_found_where_it_is_now(plug: Plug) -> None:
    """Under another name, or in another socket; not while it is away, and not where two could be it."""
    plug(("/dev/ttyACM0", "E66A", "1-1.4:1.0", PICO))
    known = port_named("E66A")
    plug(("/dev/ttyACM7", "E66A", "1-1.4:1.0", PICO), ("/dev/ttyACM0", "E66A", "2-1:1.0", PICO))
    assert where_now(known) == "/dev/ttyACM7"
    plug(("/dev/ttyACM0", "77", "1-1.4:1.0", PICO), ("/dev/ttyACM1", "E66A", "2-1:1.0", PICO))
    assert where_now(known) == "/dev/ttyACM1"
    plug(("/dev/ttyACM1", "E66A", "2-1:1.0", PICO), ("/dev/ttyACM2", "E66A", "2-2:1.0", PICO))
    assert where_now(known) is None
    plug()
    assert where_now(known) is None


def test_a_pool_of_all_boards_needs_one(plug: Plug) -> None:
    """An adapter alone is none."""
    plug(("/dev/ttyUSB0", "A1", "2-2:1.0", ADAPTER))
    with pytest.raises(InputError, match=r"^serial:\*: expected boards on USB, got none; plug one in"):
        pool_boards(("serial:*",))


@pytest.mark.slow
def test_ports_are_listed_with_what_answers(
    plug: Plug, silent: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """This build, another, silence, a holder; a port that is no board is asked only when it is named."""
    monkeypatch.setattr(link, "MARGIN", 0.3)
    own = PtyBoard(EmulatorTransport(build("rp2040").flash.elf))
    other = PtyBoard(ProcessTransport(build("host").process))
    adapter = PtyBoard(ProcessTransport(build("host").process))
    plug(
        (own.path, "E66A", "1-1.4:1.0", PICO),
        (silent, None, "1-1.3:1.0", PICO),
        (adapter.path, "A1", "2-2:1.0", ADAPTER),
    )
    built = build("rp2040").flash.build_id.hex()[:12]

    def rows(more: str = "") -> dict[str, tuple[str, ...]]:
        return {row[0]: row[1:] for row in port_rows(more, DeviceOptions())}

    found = rows(other.path)
    assert found[own.path][:2] == ("serial:E66A", "at 1-1.4:1.0")
    assert found[own.path][2].startswith("rp2040 ")
    assert f" runs {built} (priot-flash, this checkout's) at 125 MHz" in found[own.path][2]
    assert found[silent] == (
        "serial:1-1.3:1.0",
        "at 1-1.3:1.0",
        "silent: no firmware of this project answers; see `invoke flash`",
    )
    assert found[adapter.path][2].startswith("not asked: ")
    assert found[other.path][:2] == ("", "")
    assert "(another build than this checkout's; see `invoke flash`)" in found[other.path][2]
    held = SerialTransport(adapter.path, 115200)
    assert f"(pid {os.getpid()}, since " in rows(adapter.path)[adapter.path][2]
    held.close()
    assert "another build" in rows(adapter.path)[adapter.path][2]
    list_devices("", DeviceOptions())
    said = capsys.readouterr().out
    assert f"\n{own.path}  serial:E66A " in said
    assert "\nemulator      available\n" in said
    for board in (own, other, adapter):
        board.close()


@pytest.mark.parametrize("name", ["emulator", "/dev/ttyACM0+/dev/ttyACM1"])
def test_only_ports_can_be_asked(name: str) -> None:
    """What is none has nothing to be asked."""
    with pytest.raises(InputError, match="expected ports, with commas"):
        port_rows(name, DeviceOptions())
