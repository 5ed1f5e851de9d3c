"""MNIST, verified and cached, and the transfer tasks drawn from it."""

import gzip
import os
import tempfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from priot_hil.harness.files import write_aside
from priot_hil.reference.checks import Int8Array
from priot_hil.reference.errors import InputError
from priot_hil.reference.streams import stream

from .files import Arrays, pack, sha256, unpack
from .rotate import rotate, rotation
from .sources import SOURCES, Source, SourceFailed

SIDE = 28
# Of the arrays' bytes in C order.
MNIST_SHA256 = {
    "x_train": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    "y_train": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    "x_test": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    "y_test": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
}


@dataclass(frozen=True, eq=False)
class Samples:
    """Images as a network takes them, with their labels.

    Attributes:
        images: int8, (n, 1, 28, 28), 0..127.
        labels: int64, (n,), 0..9.
    """

    images: Int8Array
    labels: npt.NDArray[np.int64]

    def take(self, count: int) -> "Samples":
        """The first `count` samples."""
        return Samples(self.images[:count], self.labels[:count])


@dataclass(frozen=True, eq=False)
class Mnist:
    """The official arrays, uint8: images (n, 28, 28) of 0..255, labels (n,) of 0..9."""

    x_train: npt.NDArray[np.uint8]
    y_train: npt.NDArray[np.uint8]
    x_test: npt.NDArray[np.uint8]
    y_test: npt.NDArray[np.uint8]

    def upright_train(self) -> Samples:
        """The pre-training set: all training images, upright, in the official order."""
        return samples(self.x_train, self.y_train)

    def upright_test(self) -> Samples:
        """All test images, upright, in the official order."""
        return samples(self.x_test, self.y_test)


@dataclass(frozen=True, eq=False)
class TransferTask:
    """What a run learns, and what it is judged by."""

    train: Samples
    test: Samples


def samples(pixels: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]) -> Samples:
    """Turn grey pixels into int8 (``pixel >> 1``, exponent -7)."""
    return Samples((pixels >> 1).astype(np.int8)[:, np.newaxis], labels.astype(np.int64))


def transfer_task(mnist: Mnist, angle: float, seed: int, train: int, test: int) -> TransferTask:
    """Draw rotated images for training and for testing.

    Args:
        mnist: The whole set.
        angle: Degrees, counter-clockwise.
        seed: Of the run; its stream *data* draws the training indices, then those of the test.
        train: Number of training images, drawn from the training set without replacement.
        test: The same for the test set.

    Returns:
        The task.

    Raises:
        InputError: More images are asked for than there are.
    """
    for what, count, available in (("training", train, len(mnist.x_train)), ("test", test, len(mnist.x_test))):
        if not 1 <= count <= available:
            do = "ask for a number in that range"
            raise InputError.about(f"number of {what} images", expected=f"1..{available}", got=count, do=do)
    draws = stream(seed, "data")
    chosen_train = draws.choice(len(mnist.x_train), train, replace=False)
    chosen_test = draws.choice(len(mnist.x_test), test, replace=False)
    affine = rotation(angle, SIDE)
    return TransferTask(
        samples(rotate(mnist.x_train[chosen_train], affine), mnist.y_train[chosen_train]),
        samples(rotate(mnist.x_test[chosen_test], affine), mnist.y_test[chosen_test]),
    )


def data_folder() -> Path:
    """The folder that keeps the data: `PRIOT_DATA`, else the user's cache, else one under the temporary folder."""
    if named := os.environ.get("PRIOT_DATA"):
        return Path(named)
    for variable, below in (("XDG_CACHE_HOME", ""), ("HOME", ".cache"), ("LOCALAPPDATA", "")):
        value = os.environ.get(variable, "")
        if value and Path(value).is_absolute():
            return Path(value) / below / "priot-hil"
    user = os.getuid() if hasattr(os, "getuid") else "user"
    return Path(tempfile.gettempdir()) / f"priot-hil-{user}"


def load_mnist(
    folder: Path | None = None,
    sources: Sequence[Source] = SOURCES,
    sums: Mapping[str, str] = MNIST_SHA256,
    say: Callable[[str], None] = print,
) -> Mnist:
    """Load MNIST from the cache, or fetch it from the first source that serves it.

    What is in the cache is verified each time, so that a damaged file is fetched anew.

    Args:
        folder: The cache; None for `data_folder()`.
        sources: Tried in turn.
        sums: SHA-256 of each array's bytes.
        say: Told which source served, and of a damaged cache.

    Returns:
        The verified arrays.

    Raises:
        InputError: It is not in the cache and no source served it; or the cache cannot be written.
    """
    folder = data_folder() if folder is None else folder
    cached = folder / "mnist.npz"
    if (kept := _read_cache(cached, sums, say)) is not None:
        return Mnist(**kept)
    make_folder(folder)
    reasons = []
    for source in sources:
        try:
            arrays = decode(source.fetch(folder), sums)
        except SourceFailed as error:
            reasons.append(f"{source.name} ({error})")
            continue
        write_aside(cached, pack(arrays))
        say(f"MNIST: fetched from {source.name}, kept in {cached}")
        return Mnist(**arrays)
    do = "connect to a network once, or copy mnist.npz from another machine into a folder and name it in PRIOT_DATA"
    tried = f"nothing there, and none of {len(reasons)} sources served: {'; '.join(reasons)}"
    raise InputError.about(f"MNIST in {cached}", expected="the data", got=tried, do=do)


def make_folder(folder: Path) -> None:
    """Make the cache folder.

    Raises:
        InputError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        do = "name another folder in PRIOT_DATA"
        raise InputError.about(f"data folder {folder}", expected="a folder", got=str(error), do=do) from error


def decode(packed: Mapping[str, bytes], sums: Mapping[str, str]) -> Arrays:
    """Unpack the official files and verify every array.

    Args:
        packed: The gzip files by array name.
        sums: SHA-256 of each array's bytes.

    Returns:
        uint8 arrays, images as (n, rows, columns).

    Raises:
        SourceFailed: A file is damaged or not the official one.
    """
    arrays: Arrays = {}
    for name, content in packed.items():
        try:
            arrays[name] = _parse_idx(gzip.decompress(content))
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise SourceFailed(f"{name} is damaged: {error}") from error
        if sha256(arrays[name].tobytes()) != sums[name]:
            raise SourceFailed(f"{name} is not the official array, its sha256 differs")
    return arrays


def _parse_idx(content: bytes) -> npt.NDArray[np.uint8]:
    """An IDX file of bytes: two zeros, type 8, number of sizes, the sizes as big-endian uint32, the values."""
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise ValueError("not an IDX file of bytes")
    first = 4 + 4 * content[3]
    sizes = np.frombuffer(content[4:first], ">u4").astype(np.int64)
    return np.frombuffer(content[first:], np.uint8).reshape(sizes)


def _read_cache(path: Path, sums: Mapping[str, str], say: Callable[[str], None]) -> Arrays | None:
    """The cached arrays, or None where the file is missing or not what it should be."""
    if not path.is_file():
        return None
    try:
        arrays = unpack(path.read_bytes(), f"{path}", "fetch it anew")
    except InputError:
        arrays = {}
    if {name: sha256(array.tobytes()) for name, array in arrays.items()} == dict(sums):
        return arrays
    say(f"MNIST: {path} is damaged; fetching it anew")
    return None
