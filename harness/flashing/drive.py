"""The drive as which the RP2040's bootrom offers itself: a UF2 file copied there goes to flash, or runs from RAM."""

import glob
import os
from pathlib import Path

from priot_hil.reference.errors import InputError

from .errors import FlashFailed

INFO = "INFO_UF2.TXT"
BOARD = "Board-ID: RPI-RP2"
# Where Linux desktops and macOS mount what is plugged in.
MOUNTS = ("/media/*", "/media/*/*", "/run/media/*/*", "/mnt/*", "/Volumes/*")
UNMOUNTED = Path("/dev/disk/by-label/RPI-RP2")
CHUNK = 1 << 16


def is_drive(folder: Path) -> bool:
    """Whether an RP2040's drive is mounted here."""
    try:
        return BOARD in (folder / INFO).read_text(errors="replace").splitlines()
    except OSError:
        return False


def find_drives() -> tuple[Path, ...]:
    """The drives of RP2040s that are mounted."""
    folders = {os.path.realpath(name) for pattern in MOUNTS for name in glob.glob(pattern)}
    return tuple(path for path in map(Path, sorted(folders)) if is_drive(path))


def named_drive(folder: Path) -> Path:
    """The drive that a user named.

    Raises:
        InputError: It is none of an RP2040.
    """
    if not is_drive(folder):
        got = f"no {INFO} with it" if folder.is_dir() else "no such folder"
        do = "hold BOOTSEL while the board is plugged in, and name the folder where its drive is mounted"
        raise InputError.about(f"drive {folder}", expected=f"a drive with {BOARD!r} in its {INFO}", got=got, do=do)
    return folder


def copy_uf2(uf2: Path, drive: Path) -> None:
    """Copies an image to a drive, down to the medium. The board restarts, and the drive is gone, with the last block.

    Raises:
        FlashFailed: Not all of it could be written.
    """
    data = memoryview(uf2.read_bytes())
    done = 0
    try:
        with (drive / uf2.name).open("wb", buffering=0) as file:
            while done < len(data):
                done += file.write(data[done : done + CHUNK])
            os.fsync(file.fileno())
    except OSError as error:
        if done == len(data) and not is_drive(drive):
            return  # it restarted before the system had said good-bye; what runs now will tell
        holds = "a part of the new program" if done else "its old program"
        raise FlashFailed.about(
            f"copy to {drive}",
            expected=f"room and time for {len(data)} bytes",
            got=f"{error.strerror or error} after {done} of them, so that the board holds {holds}",
            do="hold BOOTSEL while you plug it in again, then give the same command again",
        ) from error
