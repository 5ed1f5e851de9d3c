"""Why a port does not open: each sentence has the true cause, or says that it is not known."""

import errno
import os
import pty
import re
import socket
import sys
import termios
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial

from priot_hil.harness import port_causes, port_lock
from priot_hil.harness.devices import parse_devices
from priot_hil.harness.discovery import no_port
from priot_hil.harness.port_causes import cause_of, how_to_be_let_in, path_of
from priot_hil.harness.port_lock import processes_with
from priot_hil.harness.transports.serial import SerialTransport, port_identity
from priot_hil.reference.errors import InputError

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Linux tells of which kind a device is")
NO_PORT = r"got a device that is no serial port; look for it with `invoke devices`"
FORM = r"; write it {}://HOST:PORT, PORT from 1 to 65535; "


def refused(name: str, baud: int = 115200) -> str:
    """The sentence in which a port is refused; it is one, and says of which port."""
    with pytest.raises(InputError) as caught:
        SerialTransport(name, baud)
    said = str(caught.value)
    assert said.startswith(f"{name}: expected a port that opens, got ")
    assert "\n" not in said
    return said


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with everything that is no port, by what it is."""
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as there:
        there.bind("socket")
        (tmp_path / "link").symlink_to("file")
        (tmp_path / "dangling").symlink_to("nothing")
        yield tmp_path


@pytest.fixture
def server() -> Iterator[int]:
    """The number of a port where somebody takes connections and says nothing."""
    taken = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def take() -> None:
            while True:
                try:
                    taken.append(listening.accept())
                except OSError:
                    return

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()
    for connection, _ in taken:
        connection.close()


@LINUX
@pytest.mark.parametrize(
    "name", ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "spy:///dev/null", "alt:///dev/null"]
)
def test_devices_that_are_no_ports(name: str) -> None:
    """Every process has some of them open, which holds nothing; they are not even opened."""
    said = refused(name)
    assert NO_PORT.removeprefix("got ") in said
    assert "held by" not in said
    assert "has open" not in said
    assert processes_with(path_of(name) or "") == []


@pytest.mark.parametrize(
    ("name", "got"),
    [
        ("folder", "a folder"),
        ("file", "a file"),
        ("pipe", "a named pipe"),
        ("socket", "a socket of this machine"),
        ("link", "a file"),
        ("dangling", r"a link to .*nothing, where nothing is"),
        ("missing", r"nothing of that name; there is .*; plug the board in"),
    ],
)
def test_what_is_no_device(here: Path, name: str, got: str) -> None:
    """By its kind; a link by what it leads to. The same within the URLs that only stand around a path."""
    for form in ("{}", "spy://{}", "alt://{}"):
        assert re.search(rf"got {got}; ", refused(form.format(here / name)))
    if (here / name).exists():
        assert no_port(str(here / name)) is not None
        assert processes_with(str(here / name)) == []


@LINUX
@pytest.mark.parametrize(
    ("name", "got"),
    [
        ("/dev/tty", "got the terminal in which this command runs; "),
        ("/dev/ptmx", "got what makes pseudo-terminals, and none itself; "),
        ("COM3", "got a name that ports have on Windows; "),
        (r"\\.\COM10", "got a name that ports have on Windows; "),
        ("null", "got nothing of that name, but /dev/null; write /dev/null."),
        ("loop://", "got a line that leads back to this command, with no board on it; "),
    ],
)
def test_names_that_are_meant_otherwise(name: str, got: str) -> None:
    """And how."""
    assert got in refused(name)


def test_the_terminal_of_this_command_is_no_board(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sent there would be seen by whoever sits before it."""
    controller, terminal = pty.openpty()
    earlier = os.dup(0)
    try:
        os.dup2(terminal, 0)
        assert "got the terminal in which this command runs; " in refused(os.ttyname(terminal))
    finally:
        os.dup2(earlier, 0)
        os.close(earlier)
    SerialTransport(os.ttyname(terminal), 115200).close()
    os.close(terminal)
    os.close(controller)


def test_a_device_without_its_folder_is_named_in_full() -> None:
    """Before anything is opened; what there is not has no such advice."""
    with pytest.raises(InputError, match=r"got null; write /dev/null\.$"):
        parse_devices("null")
    with pytest.raises(InputError, match=r"got nothing-here; name one of them\.$"):
        parse_devices("nothing-here")
    for name in ("loop://", "socket://", r"\\.\COM1"):
        assert parse_devices(name) == (name,)


@pytest.mark.parametrize("kind", ["socket", "rfc2217"])
@pytest.mark.parametrize(
    ("rest", "got"),
    [
        ("127.0.0.1", "a URL without the number of a port" + FORM),
        ("127.0.0.1:", "a URL without the number of a port" + FORM),
        ("127.0.0.1:x", "'x' for its number of a port" + FORM),
        ("127.0.0.1:65536", "'65536' for its number of a port" + FORM),
        ("127.0.0.1:-1", "'-1' for its number of a port" + FORM),
        ("127.0.0.1:0", "port 0" + FORM),
        (":7", "a URL without a host" + FORM),
        ("", "a URL without a host" + FORM),
        ("[::1:7", "a URL with an address that is none; "),
        ("host.invalid:7", "'host.invalid', which is no host that is known here ("),
        ("a..b:7", "'a..b', which is no host that is known here"),
    ],
)
def test_addresses_on_the_network(kind: str, rest: str, got: str) -> None:
    """Which part of the address is wrong, without a word of pyserial's."""
    said = refused(f"{kind}://{rest}")
    assert f"got {got.format(kind)}" in said
    assert "Could not open" not in said
    assert "logging" not in said


@pytest.mark.parametrize("kind", ["socket", "rfc2217"])
def test_nobody_listens(kind: str, server: int) -> None:
    """The address is right, and the server is not there."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        number = gone.getsockname()[1]
    assert f"got nothing that listens on port {number} of 127.0.0.1; start the server" in refused(
        f"{kind}://127.0.0.1:{number}"
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")  # pyserial's
def test_another_protocol_is_spoken_there(server: int) -> None:
    """A server that takes bytes as they are."""
    said = refused(f"rfc2217://127.0.0.1:{server}")
    assert f"got a server that does not speak RFC 2217; write it socket://127.0.0.1:{server}." in said


@pytest.mark.parametrize(
    ("name", "got"),
    [
        ("hwgrep://nothing-fits-this", "got no port that 'nothing-fits-this' fits; "),
        ("hwgrep://(", "got '(', which is no regular expression ("),
        ("hwgrep://x&y", "got a URL that pyserial refuses (unknown option: 'y'); correct it; "),
        ("alt:///dev/x?class=Y", "got a URL that pyserial refuses (unknown class: 'Y'); correct it; "),
        ("spy:///dev/x?y=z", "got a URL that pyserial refuses ("),
        ("nothing://x", "got a URL of the kind nothing://, which there is not; write a path, socket://HOST:PORT "),
        ("cp2110://x", "got a URL of the kind cp2110://, which pyserial cannot load here; "),
    ],
)
def test_other_urls(name: str, got: str) -> None:
    """By what is wrong with each."""
    assert got in refused(name)


@pytest.mark.parametrize("baud", [2**31, 10**13])
def test_a_rate_that_is_none(baud: int) -> None:
    """The rate is at fault, and not the port."""
    controller, terminal = pty.openpty()
    assert "got one that does not take this rate (" in refused(os.ttyname(terminal), baud)
    os.close(terminal)
    os.close(controller)


@pytest.mark.parametrize(
    ("number", "got"),
    [
        (errno.EACCES, "Permission denied"),
        (errno.EPERM, "Operation not permitted"),
        (errno.EBUSY, "one that is in use, and the system does not say by whom"),
        (errno.EAGAIN, "one that is in use, and the system does not say by whom"),
        (errno.EIO, "a name behind which there is no hardware now (Input/output error)"),
        (errno.ENXIO, "a name behind which there is no hardware now (No such device or address)"),
        (errno.ENOTTY, "a device that is no serial port"),
        (errno.ENOMEM, "an error whose cause is not known (Cannot allocate memory)"),
    ],
)
def test_what_the_system_says(number: int, got: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its number, which pyserial keeps in the error, or in the one behind it."""
    monkeypatch.setattr(port_lock, "PROCESSES", Path("/nothing"))
    assert cause_of("/dev/x", serial.SerialException(number, "pyserial's words")).got == got
    behind = serial.SerialException("Could not configure port")
    behind.__context__ = termios.error(number, "termios's words")
    assert cause_of("/dev/x", behind).got == got
    assert cause_of("hwgrep://x", behind, "/dev/x").got == got


def test_only_a_port_that_is_in_use_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has it open is named where that is the cause, and not for any other."""
    monkeypatch.setattr(port_causes, "processes_with", lambda _: ["screen (pid 7)"])
    for number in errno.errorcode:
        cause = cause_of("/dev/x", OSError(number, "x"))
        assert ("screen" in cause.got) is (number in (errno.EBUSY, errno.EAGAIN))


def test_an_error_without_a_reason_is_not_explained() -> None:
    """No cause is made up."""
    for url in ("/dev/x", "socket://localhost:7", "hwgrep://x", "spy:///dev/x"):
        assert cause_of(url, serial.SerialException("words")).got == "an error whose cause is not known (words)"


def test_who_is_let_in(tmp_path: Path) -> None:
    """A file that is not there has no group."""
    assert how_to_be_let_in(tmp_path / "none") == "ask who administers this machine for access to it"


def test_one_port_has_one_lock(tmp_path: Path) -> None:
    """Whether a URL stands around its path or not."""
    controller, terminal = pty.openpty()
    path = os.ttyname(terminal)
    (tmp_path / "link").symlink_to(path)
    names = (path, str(tmp_path / "link"), f"spy://{path}", f"alt://{path}", f"alt://{path}?class=PosixPollSerial")
    assert {port_identity(name) for name in names} == {os.path.realpath(path)}
    os.close(terminal)
    os.close(controller)
