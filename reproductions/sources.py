"""Where data sets come from: what a source is, and how a file is fetched over HTTP.

A source gives a set's arrays; whether they are the right ones is for `data` to say.
"""

import fcntl
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO, Protocol

from priot_hil.harness.archive import Arrays
from priot_hil.harness.locks import lock
from priot_hil.harness.progress import counted, shown
from priot_hil.reference.errors import InputError

TRIES = 3
TIMEOUT_SECONDS = 30
CHUNK = 1 << 16


class SourceFailed(Exception):
    """A source did not serve; the message says why in a few words."""


class Source(Protocol):
    """Something that serves a data set."""

    @property
    def name(self) -> str:
        """What to call it in messages."""
        ...

    def fetch(self, folder: Path) -> Arrays:
        """Fetch the set.

        Args:
            folder: Where what was had so far may be kept for the next try; others may fetch into it at the same time.

        Returns:
            uint8 arrays: `x_train`, `y_train`, `x_test`, `y_test`, as `data.ImageSet` has them; not verified.

        Raises:
            SourceFailed: It did not serve, or what it served is damaged.
            OSError: The folder cannot be written.
        """
        ...


def download(url: str, part: Path) -> bytes:
    """Fetch a file, going on behind the bytes that an earlier try left. Whoever comes second waits for the first.

    Args:
        url: Where the file is.
        part: Collects its bytes; stays only if the file could not be had whole.

    Returns:
        The whole file.

    Raises:
        SourceFailed: It could not be had whole in a few tries.
        InputError: The part cannot be written.
    """
    reason = ""
    with _own(part) as file:
        for _ in range(TRIES):
            try:
                _append(url, file)
            except (OSError, HTTPException) as error:
                reason = str(getattr(error, "reason", error)) or type(error).__name__
                continue
            content = part.read_bytes()
            part.unlink()
            return content
    raise SourceFailed(reason)


@contextmanager
def _own(part: Path) -> Iterator[BinaryIO]:
    """The file that collects the bytes, open for appending, for one process or thread at a time."""
    while True:
        with _writing(part):
            file = part.open("ab", buffering=0)
        with file:
            lock(file.fileno(), fcntl.LOCK_EX)
            # Whoever had it before has finished and removed it, in most cases; then this is no file any more.
            if part.exists() and os.path.samestat(os.fstat(file.fileno()), part.stat()):
                yield file
                return


def _append(url: str, file: BinaryIO) -> None:
    """Take one connection's worth of a file; returns only when it is whole."""
    have = os.fstat(file.fileno()).st_size
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # The part is longer than the file: it cannot be its beginning.
            _empty(file)
        raise
    with response:
        if response.status != 206:
            have = 0
            _empty(file)
        expected = response.length
        came = 0
        whole = None if expected is None else have + expected
        with shown(counted(f"fetching {url.rpartition('/')[2]}", whole, have, "bytes")) as work:
            while chunk := response.read(CHUNK):
                _write(file, chunk)
                came += len(chunk)
                work.advance(len(chunk))
        # A connection that breaks between two chunks looks like the end of the file.
        if expected is not None and came < expected:
            raise OSError(f"{have + came} of {have + expected} bytes came")


def _empty(file: BinaryIO) -> None:
    with _writing(Path(file.name)):
        file.truncate(0)


def _write(file: BinaryIO, chunk: bytes) -> None:
    """All of a chunk at the end of the file."""
    left = memoryview(chunk)
    with _writing(Path(file.name)):
        while left:
            left = left[file.write(left) :]


@contextmanager
def _writing(part: Path) -> Iterator[None]:
    """A sentence for what goes wrong here, and not on the network."""
    try:
        yield
    except OSError as error:
        do = "make room, or name another folder in PRIOT_DATA"
        raise InputError.about(f"{part}", expected="a file that can be written", got=str(error), do=do) from error
