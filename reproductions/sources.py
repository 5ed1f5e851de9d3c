"""Where data sets come from: what a source is, and how a file is fetched over HTTP.

A source gives a set's arrays; whether they are the right ones is for `data` to say.
"""

import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Protocol

from priot_hil.harness.progress import counted, shown

from .files import Arrays

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
            folder: Where what was had so far may be kept for the next try.

        Returns:
            uint8 arrays: `x_train`, `y_train`, `x_test`, `y_test`, as `data.ImageSet` has them; not verified.

        Raises:
            SourceFailed: It did not serve, or what it served is damaged.
        """
        ...


def download(url: str, part: Path) -> bytes:
    """Fetch a file, going on behind the bytes that an earlier try left.

    Args:
        url: Where the file is.
        part: Collects its bytes; stays only if the file could not be had whole.

    Returns:
        The whole file.

    Raises:
        SourceFailed: It could not be had whole in a few tries.
    """
    reason = ""
    for _ in range(TRIES):
        try:
            _append(url, part)
        except (OSError, HTTPException) as error:
            reason = str(getattr(error, "reason", error)) or type(error).__name__
            continue
        content = part.read_bytes()
        part.unlink()
        return content
    raise SourceFailed(reason)


def _append(url: str, part: Path) -> None:
    """Take one connection's worth of a file; returns only when it is whole."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # The part is longer than the file: it cannot be its beginning.
            part.unlink()
        raise
    with response, part.open("ab" if response.status == 206 else "wb") as file:
        expected = response.length
        before = file.tell()
        whole = None if expected is None else before + expected
        with shown(counted(f"fetching {url.rpartition('/')[2]}", whole, before, "bytes")) as work:
            while chunk := response.read(CHUNK):
                file.write(chunk)
                work.advance(len(chunk))
        # A connection that breaks between two chunks looks like the end of the file.
        if expected is not None and file.tell() - before < expected:
            raise OSError(f"{file.tell()} of {before + expected} bytes came")
