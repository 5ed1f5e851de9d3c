"""A host process that speaks the link on its standard input and output."""

import os
import re
import selectors
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO, Final

from priot_hil.harness.errors import DeviceFault, LinkLost

_CHUNK: Final = 65536
_ERROR_TAIL: Final = 2000
_REPORT_LINES: Final = 12  # of a sanitizer: what, where, and the innermost calls
_LEAVE_SECONDS: Final = 2.0
_SANITIZER: Final = re.compile(r"runtime error: |(ERROR|SUMMARY): \w+Sanitizer: ")


class ProcessTransport:
    """Starts a program and talks to it through pipes; its standard error is kept for the message if it dies."""

    def __init__(self, path: Path, *arguments: str):
        """Start the program with its arguments.

        Raises:
            LinkLost: it cannot be started.
        """
        self._path = path
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None
        self._start()

    @property
    def name(self) -> str:
        """The program's file name."""
        return f"process:{self._path.name}"

    def write(self, data: bytes, deadline: float) -> None:
        """Send all of ``data``.

        Raises:
            LinkLost: the process ended, or took no more bytes before the deadline.
            DeviceFault: a sanitizer ended it.
        """
        stdin = self._running.stdin
        assert stdin is not None
        view = memoryview(data)
        while view:
            if not _ready(stdin, selectors.EVENT_WRITE, deadline):
                raise LinkLost(f"{self.name}: {len(view)} of {len(data)} bytes not taken before the deadline.")
            try:
                view = view[os.write(stdin.fileno(), view) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise self._lost() from None

    def read(self, deadline: float) -> bytes:
        """Return some bytes, or ``b""`` when the deadline passed.

        Raises:
            LinkLost: the process ended.
            DeviceFault: a sanitizer ended it.
        """
        stdout = self._running.stdout
        assert stdout is not None
        while _ready(stdout, selectors.EVENT_READ, deadline):
            try:
                data = os.read(stdout.fileno(), _CHUNK)
            except BlockingIOError:
                continue
            if not data:
                raise self._lost()
            return data
        return b""

    def kill(self) -> None:
        """Take the process away without a word, as a board whose supply fails; what follows finds it gone."""
        if self._process is not None:
            self._process.kill()

    def reset(self) -> None:
        """End the process and start it anew."""
        self.close()
        self._start()

    def close(self) -> None:
        """End the process: by closing its input, and if that is not enough by force."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.stdout.close()
        try:
            process.wait(_LEAVE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._errors is not None:
            self._errors.close()

    def _start(self) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the process)
        try:
            self._process = subprocess.Popen(
                [self._path, *self._arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                bufsize=0,
            )
        except OSError as error:
            self._errors.close()
            raise LinkLost(f"{self.name}: cannot be started ({error.strerror}); build it first.") from error
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise LinkLost(f"{self.name}: closed; open it again.")
        return self._process

    def _lost(self) -> LinkLost | DeviceFault:
        """Say how the process ended; its standard error is complete once it has.

        A sanitizer's report is a verdict on the firmware, not on the line.
        """
        process, errors = self._running, self._errors
        try:
            ended = f"ended with status {process.wait(_LEAVE_SECONDS)}"
        except subprocess.TimeoutExpired:
            ended = "closed its output but still runs"
        said = ""
        if errors is not None:
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip()
        if found := _SANITIZER.search(said):
            begin = said.rfind("\n", 0, found.start()) + 1
            report = "\n".join(said[begin:].splitlines()[:_REPORT_LINES])
            return DeviceFault(f"{self.name}: a sanitizer stopped the firmware:\n{report}")
        said = said[-_ERROR_TAIL:]
        return LinkLost(f"{self.name}: the process {ended}" + (f":\n{said}" if said else "."))


def _ready(pipe: IO[bytes], event: int, deadline: float) -> bool:
    """Wait until a pipe is ready; a deadline in the past still looks once."""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, event)
        return bool(selector.select(max(0.0, deadline - time.monotonic())))
