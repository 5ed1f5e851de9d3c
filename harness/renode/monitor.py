"""One running Renode: headless, in a folder of its own, driven through its Monitor and never left behind."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
import weakref
from pathlib import Path
from typing import IO, Final

from priot_hil.harness.errors import LinkLost
from priot_hil.reference.errors import InputError

TESTED_VERSION: Final = "1.16.1"
PLATFORM: Final = Path(__file__).resolve().parent / "platform"

# Headless, plain text; it reads commands from its standard input and leaves when that ends, so that no Renode outlives
# a host that was killed.
_OPTIONS: Final = ("--console", "--disable-xwt", "--plain", "--hide-log", "--config", "config")
# Stands between host and Renode. A host that was killed cannot remove the folder; this does, once the host's end of the
# pipe is closed. Where Renode ends by itself the host is still there, and reads the last words in the folder.
_KEEPER: Final = """
import os, shutil, subprocess, sys
folder, *command = sys.argv[1:]
try:
    status = subprocess.call(command)
except OSError as error:
    print(f"{command[0]}: cannot be started ({error.strerror}); install it again.")
    status = 126
os.set_blocking(0, False)
try:
    while os.read(0, 65536):
        pass
    shutil.rmtree(folder, ignore_errors=True)
except BlockingIOError:
    pass
sys.exit(status if status >= 0 else 128 - status)
"""
START_SECONDS: Final = 60.0  # .NET or Mono compiles all of it first, on a machine that may be busy
COMMAND_SECONDS: Final = 20.0
LEAVE_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.002
_TAIL_LINES: Final = 15


def missing() -> str | None:
    """Why this machine cannot run Renode; None where it can."""
    if shutil.which("renode"):
        return None
    return f"no program renode on the PATH; install Renode {TESTED_VERSION} (docs/renode.md)"


class Renode:
    """A Renode process with a Monitor.

    Its configuration, history, temporary files, log and output lie in `folder`, which goes with it, or with this
    process, should that be killed first.

    Raises:
        InputError: There is no `renode`.
        LinkLost: It does not start.
    """

    def __init__(self) -> None:
        path = shutil.which("renode")
        if path is None:
            raise InputError(f"device renode is not available: {missing()}")
        folder = tempfile.TemporaryDirectory(prefix="priot-renode-")
        self.folder = Path(folder.name)
        for file in PLATFORM.iterdir():
            shutil.copy(file, self.folder)
        private = {"TMPDIR": folder.name, "XDG_CONFIG_HOME": folder.name}
        # A file never fills up, as a pipe would that nobody reads while Renode logs.
        self._output = self.folder / "output.txt"
        self._log = self.folder / "renode.log"
        with self._output.open("wb") as output:
            # A session of its own: Ctrl-C reaches this process only, which then ends Renode in order.
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _KEEPER, folder.name, path, *_OPTIONS],
                cwd=self.folder,
                env=os.environ | private,
                stdin=subprocess.PIPE,
                bufsize=0,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        assert process.stdin is not None
        self._process, self._input = process, process.stdin
        self._marks = 0
        self._end = weakref.finalize(self, _end, process, process.stdin, folder)
        try:
            self.command("", START_SECONDS)
            self._check_version()
            # In full: a short name would lie in the folder where Renode is installed. A space would end it.
            log = str(self._log).replace(" ", r"\ ")
            self.expect(f"logFile @{log} true")
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Of the process that started Renode and ends with it."""
        return self._process.pid

    def command(self, text: str, seconds: float | None = None) -> str:
        """Run a command in the Monitor.

        Args:
            text: One line.
            seconds: How long it may take; None for COMMAND_SECONDS.

        Returns:
            What it printed.

        Raises:
            LinkLost: Renode ended, or did not finish the command in time.
        """
        seconds = COMMAND_SECONDS if seconds is None else seconds
        self._marks += 1
        mark = f"done {self._marks}"
        start = self._output.stat().st_size if self._end.alive else 0
        try:
            self._input.write(f'{text}\necho "{mark}"\n'.encode())
        except (BrokenPipeError, ValueError):
            raise self.lost() from None
        deadline = time.monotonic() + seconds
        while mark not in (lines := self._lines(start)):
            if self._process.poll() is not None:
                raise self.lost()
            if time.monotonic() > deadline:
                raise LinkLost(f"renode did not finish `{text or 'its start'}` in {seconds:g} s{self._tail()}")
            time.sleep(_POLL_SECONDS)
        typed = (text, f'echo "{mark}"')
        return "\n".join(line for line in lines[: lines.index(mark)] if line and not line.endswith(typed))

    def expect(self, text: str, answer: str = "") -> None:
        """Run a command whose answer, or silence, says that it succeeded.

        Raises:
            LinkLost: It answered otherwise, or as for `command`.
        """
        if (got := self.command(text)) != answer:
            raise LinkLost(f"renode refused `{text}`: {got or 'no answer'}{self._tail()}")

    def lost(self) -> LinkLost:
        """How Renode ended, with the last it said."""
        if not self._end.alive:
            return LinkLost("renode is closed; open the device again.")
        try:
            ended = f"ended with status {self._process.wait(LEAVE_SECONDS)}"
        except subprocess.TimeoutExpired:
            ended = "closed the connection but still runs"
        return LinkLost(f"renode {ended}{self._tail()}")

    def close(self) -> None:
        """End Renode and remove its folder; may be called twice."""
        self._end()

    def _check_version(self) -> None:
        found = re.search(r"Renode, version (\d+\.\d+\.\d+)", self._output.read_text(errors="replace"))
        version = found[1] if found else "unknown"
        if version != TESTED_VERSION:
            warnings.warn(
                f"renode: expected version {TESTED_VERSION}, which this project is tested with, got {version}; "
                "should it misbehave, install the tested one.",
                stacklevel=2,
            )

    def _lines(self, start: int) -> list[str]:
        with self._output.open("rb") as file:
            file.seek(start)
            # The Monitor ends lines with CR, LF or both in either order.
            return [line.strip("\r") for line in file.read().decode(errors="replace").split("\n")]

    def _tail(self) -> str:
        """The last lines of what Renode printed and of what it logged."""
        logged = self._log.read_text(errors="replace").splitlines() if self._log.exists() else []
        printed = [line for line in self._lines(0) if line and not line.startswith("done ")]
        lines = printed[-_TAIL_LINES:] + logged[-_TAIL_LINES:]
        return ":\n" + "\n".join(lines) if lines else "."


def _end(process: "subprocess.Popen[bytes]", commands: IO[bytes], folder: "tempfile.TemporaryDirectory[str]") -> None:
    """End Renode: by closing its input, and if that is not enough by force, with whatever its start script started."""
    commands.close()
    try:
        process.wait(LEAVE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    folder.cleanup()
