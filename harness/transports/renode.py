"""The RP2040 firmware on Renode: bytes through a TCP port that Renode connects to UART0."""

import contextlib
import select
import shutil
import socket
import time
from pathlib import Path
from typing import Final

from priot_hil.harness.errors import EmulationStuck, LinkLost
from priot_hil.harness.firmware import symbolize
from priot_hil.harness.renode import Renode

FLASH_BASE: Final = 0x10000000
_CHUNK: Final = 65536
_PORT_TRIES: Final = 5
# Whoever waits as long as this expects an answer; a shorter wait only asks whether the line is quiet.
_ANSWER_SECONDS: Final = 0.2
BOOT_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.02


class RenodeTransport:
    """Starts a Renode with a firmware image; it runs freely, asleep or not, until it is closed."""

    def __init__(self, elf: Path):
        """Start Renode; the firmware boots at once.

        Raises:
            InputError: there is no `renode`.
            LinkLost: it does not start, or refuses the image.
        """
        self._elf = elf
        self.renode = Renode()
        self._socket: socket.socket | None = None
        try:
            port = self._open_port()
            shutil.copy(elf, self.renode.folder / "firmware.elf")
            self.renode.expect("include @image.resc", "Starting emulation...")
            self._socket = socket.create_connection(("127.0.0.1", port))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._await_sleep()
        except BaseException:
            self.close()
            raise

    @property
    def name(self) -> str:
        """The image's file name."""
        return f"renode:{self._elf.name}"

    def write(self, data: bytes, deadline: float) -> None:
        """Send all of ``data``.

        Raises:
            LinkLost: Renode ended, or took no more bytes before the deadline.
        """
        line = self._line
        line.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            line.sendall(data)
        except TimeoutError:
            raise LinkLost(f"{self.name}: {len(data)} bytes not taken before the deadline.") from None
        except OSError:
            raise self.renode.lost() from None

    def read(self, deadline: float) -> bytes:
        """Return some bytes, or ``b""`` when the deadline passed and the core sleeps.

        Raises:
            EmulationStuck: the deadline passed while the core was busy.
            LinkLost: Renode ended.
        """
        line, seconds = self._line, max(0.0, deadline - time.monotonic())
        if not select.select([line], [], [], seconds)[0]:
            if seconds > _ANSWER_SECONDS:
                self._check_asleep()
            return b""
        try:
            data = line.recv(_CHUNK)
        except OSError:
            data = b""
        if not data:
            raise self.renode.lost()
        return data

    def reset(self) -> None:
        """Reset the machine; memory stays, as on the chip."""
        self.renode.expect("machine Reset")
        self._await_sleep()
        with contextlib.suppress(LinkLost):
            while self.read(0.0):
                pass

    def write_flash(self, offset: int, data: bytes) -> None:
        """Put bytes into the flash, as a programmer would."""
        (self.renode.folder / "flash.bin").write_bytes(data)
        self.renode.expect(f"sysbus LoadBinary @flash.bin {FLASH_BASE + offset:#x}")

    def close(self) -> None:
        """End Renode; may be called twice."""
        line, self._socket = self._socket, None
        if line is not None:
            line.close()
        self.renode.close()

    @property
    def _line(self) -> socket.socket:
        if self._socket is None:
            raise LinkLost(f"{self.name}: closed; open it again.")
        return self._socket

    def _is_asleep(self) -> bool:
        """Whether it executes nothing over several quanta; its count may stand still within one."""
        before = self._executed()
        time.sleep(_LOOK_SECONDS)
        return before == self._executed() > 0

    def _executed(self) -> int:
        return int(self.renode.command("cpu ExecutedInstructions"), 16)

    def _await_sleep(self) -> None:
        """Let the firmware boot, on a busy machine too; one that never sleeps is found by whoever waits for it."""
        deadline = time.monotonic() + BOOT_SECONDS
        while not self._is_asleep() and time.monotonic() < deadline:
            pass

    def _check_asleep(self) -> None:
        if not self._is_asleep():
            pc = int(self.renode.command("cpu PC"), 16)
            raise EmulationStuck(
                f"{self.name} still runs in {symbolize(self._elf, pc)} ({pc:#010x}) after its deadline; "
                f"allow more time, or look there for an endless loop.",
                pc=pc,
            )

    def _open_port(self) -> int:
        """Have Renode listen on a free port; another program may take a port between the look and Renode's start."""
        for _ in range(_PORT_TRIES):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port: int = probe.getsockname()[1]
            answer = self.renode.command(f'emulation CreateServerSocketTerminal {port} "terminal" false')
            if not answer:
                return port
        raise LinkLost(f"{self.name}: renode found no free TCP port in {_PORT_TRIES} tries: {answer}")
