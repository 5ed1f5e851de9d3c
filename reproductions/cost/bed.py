"""What the table of costs is measured on: the data, the runs, and engines that count cycles."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from priot_hil.harness.device import LinkDevice
from priot_hil.harness.devices import open_engine
from priot_hil.harness.emulator import Rp2040
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.protocol import CapabilityCode
from priot_hil.harness.transports.emulator import EmulatorTransport
from priot_hil.reference.errors import InputError
from priot_hil.reference.network import Network
from priot_hil.reference.run import State
from priot_hil.reference.streams import order

from ..data import TransferTask, transfer_task
from ..networks import network
from ..performance import Material, first_state
from ..plan import Run, plan
from .phases import NOTE, Pass, split
from .setting import CostSetting

HOST = "host"


@dataclass(frozen=True, eq=False)
class Bed:
    """What all rows share.

    Attributes:
        setting: Of the table.
        material: Data and model.
        task: The transfer task of the setting's seed and angle.
        runs: By the name of their row.
    """

    setting: CostSetting
    material: Material
    task: TransferTask
    runs: dict[str, Run]

    @property
    def network(self) -> Network:
        """The network of all rows."""
        return network(self.setting.experiment.network)

    def visits(self, epoch: int) -> npt.NDArray[np.integer]:
        """The order of an epoch, counted from 1."""
        return order(self.setting.seed, epoch - 1, self.setting.experiment.train_samples)

    def first_state(self, row: str, host: DeviceEngine) -> State:
        """The state that a row starts from, calibrated by the host."""
        return first_state(self.runs[row], self.material, host)

    def load(self, engine: DeviceEngine, row: str, state: State, tests: int) -> None:
        """Load a row in some state, all training samples and the first of the test samples."""
        engine.load(self.material.model(self.runs[row]), self.runs[row].method, state)
        train, test = self.task.train, self.task.test
        engine.load_data(train.images, train.labels, test.images[:tests], test.labels[:tests])


def make_bed(setting: CostSetting, material: Material, checkpoints: Mapping[str, str]) -> Bed:
    """Plan the rows and draw the task.

    Args:
        setting: Of the table.
        material: Data and model.
        checkpoints: SHA-256 of the models' files, by pre-training.

    Returns:
        The bed.
    """
    experiment = setting.experiment
    task = transfer_task(
        material.images, setting.angle, setting.seed, experiment.train_samples, experiment.test_samples
    )
    runs = plan(replace(experiment, seeds=(setting.seed,), angles=(setting.angle,)), HOST, None, checkpoints, "")
    return Bed(setting, material, task, {run.row.name: run for run in runs})


class CycleCounter:
    """An engine whose device counts cycles, and the core inside where it is emulated here.

    Args:
        engine: Owned and closed by this.

    Raises:
        InputError: The device does not count.
    """

    def __init__(self, engine: DeviceEngine) -> None:
        self.engine = engine
        if not engine.device.hello.capabilities & CapabilityCode.CYCLES:
            engine.close()
            do = "name a board or an emulated one"
            raise InputError.about(f"device {engine.name}", expected="one that counts cycles", got="none", do=do)
        self.machine = machine_of(engine)
        if self.machine is not None:
            self.machine.watch(self.machine.symbols[NOTE])

    def train(self, visits: npt.NDArray[np.integer], network: Network) -> Pass:
        """Train on some samples of the loaded data."""
        self._begin()
        return self._end(len(visits), self.engine.train_epoch(visits).cycles, network)

    def infer(self, network: Network) -> Pass:
        """Predict the test samples of the loaded data."""
        self._begin()
        answer = self.engine.evaluation()
        return self._end(answer.total, answer.cycles, network)

    def step(self, image: npt.NDArray[np.int8], label: int, network: Network) -> tuple[Pass, dict[str, int]]:
        """One step on a sample that comes over the link; the checksums of its trace beside what it took."""
        self._begin()
        step = self.engine.train_step(image, label)
        return self._end(1, step.cycles, network), step.crcs

    def _begin(self) -> None:
        if self.machine is not None:
            self.machine.take_changes()

    def _end(self, steps: int, cycles: int | None, network: Network) -> Pass:
        assert cycles is not None, "a device with the capability counts"
        if self.machine is None:
            return Pass(steps, cycles)
        return split(self.machine.take_changes(), steps, cycles, network.weighted)


def open_cycle_counter(name: str) -> CycleCounter:
    """Open a device that counts cycles.

    Raises:
        InputError: It does not, or there is no such device.
        LinkLost: It does not answer.
    """
    engine = open_engine(name)
    if not isinstance(engine, DeviceEngine):
        do = "name a board or an emulated one"
        raise InputError.about(f"device {name}", expected="one that counts cycles", got="none", do=do)
    return CycleCounter(engine)


def machine_of(engine: DeviceEngine) -> Rp2040 | None:
    """The emulated core of an engine; None where the device is something else."""
    transport = engine.device.link.transport if isinstance(engine.device, LinkDevice) else None
    return transport.machine if isinstance(transport, EmulatorTransport) else None
