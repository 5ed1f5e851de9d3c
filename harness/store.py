"""A transfer set into a device's flash by its own commands, where the host cannot write that flash itself."""

import sys
import zlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from .errors import KernelStatus
from .protocol import (
    PAGE_BYTES,
    PAYLOAD_LIMIT,
    SECTOR_BYTES,
    CommandCode,
    DatasetRecord,
    DatasetResponse,
    EraseRequest,
    StoreRequest,
)

ERASE_AT_ONCE = 16 * SECTOR_BYTES  # what flash chips erase fastest
STORE_AT_ONCE = (PAYLOAD_LIMIT - StoreRequest.size()) // PAGE_BYTES * PAGE_BYTES
ERASE_SECONDS = 0.4  # of a sector at worst, by the data sheets of the chips in use
STORE_SECONDS = 0.01  # of a request's pages at worst
CHECK_SECONDS = 30.0  # of reading all of the flash and its checksum
LONG_BYTES = 1 << 16  # from here on people want to see how far it is

Command = Callable[[CommandCode, bytes, float], bytes]


def store_dataset(command: Command, data: bytes, name: str) -> None:
    """Erases as many sectors as the set takes and stores it, unless the device has the same set already.

    Args:
        command: Runs a command of the device, as `Device.command`.
        data: The set, or anything else that is to lie in its place.
        name: Of the device, for people.

    Raises:
        KernelStatus: The flash does not hold what was put there, or the device cannot write it.
    """
    if is_stored(command, data):
        return
    for offset in range(0, len(data), ERASE_AT_ONCE):
        sectors = -(-min(len(data) - offset, ERASE_AT_ONCE) // SECTOR_BYTES)
        command(CommandCode.ERASE, EraseRequest(offset, sectors * SECTOR_BYTES).pack(), sectors * ERASE_SECONDS)
    for offset in _shown(range(0, len(data), STORE_AT_ONCE), len(data), name):
        pages = data[offset : offset + STORE_AT_ONCE]
        pages += b"\xff" * (-len(pages) % PAGE_BYTES)
        command(CommandCode.STORE, StoreRequest(offset).pack() + pages, STORE_SECONDS)


def is_stored(command: Command, data: bytes) -> bool:
    """Whether the device says that this very set lies in its flash and fits its model; no where it cannot tell."""
    if len(data) < DatasetRecord.size():
        return False
    head, body = DatasetRecord.unpack(data), data[DatasetRecord.size() :]
    samples = head.train + head.test
    if len(body) != samples * (head.image_bytes + 2) + 2 * head.epochs * head.train or zlib.crc32(body) != head.crc:
        return False
    try:
        found = DatasetResponse.unpack(command(CommandCode.DATASET, b"", CHECK_SECONDS))
    except KernelStatus:
        return False
    return (found.train, found.test, found.crc) == (head.train, head.test, head.crc)


def _shown(offsets: range, total: int, name: str) -> Iterator[int]:
    """The offsets; while they are worked off, a bar on a terminal, for what takes long."""
    console = Console(file=sys.stderr)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    is_shown = console.is_terminal and total >= LONG_BYTES
    with Progress(*columns, console=console, transient=True, disable=not is_shown) as bar:
        task = bar.add_task(f"transfer set to {name}", total=total)
        for offset in offsets:
            yield offset
            bar.advance(task, min(STORE_AT_ONCE, total - offset))
