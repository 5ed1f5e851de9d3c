"""Why a port does not open: the true cause, or that it is not known, and what to do about it."""

import errno
import os
import re
import socket
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from .discovery import find_ports, no_port
from .port_lock import processes_with

LOOK = "look for it with `invoke devices`, and see docs/devices.md"
NETWORK = ("socket", "rfc2217")
AROUND = ("spy", "alt")  # of another port, which follows as a path
WINDOWS = re.compile(r"COM\d+|\\\\\.\\.*")


class Cause(NamedTuple):
    """Why a port does not open.

    Attributes:
        got: What there is instead of a port that opens.
        do: What to do about it.
    """

    got: str
    do: str = LOOK


def cause_of(url: str, error: Exception, path: str | None = None) -> Cause:
    """Why a port did not open.

    Args:
        url: A path, or a URL as pyserial takes them.
        error: What opening it gave.
        path: The port of this machine to which a URL leads, where that is known.
    """
    scheme, is_url, rest = url.partition("://")
    if isinstance(error, OverflowError) or "baud rate" in str(error).lower():
        return Cause(f"one that does not take this rate ({error})", "name another one with --baud")
    if not is_url:
        return _of_path(url, error)
    if scheme in NETWORK:
        return _of_network(url, error)
    if path is not None:
        return obstacle(path) or _of_path(path, error)
    if scheme == "hwgrep":
        return _of_pattern(rest.partition("&")[0], error)
    if "not known" in str(error):
        is_there = find_spec(f"serial.urlhandler.protocol_{scheme}") is not None
        why = "which pyserial cannot load here" if is_there else "which there is not"
        do = f"write a path, socket://HOST:PORT or rfc2217://HOST:PORT; {LOOK}"
        return Cause(f"a URL of the kind {scheme}://, {why}", do)
    return _unknown(error)


def obstacle(url: str) -> Cause | None:
    """Why a port cannot be one, known without opening it; None where it may be one, or nothing is there."""
    if url.startswith("loop://"):
        return Cause("a line that leads back to this command, with no board on it", f"name another port; {LOOK}")
    path = path_of(url)
    if path is None:
        return None
    if _is_own_terminal(path):
        return Cause("the terminal in which this command runs", f"name another port; {LOOK}")
    found = no_port(path)
    return None if found is None else Cause(found)


def path_of(name: str) -> str | None:
    """The path of a port of this machine as a name has it, within a URL perhaps; None where it names none by a path."""
    scheme, is_url, _ = name.partition("://")
    if not is_url:
        return None if name.startswith("serial:") else name
    if scheme not in AROUND:
        return None
    parts = _split(name)
    return None if parts is None else parts.netloc + parts.path


def how_to_be_let_in(device: Path) -> str:
    """What to do where a port is not open to this user: by the group that it belongs to, where it has one."""
    try:
        group = device.group()
    except (OSError, KeyError, NotImplementedError):
        group = ""
    if group in ("", "root"):
        return "ask who administers this machine for access to it"
    return f"`sudo usermod -aG {group} $USER`, then log in again"


def system_words(error: BaseException) -> str:
    """An error in the system's words, where it has a number of the system; else in its own."""
    number = _number(error)
    return os.strerror(number) if number else str(error) or type(error).__name__


def _split(url: str) -> SplitResult | None:
    try:
        return urlsplit(url)
    except ValueError:  # brackets that are not closed
        return None


def _of_path(path: str, error: Exception) -> Cause:
    number = _number(error)
    if number == errno.ENOENT:
        return _of_missing(path)
    if number in (errno.EACCES, errno.EPERM):
        return Cause(os.strerror(number), f"{how_to_be_let_in(Path(path))}; {LOOK}")
    if number in (errno.EBUSY, errno.EAGAIN):
        users = ", ".join(processes_with(path))
        got = f"one that {users} has open" if users else "one that is in use, and the system does not say by whom"
        return Cause(got, f"end that, or name another port; {LOOK}")
    if number == errno.ENOTTY:
        return Cause("a device that is no serial port")
    if number in (errno.ENXIO, errno.ENODEV, errno.EIO):
        got = f"a name behind which there is no hardware now ({os.strerror(number)})"
        return Cause(got, f"plug it in, or name another port; {LOOK}")
    return _unknown(error)


def _of_missing(path: str) -> Cause:
    """Nothing is there: how it may have been meant."""
    if WINDOWS.fullmatch(path) and sys.platform != "win32":
        return Cause("a name that ports have on Windows", f"name it as this system does: /dev/...; {LOOK}")
    if path and os.path.exists(meant := f"/dev/{path}"):
        return Cause(f"nothing of that name, but {meant}", f"write {meant}")
    if os.path.islink(path):
        return Cause(f"a link to {os.path.realpath(path)}, where nothing is", f"plug the board in; {LOOK}")
    there = ", ".join(port.device for port in find_ports()) or "no serial port at all"
    return Cause(f"nothing of that name; there is {there}", f"plug the board in; {LOOK}")


def _of_network(url: str, error: Exception) -> Cause:
    parts = _split(url)
    if parts is None:
        return Cause("a URL with an address that is none", LOOK)
    form = f"{parts.scheme}://HOST:PORT"
    write = f"write it {form}, PORT from 1 to 65535; for ports of this machine see `invoke devices`"
    try:
        port = parts.port
    except ValueError:
        return Cause(f"{parts.netloc.rpartition(':')[2]!r} for its number of a port", write)
    if not parts.hostname:
        return Cause("a URL without a host", write)
    if not port:
        return Cause("a URL without the number of a port" if port is None else "port 0", write)
    check = "start the server, or check its address; for ports of this machine see `invoke devices`"
    for cause in _chain(error):
        if isinstance(cause, ConnectionRefusedError):
            return Cause(f"nothing that listens on port {port} of {parts.hostname}", check)
        if isinstance(cause, socket.gaierror | UnicodeError):
            words = f" ({cause.strerror})" if isinstance(cause, socket.gaierror) else ""
            return Cause(f"{parts.hostname!r}, which is no host that is known here{words}", check)
        if isinstance(cause, TimeoutError):
            return Cause(f"no answer from {parts.hostname}", check)
        if isinstance(cause, OSError) and cause.errno:
            return Cause(f"no connection to port {port} of {parts.hostname} ({os.strerror(cause.errno)})", check)
    if "seem to support RFC2217" in str(error):
        return Cause("a server that does not speak RFC 2217", f"write it {url.replace('rfc2217', 'socket', 1)}")
    return _unknown(error)


def _of_pattern(pattern: str, error: Exception) -> Cause:
    try:
        re.compile(pattern)
    except re.error as wrong:
        return Cause(f"{pattern!r}, which is no regular expression ({wrong})", f"correct it; {LOOK}")
    if "no ports found" in str(error):
        return Cause(f"no port that {pattern!r} fits", f"plug the board in, or correct it; {LOOK}")
    return _unknown(error)


def _unknown(error: Exception) -> Cause:
    """What the library said; no cause is made up."""
    if isinstance(error, ValueError) or isinstance(error.__context__, ValueError):
        return Cause(f"a URL that pyserial refuses ({error})", f"correct it; {LOOK}")
    return Cause(f"an error whose cause is not known ({system_words(error)})")


def _is_own_terminal(path: str) -> bool:
    """Whether what a port would send went to whoever sits before this command."""
    place = os.path.realpath(path)
    return place == "/dev/tty" or any(_terminal(descriptor) == place for descriptor in (0, 1, 2))


def _terminal(descriptor: int) -> str | None:
    try:
        return os.path.realpath(os.ttyname(descriptor))
    except OSError:
        return None


def _number(error: BaseException) -> int | None:
    """The system's number of an error, or of the one that caused it: pyserial keeps that of some in its text only."""
    for each in _chain(error):
        number = each.args[0] if each.args else None  # termios has an error of its own, without a name for it
        if isinstance(number, int) and number in errno.errorcode:
            return number
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
