"""A transfer set into a device's flash by its own commands, where the host cannot write that flash itself."""

import zlib
from collections.abc import Callable

from .errors import KernelStatus
from .progress import counted, shown
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
    with shown(counted(f"erasing the flash of {name}", len(data), unit="bytes")) as work:
        for offset in range(0, len(data), ERASE_AT_ONCE):
            sectors = -(-min(len(data) - offset, ERASE_AT_ONCE) // SECTOR_BYTES)
            command(CommandCode.ERASE, EraseRequest(offset, sectors * SECTOR_BYTES).pack(), sectors * ERASE_SECONDS)
            work.advance(ERASE_AT_ONCE)
    with shown(counted(f"transfer set to {name}", len(data), unit="bytes")) as work:
        for offset in range(0, len(data), STORE_AT_ONCE):
            pages = data[offset : offset + STORE_AT_ONCE]
            pages += b"\xff" * (-len(pages) % PAGE_BYTES)
            command(CommandCode.STORE, StoreRequest(offset).pack() + pages, STORE_SECONDS)
            work.advance(STORE_AT_ONCE)


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
