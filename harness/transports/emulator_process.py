"""An emulated RP2040 as a process of its own, on pipes: it can be killed at any moment, as a board can be unplugged."""

import os
import select
import sys
import time
from pathlib import Path
from typing import Final

from priot_hil.harness.errors import DeviceFault, EmulationStuck

from .emulator import DATASET_FLASH_OFFSET, EmulatorTransport
from .process import ProcessTransport

_SLICE_SECONDS: Final = 0.05  # of running between two looks at the input
_CHUNK: Final = 4096


def emulator_process(elf: Path, flash: str) -> ProcessTransport:
    """Start the process.

    Args:
        elf: The image it runs.
        flash: A file that stands for the transfer set's flash; what the host writes into it, the board sees.
    """
    return ProcessTransport(Path(sys.executable), "-m", __name__, str(elf), flash)


class FlashFile:
    """Keeps the emulated flash as the file is."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None

    def put_into(self, board: EmulatorTransport) -> None:
        """Copy the file if it was written since the last time."""
        now = self._path.stat()
        if self._seen != (now.st_mtime_ns, now.st_size):
            self._seen = (now.st_mtime_ns, now.st_size)
            board.machine.write_flash(DATASET_FLASH_OFFSET, self._path.read_bytes())


def serve(board: EmulatorTransport, flash: FlashFile) -> None:
    """Carry bytes between the standard streams and the board until the input ends; asleep while the board waits.

    Raises:
        DeviceFault: The core locked up.
    """
    is_busy = True  # it has yet to boot
    while True:
        if select.select([0], [], [], 0 if is_busy else None)[0]:
            data = os.read(0, _CHUNK)
            if not data:
                return
            flash.put_into(board)
            board.write(data, time.monotonic())
        try:
            answer = board.read(time.monotonic() + _SLICE_SECONDS)
        except EmulationStuck:
            is_busy = True
            continue
        is_busy = bool(answer)
        while answer:
            answer = answer[os.write(1, answer) :]


def main(elf: str, flash: str) -> int:
    """Serve one board; what stops it is on standard error."""
    try:
        serve(EmulatorTransport(Path(elf)), FlashFile(Path(flash)))
    except DeviceFault as fault:
        print(f"error: {fault}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
