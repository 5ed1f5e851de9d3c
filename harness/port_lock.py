"""One process for one port: a lock that says who holds it."""

import contextlib
import json
import os
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from priot_hil.reference.errors import InputError

from .byproducts import by_product
from .discovery import no_port
from .files import own_file_stem, replace_file
from .schema import Location, checked, read_json
from .sessions import session_folder

RUNTIME = "the user's runtime folder"
PROCESSES = Path("/proc")  # where Linux tells which process has which file open


class PortBusy(InputError):
    """Another process holds the port; the message names it.

    Attributes:
        holder: The process, where it has said its name.
    """

    holder: "Holder | None" = None


@dataclass(frozen=True)
class Holder:
    """The process that holds a port.

    Attributes:
        pid: Its number.
        command: Its command line.
        since: Its local time when it took the port.
        session: Its session's folder; the workers of one session share it.
    """

    pid: int
    command: str
    since: str
    session: str

    def __str__(self) -> str:
        return f"{self.command} (pid {self.pid}, since {self.since})"


def runtime_folder() -> Path:
    """The user's folder for what lives as long as processes do; made when missing.

    Raises:
        InputError: It belongs to another user, who could then say who holds what.
        OSError: It cannot be made.
    """
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    if not os.path.isdir(base) or not os.access(base, os.W_OK):
        base = tempfile.gettempdir()
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    folder = Path(base) / f"priot-hil-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    owner = folder.stat().st_uid
    if hasattr(os, "getuid") and owner != user:
        do = "remove it, or let XDG_RUNTIME_DIR name a folder of your own"
        raise InputError.about(str(folder), expected=f"a folder of user {user}", got=f"one of user {owner}", do=do)
    return folder


class PortLock:
    """A lock between processes of one user, whatever name each of them calls the port by.

    Args:
        name: What the user calls the port.
        identity: The same for every name that leads to it.
    """

    def __init__(self, name: str, identity: str) -> None:
        self._name = name
        self._stem = own_file_stem(identity)
        self._lock: FileLock | None = None
        self._holder: Path | None = None

    def acquire(self) -> None:
        """Takes the port, or says at once that it cannot.

        Where no lock can be kept, that is said; the system may still refuse a port that is open elsewhere.

        Raises:
            PortBusy: Another holds it.
        """
        with by_product("locks of ports, and who holds them,", RUNTIME):
            folder = runtime_folder()
            self._holder = folder / f"{self._stem}.holder"
            self._lock = self._taken(folder / f"{self._stem}.lock")
            self._holder.unlink(missing_ok=True)  # of one that was killed
            mine = Holder(os.getpid(), command_line(), time.strftime("%H:%M:%S"), str(session_folder()))
            replace_file(self._holder, json.dumps(asdict(mine)))

    def release(self) -> None:
        """Lets go of the port; may be called twice."""
        lock, self._lock = self._lock, None
        if lock is not None and self._holder is not None:
            with contextlib.suppress(OSError):
                self._holder.unlink(missing_ok=True)
            lock.release()

    def _taken(self, path: Path) -> FileLock:
        """The lock, taken.

        Raises:
            PortBusy: Another process has it.
            OSError: Its file cannot be written, or the file system has no locks.
        """
        lock = FileLock(path, timeout=0, thread_local=False)
        try:
            lock.acquire()
        except Timeout:
            holder = self.holder()
            got = f"one held by {holder or 'a process that has not said its name'}"
            do = "wait for it or end it, or name another port"
            busy = PortBusy.about(self._name, expected="a port that is free", got=got, do=do)
            busy.holder = holder
            raise busy from None
        except NotImplementedError as error:
            raise OSError(str(error)) from error
        return lock

    def holder(self) -> Holder | None:
        """Who took the port last; None where nobody has since it was let go."""
        place = Location(f"{self._holder}", "who holds a port", "leave it")
        try:
            return None if self._holder is None else checked(Holder, read_json(self._holder, place), place)
        except InputError:
            return None


def command_line() -> str:
    """This process's command line, short enough for a sentence; a pytest-xdist worker's own says nothing."""
    program = Path(sys.argv[0]).name
    if program in ("", "-c"):
        program = f"pytest worker {os.environ.get('PYTEST_XDIST_WORKER', '')}".rstrip()
    return " ".join([program, *sys.argv[1:]])[:120]


def processes_with(path: str) -> list[str]:
    """The other processes that have a port open, `name (pid 123)` each, where the platform tells; in vain elsewhere.

    None for what is no port: every process has `/dev/null` open, which keeps nobody from anything.
    """
    target = os.path.realpath(path)
    if no_port(target) is not None:
        return []
    found = []
    for process in PROCESSES.glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        try:
            if any(os.path.realpath(link) == target for link in (process / "fd").iterdir()):
                found.append(f"{(process / 'comm').read_text().strip()} (pid {process.name})")
        except OSError:  # it has ended, or is another user's
            continue
    return sorted(found)
