"""Serial ports by pyserial: a port of this machine, a pseudo-terminal, or one behind the network."""

import contextlib
import os
import time
from collections.abc import Iterator
from typing import Final

import serial

from priot_hil.harness import discovery
from priot_hil.harness.errors import LinkLost
from priot_hil.harness.port_causes import Cause, cause_of, obstacle, path_of, system_words
from priot_hil.harness.port_lock import PortLock
from priot_hil.reference.errors import InputError

POLL: Final = 0.02  # seconds of one wait for bytes; deadlines are kept to this
RETURN_SECONDS: Final = 5.0  # a board that restarts on USB is gone for a second or two


class SerialTransport:
    """Bytes over a port that this process alone may use.

    A board that restarts may vanish from USB and come back under another name. The transport finds it again by its USB
    serial number or location; bytes under way are lost, as on a bad cable, and the link notices that.

    Args:
        name: A path, "COM3", `serial:<USB serial number or location>`, or a pyserial URL.
        baud: Bits per second.

    Raises:
        InputError: There is no such port, or it does not open.
        PortBusy: Another process holds it.
    """

    def __init__(self, name: str, baud: int) -> None:
        if "\0" in name:
            raise InputError.about("port", expected="a name without NUL", got=repr(name), do="correct it")
        self.name = name
        self._baud = baud
        if name.startswith(discovery.SERIAL):
            self._known: discovery.Port | None = discovery.port_named(name.removeprefix(discovery.SERIAL))
            self._url = self._known.device
        else:
            self._known = None if "://" in name else discovery.port_behind(name)
            self._url = name
        self._lock = PortLock(name, port_identity(name))
        self._lock.acquire()
        try:
            self._port: serial.Serial | None = self._open()
        except BaseException:
            self._lock.release()
            raise

    @property
    def path(self) -> str | None:
        """The port of this machine that is open now; None where it is elsewhere, or lost."""
        return self._port.portstr if isinstance(self._port, serial.Serial) else None

    def write(self, data: bytes, deadline: float) -> None:
        """Sends all of `data`; once more, where the port was lost meanwhile and has come back.

        Raises:
            LinkLost: The port is gone, or took the bytes too slowly; how many of them arrived is unknown.
        """
        for port in self._port_and_its_return(deadline):
            try:
                with contextlib.suppress(NotImplementedError):  # rfc2217: a server's buffer takes what its port cannot
                    port.write_timeout = max(POLL, deadline - time.monotonic())
                port.write(data)
                return
            except serial.SerialTimeoutException:
                self._drop()
                raise LinkLost(
                    f"{self.name} did not take {len(data)} bytes before the deadline, and how many of them arrived is "
                    "unknown; look whether the board runs and the port is the right one"
                ) from None
            except (serial.SerialException, OSError):
                self._drop()

    def read(self, deadline: float) -> bytes:
        """Returns some bytes as soon as there are any, or `b""` when the deadline passed.

        Raises:
            LinkLost: The port is gone.
        """
        for port in self._port_and_its_return(deadline):
            try:
                data: bytes = port.read(1)
                while not data and time.monotonic() < deadline:
                    data = port.read(1)
                while data and (waiting := port.in_waiting):
                    data += port.read(waiting)
                return data
            except (serial.SerialException, OSError):
                self._drop()
        raise AssertionError("the port is there, has come back, or is lost")

    def reset(self) -> None:
        """Opens the port anew; what restarts a board is a command, or its button."""
        self._drop()
        self._open_again(time.monotonic())

    def close(self) -> None:
        """Gives the port up."""
        self._drop()
        self._lock.release()

    def _open(self) -> serial.Serial:
        """The port, opened, with DTR asserted: a board on USB takes that for a host that listens.

        Raises:
            InputError: It does not open.
        """
        if (cause := obstacle(self._url)) is not None:
            raise self._refusal(cause)
        port = None
        try:
            port = serial.serial_for_url(self._url, self._baud, timeout=POLL, do_not_open=True)
            port.dtr = True
            if isinstance(port, serial.Serial):  # a port of this machine, whatever the URL is around it
                port.exclusive = True
            port.open()
        except Exception as error:  # pyserial's handlers of URLs raise whatever they stumble over
            own = port.portstr if isinstance(port, serial.Serial) else None
            raise self._refusal(cause_of(self._url, error, own)) from error
        return port

    def _refusal(self, cause: Cause) -> InputError:
        return InputError.about(self.name, expected="a port that opens", got=cause.got, do=cause.do)

    def _drop(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            with contextlib.suppress(serial.SerialException, OSError):
                port.close()

    def _port_and_its_return(self, deadline: float) -> Iterator[serial.Serial]:
        """The open port; and where it is lost over what the caller does with it, the same port once more.

        Raises:
            LinkLost: It is gone, or lost again.
        """
        for _ in range(2):
            yield self._port or self._open_again(deadline)
        raise LinkLost(f"{self.name} has been lost twice in a row; look at its cable and its supply")

    def _open_again(self, deadline: float) -> serial.Serial:
        """The port after it was lost; a board on USB is given the time that its restart takes.

        Raises:
            LinkLost: It is not there.
        """
        self._drop()
        patience = max(deadline, time.monotonic() + RETURN_SECONDS) if self._known is not None else 0.0
        while True:
            try:
                if self._known is not None:
                    self._url = discovery.where_now(self._known) or self._url
                self._port = self._open()
                return self._port
            except InputError as error:
                if time.monotonic() >= patience:
                    why = system_words(error.__cause__ or error)
                    raise LinkLost(f"{self.name} is gone ({why}); plug it in again, see `invoke devices`") from None
            time.sleep(POLL)


def port_identity(name: str) -> str:
    """What a port is locked by, whatever name it has now.

    Raises:
        InputError: No port has this serial number.
    """
    if name.startswith(discovery.SERIAL):
        return discovery.port_named(name.removeprefix(discovery.SERIAL)).identity
    path = path_of(name)
    if path is None:
        return name
    known = discovery.port_behind(path)
    return os.path.realpath(path) if known is None else known.identity
