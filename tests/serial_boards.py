"""Boards on ports that are real to pyserial: a device behind a pseudo-terminal, a socket or an RFC 2217 server."""

import contextlib
import os
import select
import socket
import sys
import threading
import time
import tty
from collections.abc import Iterator
from pathlib import Path

import serial
from serial.rfc2217 import PortManager

from priot_hil.harness.errors import EmulationStuck, LinkLost
from priot_hil.harness.firmware import build
from priot_hil.harness.transports import Transport
from priot_hil.harness.transports.emulator import EmulatorTransport
from priot_hil.harness.transports.process import ProcessTransport

WAIT = 0.001


class PtyBoard:
    """A device behind a pseudo-terminal, moved by a thread; whoever opens `path` talks to it.

    Args:
        transport: The device; closed with the board.
    """

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self._master, self._slave = os.openpty()  # held open, so that a port which nobody has open stays
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        self._stop = threading.Event()
        self.is_deaf = False
        self._thread = threading.Thread(target=self._move, daemon=True)
        self._thread.start()

    def unplug(self) -> Transport:
        """The port vanishes; the device goes on and can be plugged in again."""
        if not self._stop.is_set():
            self._stop.set()
            self._thread.join()
            os.close(self._slave)
            os.close(self._master)
        return self.transport

    def close(self) -> None:
        """The end of port and device."""
        self.unplug().close()

    def _move(self) -> None:
        while not self._stop.is_set():
            if self.is_deaf:
                time.sleep(WAIT)
                continue
            if select.select([self._master], [], [], WAIT)[0]:
                self.transport.write(os.read(self._master, 4096), time.monotonic() + 5)
            with contextlib.suppress(LinkLost, EmulationStuck):  # a board that is busy goes on in the next round
                while data := self.transport.read(time.monotonic() + WAIT):
                    os.write(self._master, data)


class ModemPort(serial.Serial):
    """A pseudo-terminal with modem lines, which an RFC 2217 server reports and sets."""

    cts = dsr = ri = cd = property(lambda _: True)

    def _update_dtr_state(self) -> None:
        """No line to set."""

    def _update_rts_state(self) -> None:
        """No line to set."""


@contextlib.contextmanager
def served(path: str, rfc2217: bool) -> Iterator[str]:
    """A port behind the network: the URL at which one client finds it, plain or by RFC 2217."""
    port = ModemPort(path, timeout=0)
    server = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def serve() -> None:
        client, _ = server.accept()
        with client, client.makefile("wb", buffering=0) as out:
            out_lock = threading.Lock()

            class Out:
                def write(self, data: bytes) -> None:
                    with out_lock:
                        out.write(data)

            manager = PortManager(port, Out()) if rfc2217 else None
            while not stop.is_set():
                if select.select([client], [], [], WAIT)[0]:
                    data = client.recv(4096)
                    if not data:
                        return
                    port.write(b"".join(manager.filter(data)) if manager else data)
                if data := port.read(4096):
                    Out().write(b"".join(manager.escape(data)) if manager else data)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"{'rfc2217' if rfc2217 else 'socket'}://127.0.0.1:{server.getsockname()[1]}"
    stop.set()
    thread.join()
    port.close()
    server.close()


def golden(number: int) -> Path:
    """One of the golden capsules."""
    return next((Path(__file__).parent / "capsules" / "golden").glob(f"{number:03}_*.npz"))


def main() -> None:
    """A board as a process of its own: says its port and its build, and lives until its input ends."""
    is_process = sys.argv[1:] == ["process"]
    board = PtyBoard(
        ProcessTransport(build("host").process) if is_process else EmulatorTransport(build("rp2040").ram.elf)
    )
    print(board.path, flush=True)
    sys.stdin.read()
    board.close()


if __name__ == "__main__":
    main()
