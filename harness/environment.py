"""The environment `.venv` of a checkout: says whether it is whole and belongs here, and makes or mends it.

`run` starts this file by its path, before anything is installed; so it imports the standard library alone.
"""

import contextlib
import csv
import fcntl
import hashlib
import importlib.util
import json
import math
import os
import shutil
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

VENV = ".venv"
STAMP = "priot-hil.json"  # in the environment; there only while the environment is whole
LOCK = ".venv.lock"
PACKAGES = ("reference", "harness", "reproductions")
BEAT_SECONDS = 15.0
LARGE = 150_000  # bytes of a list of files: that is some 1,500 of them

OK, BROKEN, BAD_INPUT, INCOMPLETE, INTERRUPTED = 0, 1, 2, 3, 130
Install = Callable[[Path, Sequence[str], int], None]


class Refused(Exception):
    """The environment cannot be made; the message is a whole sentence."""


class Broken(Exception):
    """The environment has to be made from nothing; the message says why."""


class Incomplete(Exception):
    """The environment is sound, but lacks something; the message says what."""


@dataclass(frozen=True)
class Stamp:
    """What an environment is, as it was when its set-up ended.

    Attributes:
        place: The checkout.
        python: Version and platform.
        base: The Python that it was made with.
        named: What PRIOT_PYTHON said then.
        project: SHA-256 of pyproject.toml.
        extras: Those installed.
        distributions: Names of all installed distributions.
        folders: Each folder of the environment with its time of change in nanoseconds.
    """

    place: str
    python: str
    base: str
    named: str
    project: str
    extras: list[str]
    distributions: list[str]
    folders: dict[str, int]


def main(arguments: Sequence[str]) -> int:
    """Runs a command of `run`: `check` or `make`; `stamp` is for `make`."""
    here = Path(__file__).resolve().parent.parent
    try:
        extras = wanted_extras(here)
        if arguments == ["check"]:
            check(here, extras)
        elif arguments == ["stamp"]:
            write_stamp(here, extras)
        else:
            make(here, extras)
    except (Broken, Incomplete) as reason:
        print(reason)
        return BROKEN if isinstance(reason, Broken) else INCOMPLETE
    except Refused as refusal:
        print(f"error: {refusal}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print(f"error: interrupted while {VENV} was set up; the next ./run sets it up again.", file=sys.stderr)
        return INTERRUPTED
    return OK


def wanted_extras(here: Path) -> list[str]:
    """The extras that PRIOT_EXTRAS asks for: names with commas between them, or nothing.

    Raises:
        Refused: The project has no such extra.
    """
    names = sorted({name.strip() for name in os.environ.get("PRIOT_EXTRAS", "").split(",")} - {""})
    known = known_extras(here)
    if unknown := [name for name in names if name not in known]:
        raise Refused(
            f"PRIOT_EXTRAS: expected names out of {', '.join(known)}, with commas between them, got "
            f"{', '.join(map(repr, unknown))}; correct it, or leave it out."
        )
    return names


def check(here: Path, extras: Sequence[str]) -> None:
    """Look at the environment that runs this: is it whole, this checkout's, and has it these extras?

    It is judged by what is there, not by what was once wished: the place, Python, where the project is imported from,
    each file, and every folder. Of the few distributions of thousands of files, as the compiler's, a folder's time of
    change has to tell of a file that came or went; only then each of theirs is looked at.

    Raises:
        Broken, Incomplete: It is not what the checkout needs.
        Refused: PYTHONPATH leads to another copy of the project; a new environment would not help.
    """
    venv = here / VENV
    stamp = read_stamp(venv)
    if stamp is None:
        raise Broken("its set-up was not finished")
    if stamp.place != str(here) or Path(sys.prefix).resolve() != venv.resolve():
        raise Broken(f"it was made for {stamp.place}")
    if stamp.python != python_here():
        raise Broken(f"it was made for {stamp.python}, and finds {python_here()}")
    named = os.environ.get("PRIOT_PYTHON", "")
    if named not in ("", stamp.named) and os.path.realpath(shutil.which(named) or named) != stamp.base:
        raise Broken(f"it was made with {stamp.base}, and PRIOT_PYTHON names {named}")
    check_imports(here)
    if stamp.folders != times_of(venv, stamp.folders):
        check_files(stamp.distributions)
        with contextlib.suppress(OSError):  # where nothing can be written, each file is looked at each time
            save(venv, replace(stamp, folders=times_of(venv, folders_of(venv))))
    else:
        check_files(stamp.distributions, LARGE)
    if stamp.project != project_sum(here):
        raise Incomplete("pyproject.toml has changed")
    if missing := sorted({*extras} - {*stamp.extras}):
        raise Incomplete(f"it has not got {', '.join(missing)}")


def check_imports(here: Path) -> None:
    """See that Python imports the project from this checkout.

    Raises:
        Broken, Refused: As `check` does.
    """
    for package in PACKAGES:
        try:
            spec = importlib.util.find_spec(f"priot_hil.{package}")
        except ModuleNotFoundError:
            spec = None
        found = None if spec is None or spec.origin is None else Path(spec.origin).resolve().parent
        if found == here / package:
            continue
        if path := os.environ.get("PYTHONPATH"):
            raise Refused(
                f"priot_hil.{package}: expected the one in {here / package}, got {found or 'none'} with "
                f"PYTHONPATH={path}; unset PYTHONPATH."
            )
        raise Broken(f"it imports priot_hil.{package} from {found or 'nowhere'}")


def check_files(names: Sequence[str], largest: float = math.inf) -> None:
    """See that these distributions are installed, and that each file of those installed is there and has its size.

    Those whose list of files has more than `largest` bytes are passed over.

    Raises:
        Broken: One is missing or cut short.
    """
    programs = Path(sys.prefix, "bin")
    if os.path.realpath(programs / "python") != os.path.realpath(programs / "python3"):
        raise Broken("its python3 is another one")
    packages = site_packages()
    folders = list(packages.glob("*.dist-info"))
    if missing := {*names} - {_name(folder) for folder in folders}:
        raise Broken(f"{', '.join(sorted(missing))} is missing")
    for folder in folders:
        try:
            if (folder / "RECORD").stat().st_size > largest:
                continue
            with (folder / "RECORD").open(newline="", encoding="utf-8") as record:
                sizes = {path: size for path, _, size in csv.reader(record)}
            cut = [path for path, size in sizes.items() if size and (packages / path).stat().st_size != int(size)]
        except (OSError, ValueError) as error:
            raise Broken(f"{_name(folder)} is not whole ({error})") from error
        if cut or f"{folder.name}/RECORD" not in sizes:
            raise Broken(f"{_name(folder)} is not whole ({', '.join(cut) or 'its list of files'} is cut short)")


def make(
    here: Path, extras: Sequence[str], create: Callable[[Path], None] | None = None, install: Install | None = None
) -> None:
    """Make the environment, or add what it lacks; from nothing where it is broken.

    Of several processes that call this at once, one does the work, and the others wait and find it done. If it is
    interrupted, the stamp is missing, and the next call makes the environment from nothing. Extras that were asked for
    before stay. `create` makes an empty environment, in which `install` installs the checkout, with a file kept open.

    Raises:
        Refused: It cannot be made; the message says why and what to do.
    """
    venv = here / VENV
    try:
        with locked(here) as lock:
            status, reason = judge(here)
            if status == OK:
                return
            stamp = read_stamp(venv)
            earlier = [] if stamp is None else stamp.extras
            wanted = sorted({*extras, *(name for name in earlier if name in known_extras(here))})
            print(f"setting up {venv}, since {reason}; it takes one to three minutes", file=sys.stderr, flush=True)
            (venv / STAMP).unlink(missing_ok=True)
            with heartbeat():
                if status != INCOMPLETE:
                    remove(venv)
                    (create or create_venv)(venv)
                (install or pip_install)(here, wanted, lock)
            done = _own(here, "stamp", wanted)
            if done.returncode:
                said = f"{done.stdout}{done.stderr}".strip()
                raise Refused(f"{venv}: expected a whole environment, got one of which is known: {said}; try again.")
    except OSError as error:
        raise Refused(
            f"{venv}: expected a folder that can be written and has room, got {error}; make room, or clone the project "
            "into a folder of your own."
        ) from error


def judge(here: Path) -> tuple[int, str]:
    """What `check` says in the environment's own Python: its status, and its reason.

    Raises:
        Refused: As `check` does.
    """
    if not (here / VENV).exists():
        return BROKEN, "there is none"
    try:
        done = _own(here, "check", wanted_extras(here))
    except OSError as error:
        return BROKEN, f"its Python does not start ({error.strerror})"
    if done.returncode == BAD_INPUT:
        raise Refused(done.stderr.removeprefix("error: ").strip())
    if done.returncode not in (OK, INCOMPLETE) and not done.stdout:
        return BROKEN, "its Python does not work"
    return done.returncode, done.stdout.strip()


def create_venv(venv: Path) -> None:
    """Make an environment without anything in it but pip."""
    done = subprocess.run([sys.executable, "-m", "venv", venv], capture_output=True, text=True, check=False)
    if done.returncode:
        said = " ".join((done.stdout + done.stderr).split())[-300:]
        raise Refused(
            f"{sys.executable} -m venv: expected an environment, got status {done.returncode} ({said}); install venv "
            "and ensurepip (Debian's package python3-venv), or name another Python in PRIOT_PYTHON."
        )


def pip_install(here: Path, extras: Sequence[str], lock: int) -> None:
    """Let pip install the checkout with extras, so that its files are used where they lie.

    pip has the lock's open file too, so that it still holds the lock if it outlives this process.
    """
    python = here / VENV / "bin" / "python"
    options = ["-qq", "--disable-pip-version-check", "--no-input", "--editable"]
    project = f".[{','.join(extras)}]" if extras else "."
    done = subprocess.run([python, "-m", "pip", "install", *options, project], cwd=here, pass_fds=[lock], check=False)
    if done.returncode:
        raise Refused(
            "pip: expected it to install the project, got the message above; connect to a package index and try again. "
            "If it names ziglang, the pinned compiler has no wheel here: use Linux on x86-64 or aarch64, or macOS."
        )


def remove(venv: Path) -> None:
    """Remove whatever lies in an environment's place; of a link, the link alone."""
    if venv.is_dir() and not venv.is_symlink():
        shutil.rmtree(venv)
    else:
        venv.unlink(missing_ok=True)


def write_stamp(here: Path, extras: Sequence[str]) -> None:
    """Say that the environment that runs this is whole and has these extras.

    Raises:
        Broken: It is not whole.
    """
    check_imports(here)
    names = sorted({_name(folder) for folder in site_packages().glob("*.dist-info")})
    check_files(names)
    times = times_of(here / VENV, folders_of(here / VENV))
    base, named = os.path.realpath(sys.executable), os.environ.get("PRIOT_PYTHON", "")
    stamp = Stamp(str(here), python_here(), base, named, project_sum(here), list(extras), names, times)
    save(here / VENV, stamp)


def save(venv: Path, stamp: Stamp) -> None:
    """Write a stamp; nobody ever sees half of it."""
    aside = venv / f"{STAMP}.{os.getpid()}"
    aside.write_text(json.dumps(asdict(stamp)), encoding="utf-8")
    aside.replace(venv / STAMP)


def read_stamp(venv: Path) -> Stamp | None:
    """The stamp of an environment; None where there is none, or none of this form."""
    try:
        return Stamp(**json.loads((venv / STAMP).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def folders_of(venv: Path) -> list[str]:
    """The folders in an environment whose time of change tells something: not its own, where the stamp is written."""
    folders = [path.relative_to(venv) for path in venv.glob("**/") if path.name != "__pycache__"]
    return [str(folder) for folder in folders if folder != Path()]


def times_of(venv: Path, folders: Iterable[str]) -> dict[str, int]:
    """The time of change of each folder below an environment, in nanoseconds; 0 where it is not there."""
    times = {}
    for folder in folders:
        try:
            times[folder] = os.stat(venv / folder).st_mtime_ns
        except OSError:
            times[folder] = 0
    return times


def python_here() -> str:
    """Version and platform of the Python that runs this, as far as installed packages depend on them."""
    return f"{sys.implementation.cache_tag} on {sys.platform} {os.uname().machine}"


def site_packages() -> Path:
    """Where the environment that runs this keeps what is installed."""
    return Path(sys.prefix, "lib", f"python{sys.version_info.major}.{sys.version_info.minor}", "site-packages")


def known_extras(here: Path) -> list[str]:
    """The extras that pyproject.toml has."""
    project = tomllib.loads((here / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return sorted(project["optional-dependencies"])


def project_sum(here: Path) -> str:
    """The SHA-256 of pyproject.toml."""
    return hashlib.sha256((here / "pyproject.toml").read_bytes()).hexdigest()


@contextlib.contextmanager
def locked(here: Path) -> Iterator[int]:
    """Hold the lock on a checkout's environment; gives its open file."""
    with (here / LOCK).open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for another ./run that sets up {here / VENV}", file=sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


@contextlib.contextmanager
def heartbeat() -> Iterator[None]:
    """Say from time to time that the work goes on, and for how long."""
    begun, ended = time.monotonic(), threading.Event()

    def beat() -> None:
        while not ended.wait(BEAT_SECONDS):
            print(f"still setting up, {time.monotonic() - begun:.0f} s so far", file=sys.stderr, flush=True)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _own(here: Path, command: str, extras: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Runs a command of this file in the environment's Python."""
    arguments = [str(here / VENV / "bin" / "python"), "-P", str(here / "harness" / "environment.py"), command]
    environment = os.environ | {"PRIOT_EXTRAS": ",".join(extras)}
    return subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)


def _name(folder: Path) -> str:
    """The distribution of a `.dist-info` folder."""
    return folder.name.split("-")[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
