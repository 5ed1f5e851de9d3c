"""Data sets: verified, cached, fetched from the first source that serves; and the transfer task drawn from one."""

import errno
import gzip
import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from unwritable import unwritable

from priot_hil.harness.archive import pack
from priot_hil.reference.errors import InputError
from priot_hil.reproductions.data import (
    LOADERS,
    TITLES,
    ImageSet,
    data_folder,
    load_cifar10,
    load_mnist,
    transfer_task,
    verified,
)
from priot_hil.reproductions.files import sha256
from priot_hil.reproductions.networks import SUBJECTS
from priot_hil.reproductions.rotate import rotate, rotation
from priot_hil.reproductions.sources import SourceFailed


class Broken:
    """A source that does not serve."""

    name = "the broken one"

    def fetch(self, folder):
        """Fail."""
        raise SourceFailed("no route to host")


class Never:
    """A source that must not be asked."""

    name = "the last one"

    def fetch(self, folder):
        """Fail the test."""
        raise AssertionError("asked")


def test_first_source_that_serves_is_kept_and_named(tmp_path, source, sums, arrays):
    """The broken one is passed over, the last one never asked."""
    said = []
    mnist = load_mnist(tmp_path, [Broken(), source, Never()], sums, said.append)
    assert np.array_equal(mnist.x_train, arrays["x_train"])
    kept = f"MNIST: fetched from the fake, kept in {tmp_path / 'mnist.npz'}"
    assert said == [f"{kept}; before it failed the broken one (no route to host)"]


def test_a_verified_copy_needs_no_source(tmp_path, source, sums, arrays):
    """The second time nothing is fetched."""
    load_mnist(tmp_path, [source], sums)
    mnist = load_mnist(tmp_path, [Never()], sums)
    assert all(np.array_equal(getattr(mnist, name), array) for name, array in arrays.items())


@pytest.mark.parametrize(
    "damage", ["cut", "a bit", "one pixel", "an array less", "an array more", "rows in a row", "signed", "numbers"]
)
def test_a_damaged_copy_is_fetched_anew(tmp_path, source, sums, arrays, damage):
    """However it is damaged, even where the archive itself is whole."""
    load_mnist(tmp_path, [source], sums)
    path = tmp_path / "mnist.npz"
    content = path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "one pixel":
        changed = arrays["x_test"].copy()
        changed[3, 14, 14] ^= 1
        path.write_bytes(pack({**arrays, "x_test": changed}))
    elif damage == "a bit":
        path.write_bytes(content[:8] + bytes([content[8] ^ 1]) + content[9:])  # how the first array is compressed
    elif damage == "an array less":
        path.write_bytes(pack({name: array for name, array in arrays.items() if name != "y_test"}))
    else:
        other = {
            "an array more": {"z": arrays["y_test"]},
            "rows in a row": {"x_test": arrays["x_test"].reshape(24, -1)},
            "signed": {"y_test": arrays["y_test"].view(np.int8)},
            "numbers": {"y_train": arrays["y_train"].view(">u2")},
        }
        path.write_bytes(pack({**arrays, **other[damage]}))
    said = []
    load_mnist(tmp_path, [source], sums, said.append)
    assert source.served == 2
    assert said[0] == f"MNIST: {path} is damaged; fetching it again"
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda content: content[:-9], "y_train is damaged"),
        (lambda content: b"<html>moved</html>", "y_train is damaged"),
        (lambda content: gzip.compress(b"\0\0\x08\x01\0\0\0\x30short"), "y_train is damaged"),
        (lambda content: gzip.compress(b"\0\0\x08\x01\0\0\0\x02ok"), "y_train is not the official array"),
    ],
)
def test_what_is_not_the_official_file_never_counts(tmp_path, source, sums, packed, damage, reason):
    """A source with one bad file is a source that does not serve, and leaves no copy."""
    source.packed = {**packed, "y_train": damage(packed["y_train"])}
    with pytest.raises(InputError, match=reason):
        load_mnist(tmp_path, [source], sums)
    assert not (tmp_path / "mnist.npz").exists()


def test_no_source_and_no_copy_is_one_sentence(tmp_path, sums):
    """What was tried, and what to do."""
    with pytest.raises(InputError) as refusal:
        load_mnist(tmp_path, [Broken(), Broken()], sums)
    sentence = str(refusal.value)
    assert sentence.startswith(f"MNIST in {tmp_path / 'mnist.npz'}: expected the data, got nothing there")
    assert sentence.count("the broken one (no route to host)") == 2
    assert "PRIOT_DATA" in sentence
    assert "\n" not in sentence


def test_a_folder_that_cannot_be_made_is_refused(tmp_path, sums):
    """PRIOT_DATA may name anything."""
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="PRIOT_DATA"):
        load_mnist(tmp_path / "file" / "below", [Never()], sums)


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC])
@pytest.mark.parametrize("after", [0, 1])
def test_a_folder_that_takes_no_data_is_refused(tmp_path, source, sums, number, after):
    """Before anything is fetched, or when it is to be kept: each process of a table reads it there again."""
    with (
        unwritable(tmp_path / "data", number, after),
        pytest.raises(InputError, match=r"has room|make room") as refusal,
    ):
        load_mnist(tmp_path / "data", [source], sums)
    assert os.strerror(number) in str(refusal.value)
    assert not list(tmp_path.rglob("*.npz"))


def test_a_folder_that_is_read_only_and_has_the_data_will_do(tmp_path, source, sums):
    """As on a machine where somebody else has put it."""
    load_mnist(tmp_path, [source], sums)
    with unwritable(tmp_path, errno.EROFS):
        load_mnist(tmp_path, [Never()], sums)


def test_of_many_that_find_none_one_fetches(tmp_path, source, sums, arrays):
    """The others wait, say so, and find it; nothing else stays in the folder."""
    fetched, said, found = [], [], []
    begin = threading.Barrier(4)

    class Slow:
        name = "the slow one"

        def fetch(self, folder):
            """Take a while."""
            fetched.append(folder)
            time.sleep(0.3)
            return source.fetch(folder)

    def load():
        begin.wait()
        found.append(load_mnist(tmp_path, [Slow()], sums, said.append))

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fetched) == 1
    assert all(np.array_equal(each.x_train, arrays["x_train"]) for each in found)
    assert len(found) == 4
    waiting = f"MNIST: waiting for another process that fetches into {tmp_path}"
    assert 1 <= said.count(waiting) <= 3
    assert [path.name for path in tmp_path.iterdir()] == ["mnist.npz"]


@pytest.mark.parametrize("named", [" ", "a\nb", "a\x1b[31m", "a" * 4001])
def test_what_is_no_path_is_refused(named, monkeypatch):
    """In one sentence."""
    monkeypatch.setenv("PRIOT_DATA", named)
    with pytest.raises(
        InputError, match=r"^PRIOT_DATA: expected a folder, got '.*'; give one on one line, or leave it o"
    ):
        data_folder()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"PRIOT_DATA": "/named", "XDG_CACHE_HOME": "/cache", "HOME": "/home"}, "/named"),
        ({"XDG_CACHE_HOME": "/cache", "HOME": "/home"}, "/cache/priot-hil"),
        ({"XDG_CACHE_HOME": "", "HOME": "/home"}, "/home/.cache/priot-hil"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/home"}, "/home/.cache/priot-hil"),
    ],
)
def test_data_folder(monkeypatch, environment, expected):
    """The first of the three that is set; a relative cache is none."""
    for variable in ("PRIOT_DATA", "XDG_CACHE_HOME", "HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    assert data_folder() == Path(expected)


@pytest.mark.parametrize("home", ["", None])
def test_data_folder_without_a_home(monkeypatch, tmp_path, home):
    """Under the temporary folder, and never under the current one."""
    for variable in ("PRIOT_DATA", "XDG_CACHE_HOME", "HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(variable, raising=False)
    if home is not None:
        monkeypatch.setenv("HOME", home)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert data_folder().parent == tmp_path


def test_transfer_task_is_drawn_then_rotated(arrays):
    """First the training indices, then those of the test; pixels halved, labels beside their images."""
    mnist = ImageSet(**arrays)
    task = transfer_task(mnist, 30, 7, 16, 8)
    draws = np.random.Generator(np.random.PCG64([7, 0]))
    train, test = draws.choice(48, 16, replace=False), draws.choice(24, 8, replace=False)
    expected = rotate(arrays["x_test"][test], rotation(30, 28)) // 2
    assert task.test.images.dtype == np.int8
    assert np.array_equal(task.test.images[:, 0], expected)
    assert np.array_equal(task.train.labels, arrays["y_train"][train])
    assert task.train.images.shape == (16, 1, 28, 28)
    assert expected.max() > 100


@pytest.mark.parametrize(("train", "test"), [(49, 8), (16, 25), (0, 8)])
def test_more_images_than_there_are_are_refused(arrays, train, test):
    """Nothing is drawn twice."""
    with pytest.raises(InputError, match="number of"):
        transfer_task(ImageSet(**arrays), 30, 7, train, test)


@pytest.fixture(scope="module")
def colours():
    """12 + 6 images as CIFAR-10 has them."""
    draws = np.random.Generator(np.random.PCG64(2))

    def drawn(count):
        return draws.integers(0, 256, (count, 32, 32, 3), np.uint8), draws.integers(0, 10, count, np.uint8)

    (x_train, y_train), (x_test, y_test) = drawn(12), drawn(6)
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}


class Colours:
    """A source of some arrays."""

    name = "the fake"

    def __init__(self, arrays):
        self.arrays = arrays

    def fetch(self, folder):
        """Give them."""
        return self.arrays


def test_cifar10_is_kept_beside_mnist(tmp_path, source, sums, colours):
    """Each under its own name, and neither is taken for the other."""
    own = {name: sha256(array.tobytes()) for name, array in colours.items()}
    load_mnist(tmp_path, [source], sums)
    load_cifar10(tmp_path, [Colours(colours)], own)
    again = load_cifar10(tmp_path, [Never()], own)
    assert all(np.array_equal(getattr(again, name), array) for name, array in colours.items())
    assert {path.name for path in tmp_path.iterdir()} == {"mnist.npz", "cifar10.npz"}
    with pytest.raises(SourceFailed, match="x_train is not the official array"):
        verified(colours, sums)


def test_transfer_task_of_colours(colours):
    """Planes of each colour, each rotated as a grey image is, by the same draws."""
    task = transfer_task(ImageSet(**colours), 45, 7, 8, 4)
    chosen = np.random.Generator(np.random.PCG64([7, 0])).choice(12, 8, replace=False)
    assert task.train.images.shape == (8, 3, 32, 32)
    assert task.train.images.flags.c_contiguous
    for plane in range(3):
        expected = rotate(colours["x_train"][chosen][..., plane], rotation(45, 32)) // 2
        assert np.array_equal(task.train.images[:, plane], expected)


def test_each_network_has_data_of_its_own():
    """That can be loaded."""
    assert {subject.data_set for subject in SUBJECTS.values()} == set(LOADERS) == set(TITLES)
