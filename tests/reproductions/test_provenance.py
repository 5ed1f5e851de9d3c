"""Where results come from: git, versions, builds, compiler."""

import hashlib
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from priot_hil.harness.firmware import build, build_id
from priot_hil.reproductions.provenance import compiler_sha256, git_state, machine, made_by


@pytest.fixture
def checkout(tmp_path):
    """A checkout with one commit."""

    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        done = subprocess.run(["git", *identity, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init", "--quiet")
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "--quiet", "-m", "one")
    return tmp_path, git


@pytest.mark.skipif(shutil.which("git") is None, reason="no git on the PATH")
def test_git_state(checkout):
    """The commit; dirty where a tracked file differs, not where one is new; nothing outside of a checkout's root."""
    root, git = checkout
    commit = git("rev-parse", "HEAD")
    assert git_state(root) == {"commit": commit, "is_dirty": False}
    (root / "results").mkdir()
    (root / "results" / "new").write_text("2")
    assert git_state(root) == {"commit": commit, "is_dirty": False}
    (root / "file").write_text("2")
    assert git_state(root) == {"commit": commit, "is_dirty": True}
    assert git_state(root / "results") is None
    assert git_state(root / "none") is None


def test_nothing_is_said_of_git_where_there_is_none(tmp_path, monkeypatch):
    """A copy may be run on a machine without it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state() is None


def test_made_by():
    """The emulated board's ELF and builds, and the versions of what numbers come from."""
    ram = build("rp2040").ram
    made = made_by({"host": "ab", "emulator": ram.build_id.hex()})
    assert made["engines"]["host"] == {"build": "ab"}
    elf = hashlib.sha256(ram.elf.read_bytes()).hexdigest()
    assert made["engines"]["emulator"] == {"build": build_id(ram.elf).hex(), "elf_sha256": elf}
    assert made["packages"] == {name: version(name) for name in ("numpy", "ziglang", "unicorn")}
    assert made_by({})["engines"] == {}


def test_the_compiler_is_the_wheel_s_program():
    """Found again by what it says its version is; the hash stands beside the record, with the machine."""
    package = Path(
        subprocess.check_output([sys.executable, "-c", "import ziglang; print(ziglang.__path__[0])"], text=True).strip()
    )
    assert compiler_sha256() == hashlib.sha256((package / "zig").read_bytes()).hexdigest()
    assert machine()["compiler_sha256"] == compiler_sha256()
    assert machine()["library_sha256"] == hashlib.sha256(build("host").library.read_bytes()).hexdigest()
    assert set(machine()) == {"system", "processor", "python", "compiler_sha256", "library_sha256"}


def test_torch_is_named_where_it_computes():
    """By its version, where it is installed."""
    assert "torch" not in made_by({"host": "ab"})["packages"]
    for name in ("torch", "torch:cuda"):
        made = made_by({name: None})
        assert "torch" in made["packages"]
        assert made["engines"] == {}
