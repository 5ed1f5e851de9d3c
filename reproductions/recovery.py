"""A run on devices that crash, restart or vanish: opened anew, it goes on behind its last whole epoch."""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from priot_hil.harness.boards_on_ports import one_line
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.errors import DeviceFault, EmulationStuck, LinkLost
from priot_hil.reference.engine import DatasetEngine
from priot_hil.reference.errors import InputError

from .engines import open_run_engine
from .performance import Material, perform
from .plan import Run
from .records import RunRecord, kept

LOSSES = (LinkLost, DeviceFault, EmulationStuck)
TRIES = 3  # of one epoch: what is lost over it again and again has a fault that waiting does not mend
PAUSES = (0.0, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)  # seconds before each try to open a device again

Open = Callable[[str], DatasetEngine]


@dataclass(frozen=True)
class Loss:
    """A device was lost in the middle of a run.

    Attributes:
        when: Seconds since 1970.
        run: The run.
        epoch: The epoch that was broken off; 0 before the untrained model was evaluated.
        cause: What was seen of it, in one line.
    """

    when: float
    run: Run
    epoch: int
    cause: str

    def __str__(self) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(self.when))
        onward = f"goes on behind epoch {self.epoch - 1}" if self.epoch else "begins again"
        return f"{clock} {self.run}: lost in epoch {self.epoch} ({self.cause}); opened anew, the run {onward}"


@dataclass(frozen=True)
class LostWorker:
    """The worker that performed a run is gone, and another one has taken it.

    Attributes:
        when: Seconds since 1970.
        run: The run.
        trained: The epoch behind which it goes on; -1 where nothing was kept.
    """

    when: float
    run: Run
    trained: int

    def __str__(self) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(self.when))
        onward = "begins again" if self.trained < 0 else f"goes on behind epoch {self.trained}"
        return f"{clock} {self.run}: its worker is gone; on another one, the run {onward}"


class Engines:
    """Engines by the names of their devices, each opened when it is first asked for.

    Args:
        open: Opens one.
        pauses: Seconds to wait before each try to open a lost one again.
    """

    def __init__(self, open: Open = open_run_engine, pauses: Sequence[float] = PAUSES) -> None:
        self._open = open
        self._pauses = pauses
        self._engines: dict[str, DatasetEngine] = {}

    def get(self, name: str) -> DatasetEngine:
        """The engine of a device."""
        if name not in self._engines:
            self._engines[name] = self._open(name)
        return self._engines[name]

    def reopen(self, name: str) -> None:
        """Let go of a device and open it anew; one that is away for a while is waited for.

        Raises:
            InputError, LinkLost, DeviceFault, EmulationStuck: Why the last try failed.
        """
        self.close(name)
        for tried, pause in enumerate(self._pauses, start=1):
            time.sleep(pause)
            try:
                self.get(name)
                return
            except (*LOSSES, InputError) as error:
                if tried == len(self._pauses):
                    error.add_note(f"{name} did not come back in {tried} tries over {sum(self._pauses):.0f} s")
                    raise

    def close(self, name: str) -> None:
        """Let go of a device, which need not be there any more."""
        engine = self._engines.pop(name, None)
        if isinstance(engine, DeviceEngine):
            with contextlib.suppress(*LOSSES):  # it may be gone already
                engine.close()

    def close_all(self) -> None:
        """Let go of all."""
        for name in list(self._engines):
            self.close(name)


def perform_through_losses(
    run: Run,
    material: Material,
    engines: Engines,
    calibrator: str,
    path: Path,
    after_epoch: Callable[[], None],
    report: Callable[[Loss], None],
) -> RunRecord:
    """Perform a run as `perform` does, whatever happens to its devices.

    What a device held is gone with it; the run's file has the state behind the last whole epoch. From there the broken
    epoch is taken again on all the run's devices, so every integer is that of a run that was never disturbed.

    Args:
        run: The run.
        material: Data and model.
        engines: Opens the run's devices.
        calibrator: Name of the engine that finds the static scales.
        path: The run's file; see `perform`.
        after_epoch: Called when an epoch was kept; may raise to stop here.
        report: Told of each loss, before the devices are opened anew.

    Returns:
        The record up to the run's epochs.

    Raises:
        LinkLost, DeviceFault, EmulationStuck: Lost three times over the same epoch, or not to be opened any more.
        EnginesDiffer, InputError: See `perform`.
    """
    losses: Counter[int] = Counter()
    while True:
        try:
            used = [engines.get(name) for name in run.devices]
            return perform(run, material, used, engines.get(calibrator), path, after_epoch)
        except LOSSES as error:
            earlier = kept(path, run.key)
            epoch = 0 if earlier is None else earlier[0].trained + 1
            losses[epoch] += 1
            if losses[epoch] == TRIES:
                error.add_note(f"{run}: given up, lost {TRIES} times over epoch {epoch}; what was done before is kept")
                raise
            report(Loss(time.time(), run, epoch, one_line(error)))
            for name in sorted({*run.devices, calibrator}):
                engines.reopen(name)
