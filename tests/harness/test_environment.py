"""The environment that `./run` makes: a damaged, moved, copied or interrupted one is mended by the next call.

A small checkout of its own stands for the real one, and a few files written by hand for what pip installs.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from priot_hil.harness import environment
from priot_hil.harness.environment import BROKEN, INCOMPLETE, OK, Refused
from priot_hil.harness.paths import ROOT

PROJECT = '[project]\nname = "small"\n[project.optional-dependencies]\ndev = []\nfloat = []\n'


@dataclass
class Small:
    """A small checkout and what was done to it.

    Attributes:
        here: The checkout.
        created: How many times an environment was made from nothing.
        installed: The extras of each installation.
        during: Called in the middle of each installation, with the lock's file.
    """

    here: Path
    created: int = 0
    installed: list[list[str]] = field(default_factory=list)
    during: Callable[[int], None] = lambda lock: None

    @property
    def venv(self) -> Path:
        """Its environment."""
        return self.here / ".venv"

    def make(self, *extras: str) -> None:
        """As `./run` does where the check has failed."""
        environment.make(self.here, extras, self._create, self._install)

    def judge(self) -> int:
        """The check's status."""
        return environment.judge(self.here)[0]

    def _create(self, venv: Path) -> None:
        self.created += 1
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)

    def _install(self, here: Path, extras: list[str], lock: int) -> None:
        self.installed.append(list(extras))
        (packages,) = here.glob(".venv/lib/python*/site-packages")
        self.during(lock)
        add_distribution(packages, "small", {"small.pth": f"{here / 'src'}\n"})
        add_distribution(
            packages, "figures", {"figures/__init__.py": "one = 1\n", "figures/inner/more.py": "two = 2\n"}
        )
        add_distribution(packages, "tool", {"../../../bin/tool": "#!/bin/sh\nexit 0\n"})


def add_distribution(packages: Path, name: str, files: dict[str, str]) -> None:
    """What an installation leaves: files, and a record of them."""
    for path, text in files.items():
        (packages / path).parent.mkdir(parents=True, exist_ok=True)
        (packages / path).write_text(text)
    info = packages / f"{name}-1.0.dist-info"
    info.mkdir(exist_ok=True)
    lines = [f"{path},sha256=x,{len(text)}" for path, text in files.items()]
    (info / "RECORD").write_text("\n".join([*lines, f"{info.name}/RECORD,,"]) + "\n")


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PRIOT_EXTRAS", "PRIOT_PYTHON", "PYTHONPATH"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def small(tmp_path: Path) -> Small:
    """A checkout whose path has a space, without an environment."""
    here = tmp_path / "a checkout"
    for name in environment.PACKAGES:
        (here / name).mkdir(parents=True)
        (here / name / "__init__.py").touch()
        (here / "src" / "priot_hil").mkdir(parents=True, exist_ok=True)
        (here / "src" / "priot_hil" / name).symlink_to(Path("..", "..", name))
    shutil.copy(ROOT / "harness" / "environment.py", here / "harness")
    shutil.copy(ROOT / "run", here)
    (here / "pyproject.toml").write_text(PROJECT)
    return Small(here)


def run(here: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """`./run` in a checkout."""
    command = [str(here / "run"), *arguments]
    return subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, check=False)


def test_it_is_made_once(small: Small) -> None:
    """And then `./run` goes straight to the command, from wherever it is called."""
    assert small.judge() == BROKEN
    small.make()
    small.make()
    assert (small.judge(), small.created, small.installed) == (OK, 1, [[]])
    result = run(small.here, "python", "-c", "import figures, priot_hil.reference as r; print(figures.one, r.__file__)")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"1 {small.here / 'src' / 'priot_hil' / 'reference' / '__init__.py'}\n"


@pytest.mark.parametrize("way", ["copied", "moved"])
def test_another_place(small: Small, way: str) -> None:
    """A checkout that was copied or moved has an environment of its own, and the copied one keeps its."""
    small.make()
    other = Small(small.here.with_name("another place"))
    if way == "copied":
        shutil.copytree(small.here, other.here, symlinks=True)
    else:
        small.here.rename(other.here)
    assert other.judge() == BROKEN
    other.make()
    assert (other.judge(), other.created) == (OK, 1)
    script = run(other.here, "python", "-c", "import priot_hil.harness as h; print(h.__file__)")
    assert script.stdout.startswith(str(other.here))
    if way == "copied":
        assert small.judge() == OK


def test_whatever_is_lost(small: Small, tmp_path: Path) -> None:
    """Any file or folder of what is installed, and the environment's own, gone or cut short: it is seen, and mended."""
    small.make()
    whole = shutil.copytree(small.venv, tmp_path / "whole", symlinks=True)
    (packages,) = small.venv.glob("lib/python*/site-packages")
    own = [small.venv, *(small.venv / name for name in ("pyvenv.cfg", "bin", "bin/tool", "bin/python3", "lib"))]
    installed = [path for path in packages.rglob("*") if "__pycache__" not in path.parts]
    harms = [(harm, path) for path in [*installed, *own] for harm in (remove, cut) if harm is remove or path.is_file()]
    assert len(harms) > 20
    for harm, path in harms:
        if harm is cut and (path.is_symlink() or path.name == "pyvenv.cfg"):
            continue  # a link has no half, and of that file the first line is what counts
        times = path.parent.stat()
        harm(path)
        if harm is remove:  # within the same tick of a coarse clock a folder's time would stay
            os.utime(path.parent, ns=(0, 0))
        else:  # in place, which changes no folder
            os.utime(path.parent, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert small.judge() == BROKEN, (harm, path)
        shutil.rmtree(small.venv, ignore_errors=True)
        shutil.copytree(whole, small.venv, symlinks=True)
    assert small.judge() == OK
    remove(packages / "figures")
    small.make()
    assert (small.judge(), small.created) == (OK, 2)


def remove(path: Path) -> None:
    """Take a file or a folder away."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def cut(path: Path) -> None:
    """Leave half of a file."""
    path.write_bytes(path.read_bytes()[: (path.stat().st_size - 1) // 2])


@pytest.mark.parametrize("name", ["python", "python3"])
def test_a_python_that_is_gone(small: Small, name: str) -> None:
    """As after an upgrade: the environment's link leads nowhere, or to what does not start."""
    small.make()
    for target in ("/no/such/python", __file__):
        program = small.venv / "bin" / name
        program.unlink()
        program.symlink_to(target)
        assert small.judge() == BROKEN
        small.make()
        assert small.judge() == OK


def test_another_python(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stamp of another version; and a Python that PRIOT_PYTHON names, but not the one that was used."""
    small.make()
    stamp = json.loads((small.venv / environment.STAMP).read_text())
    (small.venv / environment.STAMP).write_text(json.dumps(stamp | {"python": "cpython-310 on linux x86_64"}))
    assert small.judge() == BROKEN
    small.make()
    monkeypatch.setenv("PRIOT_PYTHON", sys.executable)
    assert small.judge() == OK
    monkeypatch.setenv("PRIOT_PYTHON", shutil.which("sh") or "")
    assert small.judge() == BROKEN
    small.make()
    assert small.judge() == OK  # as when a wrapper is named: it was used, whatever it leads to


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"place": 1}', "\x00"])
def test_a_damaged_stamp(small: Small, damage: str) -> None:
    """Is none."""
    small.make()
    (small.venv / environment.STAMP).write_text(damage)
    assert small.judge() == BROKEN
    small.make()
    assert small.judge() == OK


def test_interrupted(small: Small) -> None:
    """Ctrl-C in the middle of an installation, and of one that only adds: the next call begins again."""

    def interrupt(lock: int) -> None:
        raise KeyboardInterrupt

    small.during = interrupt
    with pytest.raises(KeyboardInterrupt):
        small.make()
    assert small.judge() == BROKEN
    small.during = lambda lock: None
    small.make()
    assert (small.judge(), small.created) == (OK, 2)
    small.during = interrupt
    with pytest.raises(KeyboardInterrupt):
        environment_with(small, "dev")
    small.during = lambda lock: None
    assert small.judge() == BROKEN
    small.make()
    assert (small.judge(), small.created) == (OK, 3)


def environment_with(small: Small, extras: str) -> None:
    """`PRIOT_EXTRAS=... ./run`."""
    os.environ["PRIOT_EXTRAS"] = extras
    try:
        small.make(*environment.wanted_extras(small.here))
    finally:
        del os.environ["PRIOT_EXTRAS"]


def test_an_installation_that_outlives_its_caller(small: Small, tmp_path: Path) -> None:
    """Keeps the lock: the next call waits for its end before it takes the half-made environment away."""
    ended = tmp_path / "ended"
    seen = []

    def leave_behind(lock: int) -> None:
        subprocess.Popen(["sh", "-c", f"sleep 0.5; : >'{ended}'"], pass_fds=[lock])
        raise KeyboardInterrupt

    small.during = leave_behind
    with pytest.raises(KeyboardInterrupt):
        small.make()
    small.during = lambda lock: seen.append(ended.exists())
    small.make()
    assert seen == [True]


def test_two_first_calls_at_once(small: Small) -> None:
    """One makes the environment; the other one waits and finds it made."""
    both = [threading.Thread(target=small.make) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert (small.judge(), small.created, len(small.installed)) == (OK, 1, 1)


def test_extras(small: Small) -> None:
    """Are added to what is there, and stay; a change of pyproject.toml is installed in the same way."""
    small.make()
    environment_with(small, "dev")
    environment_with(small, "float")
    small.make()
    assert (small.created, small.installed) == (1, [[], ["dev"], ["dev", "float"]])
    (small.here / "pyproject.toml").write_text(PROJECT.replace("dev = []\n", ""))
    assert small.judge() == INCOMPLETE
    small.make()
    assert (small.judge(), small.created, small.installed[-1]) == (OK, 1, ["float"])


@pytest.mark.parametrize("extras", ["nosuch", "dev,nosuch", "dev float", "DEV"])
def test_unknown_extras(small: Small, extras: str) -> None:
    """One sentence, status 2, and everything stays as it was."""
    small.make()
    for _ in range(2):
        result = run(small.here, "true", PRIOT_EXTRAS=extras)
        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr.startswith(
            "error: PRIOT_EXTRAS: expected names out of dev, float, with commas between them"
        )
    assert run(small.here, "true", PRIOT_EXTRAS=" ,").returncode == 0
    assert len(small.installed) == 1


def test_what_needs_no_installation(small: Small) -> None:
    """Files that come, build/ that goes, and packages that the user adds or takes another version of."""
    small.make()
    (small.here / "harness" / "new.py").write_text("here = 1\n")
    assert run(small.here, "python", "-c", "import priot_hil.harness.new").returncode == 0
    (packages,) = small.here.glob(".venv/lib/python*/site-packages")
    add_distribution(packages, "added", {"added.py": ""})
    (packages / "figures-1.0.dist-info").rename(packages / "figures-2.0.dist-info")
    record = packages / "figures-2.0.dist-info" / "RECORD"
    record.write_text(record.read_text().replace("figures-1.0", "figures-2.0"))
    assert small.judge() == OK
    assert len(small.installed) == 1


def test_another_copy_on_pythonpath(small: Small, tmp_path: Path) -> None:
    """It would be imported in place of the checkout's: refused, and nothing is made from nothing."""
    small.make()
    shutil.copytree(small.here / "src", tmp_path / "other" / "src", symlinks=True)
    for name in environment.PACKAGES:
        shutil.copytree(small.here / name, tmp_path / "other" / name)
    result = run(small.here, "true", PYTHONPATH=str(tmp_path / "other" / "src"))
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("error: priot_hil.reference: expected the one in ")
    assert result.stderr.endswith("unset PYTHONPATH.\n")
    assert run(small.here, "true", PYTHONPATH=str(tmp_path)).returncode == 0


def test_what_cannot_be_written(small: Small) -> None:
    """One sentence."""
    (small.here / environment.LOCK).mkdir()
    with pytest.raises(Refused, match=r"\.venv: expected a folder that can be written and has room, got "):
        small.make()


def test_cdpath_leads_to_no_other_checkout(small: Small, tmp_path: Path) -> None:
    """As where a folder of that name is below one of a user's own."""
    small.make()
    other = tmp_path / "elsewhere" / small.here.name
    other.mkdir(parents=True)
    command = [f"{small.here.name}/run", "pwd"]
    variables = os.environ | {"CDPATH": str(other.parent)}
    found = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, f"{small.here}\n")


@pytest.mark.parametrize(
    ("arguments", "variables", "sentence"),
    [
        ((), {}, "usage: ./run COMMAND"),
        (("nosuch",), {}, "error: command: expected one of the environment or of the PATH, got nosuch"),
        (("true",), {"PRIOT_PYTHON": "/no/such"}, "error: Python: expected 3.11 or later, got none as /no/such"),
        (("true",), {"PRIOT_PYTHON": "false"}, "error: Python: expected 3.11 or later, got none as false"),
    ],
    ids=["nothing", "nosuch", "no Python", "not Python"],
)
def test_bad_calls(small: Small, arguments: tuple[str, ...], variables: dict[str, str], sentence: str) -> None:
    """One sentence, status 2."""
    small.make()
    result = run(small.here, *arguments, **variables)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(sentence)
    assert len(result.stderr.splitlines()) == 1
