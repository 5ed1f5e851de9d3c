"""MNIST and CIFAR-10, verified and cached, and the transfer tasks drawn from them."""

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from priot_hil.harness.archive import Arrays, pack, unpack
from priot_hil.harness.files import read_whole, write_aside
from priot_hil.harness.locks import alone_in
from priot_hil.harness.options import Place
from priot_hil.reference.checks import Int8Array
from priot_hil.reference.errors import InputError
from priot_hil.reference.streams import stream

from .cifar10_sources import CIFAR10_SOURCES
from .files import sha256
from .mnist_sources import MNIST_SOURCES
from .rotate import rotate, rotation
from .sources import Source, SourceFailed

# Of the arrays' bytes in C order.
MNIST_SHA256 = {
    "x_train": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    "y_train": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    "x_test": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    "y_test": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
}
CIFAR10_SHA256 = {
    "x_train": "47af8b02cfcfb6cdf3dbbd1969ad7f1b70f4413f6f80f437b020ee4e5bc8304a",
    "y_train": "2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253",
    "x_test": "f9b1e2130bab680db56eb06d886f7f1ad0f1183907ceff4659d1735c890f5b04",
    "y_test": "cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5",
}


@dataclass(frozen=True, eq=False)
class Samples:
    """Images as a network takes them, with their labels.

    Attributes:
        images: int8, (n, 1, 28, 28) of MNIST, (n, 3, 32, 32) of CIFAR-10, 0..127.
        labels: int64, (n,), 0..9.
    """

    images: Int8Array
    labels: npt.NDArray[np.int64]

    def take(self, count: int) -> "Samples":
        """The first `count` samples."""
        return Samples(self.images[:count], self.labels[:count])


@dataclass(frozen=True, eq=False)
class ImageSet:
    """The official arrays, uint8, values 0..255, labels (n,) of 0..9.

    Images are (n, 28, 28) of MNIST, and (n, 32, 32, 3) of CIFAR-10: red, green, blue.
    """

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
    """Turn pixels into int8 (``pixel >> 1``, exponent -7), and colours into planes."""
    planes = pixels[:, np.newaxis] if pixels.ndim == 3 else pixels.transpose(0, 3, 1, 2)
    return Samples((np.ascontiguousarray(planes) >> 1).astype(np.int8), labels.astype(np.int64))


def transfer_task(images: ImageSet, angle: float, seed: int, train: int, test: int) -> TransferTask:
    """Draw rotated images for training and for testing.

    Args:
        images: The whole set.
        angle: Degrees, counter-clockwise.
        seed: Of the run; its stream *data* draws the training indices, then those of the test.
        train: Number of training images, drawn from the training set without replacement.
        test: The same for the test set.

    Returns:
        The task.

    Raises:
        InputError: More images are asked for than there are.
    """
    for what, count, available in (("training", train, len(images.x_train)), ("test", test, len(images.x_test))):
        if not 1 <= count <= available:
            do = "ask for a number in that range"
            raise InputError.about(f"number of {what} images", expected=f"1..{available}", got=count, do=do)
    draws = stream(seed, "data")
    chosen_train = draws.choice(len(images.x_train), train, replace=False)
    chosen_test = draws.choice(len(images.x_test), test, replace=False)
    affine = rotation(angle, images.x_train.shape[1])
    return TransferTask(
        samples(rotate(images.x_train[chosen_train], affine), images.y_train[chosen_train]),
        samples(rotate(images.x_test[chosen_test], affine), images.y_test[chosen_test]),
    )


def data_folder() -> Path:
    """The folder that keeps the data: `PRIOT_DATA`, else the user's cache, else one under the temporary folder."""
    if named := os.environ.get("PRIOT_DATA"):
        return Place("a folder").read("PRIOT_DATA", named)
    for variable, below in (("XDG_CACHE_HOME", ""), ("HOME", ".cache"), ("LOCALAPPDATA", "")):
        value = os.environ.get(variable, "")
        if value and Path(value).is_absolute():
            return Path(value) / below / "priot-hil"
    user = os.getuid() if hasattr(os, "getuid") else "user"
    return Path(tempfile.gettempdir()) / f"priot-hil-{user}"


def load_mnist(
    folder: Path | None = None,
    sources: Sequence[Source] = MNIST_SOURCES,
    sums: Mapping[str, str] = MNIST_SHA256,
    say: Callable[[str], None] = print,
) -> ImageSet:
    """Load MNIST; the arguments are those of `load_images`."""
    return load_images("MNIST", "mnist.npz", (28, 28), folder, sources, sums, say)


def load_cifar10(
    folder: Path | None = None,
    sources: Sequence[Source] = CIFAR10_SOURCES,
    sums: Mapping[str, str] = CIFAR10_SHA256,
    say: Callable[[str], None] = print,
) -> ImageSet:
    """Load CIFAR-10; the arguments are those of `load_images`."""
    return load_images("CIFAR-10", "cifar10.npz", (32, 32, 3), folder, sources, sums, say)


# By the names that `networks.SUBJECTS` gives.
TITLES = {"mnist": "MNIST", "cifar10": "CIFAR-10"}
LOADERS = {"mnist": load_mnist, "cifar10": load_cifar10}


def load_images(
    title: str,
    file: str,
    shape: tuple[int, ...],
    folder: Path | None,
    sources: Sequence[Source],
    sums: Mapping[str, str],
    say: Callable[[str], None],
) -> ImageSet:
    """Load a set from the cache, or fetch it from the first source that serves it.

    What is in the cache is verified each time, so that a damaged file is fetched again. Of several processes that find
    none, one fetches it, and the others wait.

    Args:
        title: What to call the set in messages.
        file: Its name in the cache.
        shape: Of an image.
        folder: The cache; None for `data_folder()`.
        sources: Tried in turn.
        sums: SHA-256 of each array's bytes.
        say: Told which source served, which did not, and of a damaged cache.

    Returns:
        The verified arrays.

    Raises:
        InputError: It is not in the cache and no source served it; or the cache cannot be written.
    """
    folder = data_folder() if folder is None else folder
    cached = folder / file
    if (kept := _read_cache(cached, title, shape, sums, say)) is not None:
        return ImageSet(**kept)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with alone_in(folder, lambda: say(f"{title}: waiting for another process that fetches into {folder}")):
            # Another process may have fetched it since.
            kept = _read_cache(cached, title, shape, sums, _quiet) or _fetch(title, cached, sources, sums, say)
            return ImageSet(**kept)
    except OSError as error:
        do = "make room, or name another folder in PRIOT_DATA"
        expected = "a folder that can be written"
        raise InputError.about(f"data folder {folder}", expected=expected, got=str(error), do=do) from error


def _fetch(
    title: str, cached: Path, sources: Sequence[Source], sums: Mapping[str, str], say: Callable[[str], None]
) -> Arrays:
    """The arrays from the first source that serves, kept.

    Raises:
        InputError: None serves, or they cannot be kept.
    """
    reasons = []
    for source in sources:
        try:
            arrays = verified(source.fetch(cached.parent), sums)
        except SourceFailed as error:
            reasons.append(f"{source.name} ({error})")
            continue
        write_aside(cached, pack(arrays))
        failed = f"; before it failed {'; '.join(reasons)}" if reasons else ""
        say(f"{title}: fetched from {source.name}, kept in {cached}{failed}")
        return arrays
    do = (
        f"connect to a network once, or copy {cached.name} from another machine into a folder and name it in PRIOT_DATA"
    )
    tried = f"nothing there, and none of {len(reasons)} sources served: {'; '.join(reasons)}"
    raise InputError.about(f"{title} in {cached}", expected="the data", got=tried, do=do)


def verified(arrays: Arrays, sums: Mapping[str, str]) -> Arrays:
    """Let the official arrays pass.

    Args:
        arrays: What a source gave.
        sums: SHA-256 of each array's bytes in C order.

    Returns:
        The same arrays.

    Raises:
        SourceFailed: One of them is not the official one.
    """
    for name, expected in sums.items():
        if sha256(arrays[name].tobytes()) != expected:
            raise SourceFailed(f"{name} is not the official array, its sha256 differs")
    return arrays


def _quiet(_: str) -> None:
    """A damaged cache has been spoken of."""


def _read_cache(
    path: Path, title: str, shape: tuple[int, ...], sums: Mapping[str, str], say: Callable[[str], None]
) -> Arrays | None:
    """The cached arrays, or None where the file is missing or not what it should be."""
    if not path.is_file():
        return None
    try:
        do = "fetch it again"
        arrays = unpack(read_whole(path, f"{path}", do), f"{path}", do)
    except InputError:
        arrays = {}
    forms = {name: (array.dtype, array.shape[1:]) for name, array in arrays.items()}
    official = {name: (np.dtype(np.uint8), shape if name.startswith("x") else ()) for name in sums}
    if forms == official and {name: sha256(array.tobytes()) for name, array in arrays.items()} == dict(sums):
        return arrays
    say(f"{title}: {path} is damaged; fetching it again")
    return None
