"""Programs that write a board's flash where they are installed: picotool over USB, a debugger through a probe."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from priot_hil.harness.discovery import RASPBERRY_PI, Port

from .errors import FlashFailed

PROBES = ((RASPBERRY_PI, 0x0004), (RASPBERRY_PI, 0x000C))  # a Pico as a probe, and the Debug Probe
TOOL_SECONDS = 120.0
TAIL_LINES = 5


@dataclass(frozen=True)
class Tool:
    """A way to write a board.

    Attributes:
        name: The program, for people.
        commands: What to run, in this order.
    """

    name: str
    commands: tuple[tuple[str, ...], ...]

    def run(self) -> None:
        """Writes the board.

        Raises:
            FlashFailed: A command failed; its last words are in the message.
        """
        for command in self.commands:
            try:
                done = subprocess.run(
                    command, capture_output=True, text=True, errors="replace", timeout=TOOL_SECONDS, check=False
                )
            except subprocess.TimeoutExpired:
                got = f"nothing after {TOOL_SECONDS:.0f} s"
            else:
                if done.returncode == 0:
                    continue
                words = "; ".join((done.stdout + done.stderr).strip().splitlines()[-TAIL_LINES:])
                got = f"status {done.returncode} ({words})"
            raise FlashFailed.about(
                f"`{' '.join(command)}`",
                expected="success",
                got=f"{got}, so that the board may hold a part of the new program",
                do="look at its cable, then give the same command again",
            )


def picotool(uf2: Path) -> Tool | None:
    """Loads, reads back and starts an image on the one board that stands in its loader; None where not installed."""
    if not shutil.which("picotool"):
        return None
    return Tool("picotool", (("picotool", "load", "--verify", "--execute", str(uf2), "-t", "uf2"),))


def is_probe(port: Port) -> bool:
    """Whether a port is a debug probe's, so that the board is behind it."""
    return (port.vendor, port.product) in PROBES or "cmsis-dap" in port.description.lower()


def debugger(elf: Path, probe: Port) -> Tool | None:
    """Writes, reads back and starts a flash image through a probe; None where no debugger is installed."""
    number = probe.serial_number
    if shutil.which("openocd"):
        files = ("-f", "interface/cmsis-dap.cfg", "-f", "target/rp2040.cfg")
        which = ("-c", f"adapter serial {number}") if number else ()
        program = f"program {{{elf}}} verify reset exit"
        return Tool("openocd", (("openocd", *files, *which, "-c", "adapter speed 5000", "-c", program),))
    if shutil.which("probe-rs"):
        which = ("--probe", f"{probe.vendor:04x}:{probe.product:04x}:{number}") if number else ()
        chip = ("--chip", "RP2040", *which)
        return Tool(
            "probe-rs",
            (("probe-rs", "download", *chip, "--verify", str(elf)), ("probe-rs", "reset", *chip)),
        )
    return None
