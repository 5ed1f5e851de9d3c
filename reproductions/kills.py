"""`kills`: boards that are lost at random instants of a run, and whether the run ends as if nothing had happened."""

import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from rich.console import Console

from priot_hil.harness.device import Device, LinkDevice
from priot_hil.harness.devices import open_emulator, open_emulator_process, open_engine
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.firmware import build
from priot_hil.harness.progress import counted, shown
from priot_hil.harness.protocol import CommandCode, HelloResponse
from priot_hil.harness.transports.emulator import EmulatorTransport
from priot_hil.harness.transports.process import ProcessTransport
from priot_hil.reference.engine import DatasetEngine
from priot_hil.reference.errors import InputError

from .checkpoint import committed_models, sums_by_pretraining
from .data import ImageSet
from .experiment import read_experiment
from .performance import Material
from .plan import Run, code_fingerprint, plan
from .provenance import machine, made_by
from .records import RunRecord
from .recovery import Engines, Loss, perform_through_losses

ROWS = ("dynamic NITI", "static NITI", "PRIOT", "PRIOT-S 20 % magnitude")
BOARD, CALIBRATOR = "board", "host"
EPOCHS, TRAIN, TEST = 3, 48, 24
PERSISTENCE = 5  # instants drawn for each kill that is asked for, since some fall behind the run's end


class Watched:
    """A device that remembers the last command that it was given."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self.name = device.name
        self.hello: HelloResponse = device.hello
        self.last = "hello"

    def command(self, command: CommandCode, payload: bytes = b"", budget: float = 0.0) -> bytes:
        """See `Device`."""
        self.last = command.name.lower()
        return self._device.command(command, payload, budget)

    def put_dataset(self, data: bytes) -> None:
        """See `Device`."""
        self._device.put_dataset(data)

    @property
    def takes_dataset(self) -> bool:
        """See `Device`."""
        return self._device.takes_dataset

    def close(self) -> None:
        """See `Device`."""
        self._device.close()


class Blow(Protocol):
    """A way to lose a board: how long a run is in its measure, and what strikes at an instant of it."""

    def open(self) -> DeviceEngine:
        """A board."""
        ...

    def now(self, engine: DeviceEngine, begun: float) -> float:
        """Where the run stands that began at that `time.monotonic()`."""
        ...

    def strike(self, engine: DeviceEngine, instant: float) -> Callable[[], None]:
        """Prepares the blow; returns what calls it off."""
        ...


class Kill:
    """SIGKILL to the process of an emulated board; instants are seconds."""

    def open(self) -> DeviceEngine:
        """See `Blow`."""
        return open_emulator_process()

    def now(self, engine: DeviceEngine, begun: float) -> float:
        """See `Blow`."""
        return time.monotonic() - begun

    def strike(self, engine: DeviceEngine, instant: float) -> Callable[[], None]:
        """See `Blow`."""
        transport = transport_of(engine)
        assert isinstance(transport, ProcessTransport)
        timer = threading.Timer(instant, transport.kill)
        timer.start()
        return timer.cancel


class Bite:
    """A watchdog's reset of an emulated board in this process; instants are core cycles."""

    def open(self) -> DeviceEngine:
        """See `Blow`."""
        return open_emulator()

    def now(self, engine: DeviceEngine, begun: float) -> float:
        """See `Blow`."""
        transport = transport_of(engine)
        assert isinstance(transport, EmulatorTransport)
        return transport.machine.cycles

    def strike(self, engine: DeviceEngine, instant: float) -> Callable[[], None]:
        """See `Blow`."""
        transport = transport_of(engine)
        assert isinstance(transport, EmulatorTransport)
        transport.machine.bite_at(max(int(instant), transport.machine.cycles + 1))
        return lambda: None


BLOWS: dict[str, Blow] = {"kill": Kill(), "reset": Bite()}


def transport_of(engine: DeviceEngine) -> object:
    """What carries the bytes of an engine behind a link."""
    device = engine.device
    assert isinstance(device, LinkDevice)
    return device.link.transport


@dataclass
class Board:
    """Opens the boards of one run; the first one is struck.

    Attributes:
        blow: What strikes it.
        instant: When; None for a run that is left alone.
        length: Of the run, in the blow's measure, once the run is over.
        during: The command that the first board was given last.
    """

    blow: Blow
    instant: float | None = None
    length: float = 0.0
    _first: DeviceEngine | None = None
    _watched: Watched | None = None
    _begun: float = field(default_factory=time.monotonic)
    _call_off: Callable[[], None] = lambda: None

    def open(self, name: str) -> DatasetEngine:
        """The opener of `Engines`."""
        if name != BOARD:
            return open_engine(name)
        engine = self.blow.open()
        if self._first is not None:
            return engine
        self._first, self._begun = engine, time.monotonic()
        if self.instant is not None:
            self._call_off = self.blow.strike(engine, self.instant)
        self._watched = Watched(engine.device)
        return DeviceEngine(self._watched, engine.name)

    def finish(self) -> None:
        """A run that nothing struck is over: measure it, call off a blow that is still to come."""
        self._call_off()
        assert self._first is not None
        self.length = self.blow.now(self._first, self._begun)

    @property
    def during(self) -> str:
        """The command that the first board was given last."""
        return "hello" if self._watched is None else self._watched.last


def performed(run: Run, material: Material, board: Board, folder: Path) -> tuple[RunRecord, list[Loss]]:
    """A run from its beginning to its end on boards of its own, and what was lost on the way."""
    losses: list[Loss] = []
    engines = Engines(board.open)
    path = folder / f"{run.key}.npz"
    path.unlink(missing_ok=True)
    try:
        record = perform_through_losses(run, material, engines, CALIBRATOR, path, lambda: None, losses.append)
        if not losses:
            board.finish()
    finally:
        engines.close_all()
    return record, losses


def drawn_material(seed: int) -> Material:
    """Random images as sparse as digits are, and the committed network: integers are all that matters here."""
    draws = np.random.Generator(np.random.PCG64(seed))

    def images(count: int) -> np.ndarray:
        return draws.integers(0, 256, (count, 28, 28), np.uint8) * (draws.random((count, 28, 28)) < 0.2)

    def labels(count: int) -> np.ndarray:
        return draws.integers(0, 10, count, np.uint8)

    mnist = ImageSet(images(2 * TRAIN), labels(2 * TRAIN), images(2 * TEST), labels(2 * TEST))
    return Material(mnist, committed_models("tiny_cnn", ["float"]), made_by({}), machine())


def drawn_runs(seed: int) -> list[Run]:
    """A short run of each method."""
    full = read_experiment("accuracy")
    rows = tuple(row for row in full.rows if row.name in ROWS)
    short = replace(full, rows=rows, train_samples=TRAIN, test_samples=TEST, angles=(30,), seeds=(seed,), epochs=EPOCHS)
    return plan(short, BOARD, None, sums_by_pretraining("tiny_cnn", ["float"]), code_fingerprint())


def kills(count: int, seed: int, how: str, console: Console) -> int:
    """Lose emulated boards at uniformly random instants of short runs, and compare what the runs end with.

    Args:
        count: Losses in all; the methods take turns.
        seed: Of the instants and the data.
        how: "kill": SIGKILL to the board's process; "reset": the board's watchdog bites in mid-run.
        console: Where each loss is told.

    Returns:
        How many runs ended with another record than the undisturbed one.

    Raises:
        InputError: No such way, or not one loss asked for.
    """
    if how not in BLOWS:
        raise InputError.about("how", expected=" or ".join(BLOWS), got=repr(how), do="name one of them")
    if count < 1:
        raise InputError.about("count", expected="1 or more", got=count, do="ask for more")
    blow, draw, material = BLOWS[how], random.Random(seed), drawn_material(seed)
    runs = drawn_runs(seed)
    struck = different = missed = 0
    during: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="priot-kills-") as folder, ExitStack() as stack:
        for preset in ("rp2040", "host"):
            build(preset)  # else the first run's length would be the compiler's
        undisturbed = []
        alone = runs[:count]
        work = stack.enter_context(shown(counted("runs, undisturbed ones first", len(alone) + count)))
        for run in alone:
            board = Board(blow)
            record, _ = performed(run, material, board, Path(folder))
            undisturbed.append((run, record, board.length))
            work.advance()
        while struck < count:
            run, whole, length = undisturbed[struck % len(undisturbed)]
            board = Board(blow, draw.uniform(0, length))
            record, losses = performed(run, material, board, Path(folder))
            if not losses:
                missed += 1
                undisturbed[struck % len(undisturbed)] = (run, whole, min(length, board.length))
                if missed == PERSISTENCE * count:
                    raise InputError(f"{missed} instants fell behind the end of their runs: leave this machine alone")
                continue
            struck += 1
            work.advance()
            is_equal = record == whole
            different += not is_equal
            during[board.during] += 1
            console.print(
                f"[{struck}/{count}] {run.row.name}: lost at {board.instant:.3g} of {length:.3g}, during "
                f"{board.during} in epoch {losses[0].epoch}; state {record.epochs[-1].state_crc:#010x} "
                + ("as undisturbed" if is_equal else f"instead of {whole.epochs[-1].state_crc:#010x}"),
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
    where = ", ".join(f"{command} {times}" for command, times in during.most_common())
    console.print(
        f"{struck} runs of {EPOCHS} epochs lost their board ({where}); {struck - different} ended as undisturbed, "
        f"{different} did not; {missed} more instants fell behind the end of a run",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    return different
