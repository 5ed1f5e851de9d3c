"""Detached runs: a device that trains on its own flash, with or without a host."""

from dataclasses import dataclass

from .device import LinkDevice
from .engines import STEP_SECONDS
from .limits import RUN_EPOCHS, TAG
from .protocol import CapabilityCode, CommandCode, ProgressResponse, ResultRecord, RunRequest


@dataclass(frozen=True)
class Progress:
    """How far a device's last detached run is.

    Attributes:
        tag: The number that the host gave it; 0 where there was none since the last load or restart.
        is_running: Whether it is at work.
        epochs: Asked for.
        epoch: At work; 0 is the evaluation before training.
        sample: Of that epoch.
        results: The model before training and after each finished epoch.
    """

    tag: int
    is_running: bool
    epochs: int
    epoch: int
    sample: int
    results: tuple[ResultRecord, ...]

    @property
    def is_complete(self) -> bool:
        """Whether all epochs are done."""
        return self.tag != 0 and len(self.results) == self.epochs + 1


def can_run(device: LinkDevice) -> bool:
    """Whether the device trains without a host."""
    return bool(device.hello.capabilities & CapabilityCode.RUN)


def start_run(device: LinkDevice, epochs: int, tag: int) -> None:
    """Starts a run of the model and the transfer set that the device holds.

    Args:
        device: Loaded with both.
        epochs: As many as the transfer set has orders, or fewer; 0..40.
        tag: 1..2**32-1, by which the run is known again.

    Raises:
        InputError: A number is out of range.
        KernelStatus: The device refuses.
    """
    RUN_EPOCHS.check("epochs of a detached run", epochs)
    TAG.check("tag of a detached run", tag)
    device.command(CommandCode.RUN, RunRequest(epochs, tag).pack(), budget=STEP_SECONDS)


def progress(device: LinkDevice) -> Progress:
    """Asks how far the last run is; a device at work answers between two samples."""
    data = device.command(CommandCode.PROGRESS, budget=STEP_SECONDS)
    head = ProgressResponse.unpack(data)
    starts = (ProgressResponse.size() + i * ResultRecord.size() for i in range(head.results))
    results = tuple(ResultRecord.unpack(data, start) for start in starts)
    return Progress(head.tag, bool(head.running), head.epochs, head.epoch, head.sample, results)


def stop_run(device: LinkDevice) -> None:
    """Ends the run that is at work, if there is one; its results stay."""
    device.command(CommandCode.STOP, budget=STEP_SECONDS)
