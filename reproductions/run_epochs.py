"""`run-epochs`: a board trains on its own flash data while nobody is there; the host checks what it gave."""

import zlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rich.console import Console

from priot_hil.harness.detached import Progress, can_run, progress, start_run, stop_run
from priot_hil.harness.device import RESET_BY_FAULT, LinkDevice
from priot_hil.harness.devices import find_device, open_engine
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.errors import DeviceRestarted, LinkLost
from priot_hil.harness.firmware import build
from priot_hil.harness.limits import RUN_EPOCHS
from priot_hil.harness.outputs import check_folder
from priot_hil.harness.progress import Part, Work, counted, shown
from priot_hil.harness.protocol import ResultRecord
from priot_hil.reference.checks import check_range
from priot_hil.reference.errors import InputError
from priot_hil.reference.ranges import SEED
from priot_hil.reference.streams import order

from .checkpoint import committed_models, sums_by_pretraining
from .experiment import Experiment, read_experiment
from .material import load_data
from .performance import HOST, EnginesDiffer, Material, first_state, perform, search
from .plan import Run, code_fingerprint, key_of, plan
from .progress import UNTRAINED
from .provenance import machine, made_by
from .records import RunRecord, write_records
from .runner import check_device, default_console

TABLE = "accuracy"
RESULTS = Path("results") / "run-epochs"
LOOK_SECONDS = 1.0  # between two looks at a board


def run_epochs(
    device: str,
    *,
    row: str = "PRIOT",
    angle: int = 30,
    seed: int = 10,
    epochs: int = 30,
    stop: bool = False,
    console: Console | None = None,
) -> None:
    """Start a detached run, or find the one that was started before; follow it, and check what it gave.

    Args:
        device: The board.
        row: A row of the accuracy table.
        angle: Degrees.
        seed: Of the run.
        epochs: To train; each has its order in the board's flash.
        stop: Only end the run that the board is at.
        console: Where all is told; None for standard output.

    Raises:
        InputError: There is no such row or device, it cannot run detached, or it is at another run.
        LinkLost: The device does not answer (any more).
        EnginesDiffer: The board's results are not the host's.
        KeyboardInterrupt: Ctrl-C; a board works on.
    """
    tell = partial((console or default_console()).print, markup=False, highlight=False, soft_wrap=True)
    RUN_EPOCHS.check("epochs", epochs)
    experiment = chosen(read_experiment(TABLE), row, angle, seed, epochs)
    check_device(device)
    check_folder(RESULTS / "runs")
    opened = open_engine(device)
    if not isinstance(opened, DeviceEngine) or not isinstance(opened.device, LinkDevice) or not can_run(opened.device):
        do = "name a board, or process or emulator"
        raise InputError.about("device", expected="one that trains on its own", got=repr(device), do=do)
    with closing(opened):
        if stop:
            now = progress(opened.device)
            stop_run(opened.device)
            tell(f"{device}: stopped in epoch {now.epoch} of {now.epochs}." if now.is_running else f"{device} is idle.")
            return
        material = Material(
            load_data(experiment.network, tell),
            committed_models(experiment.network, experiment.pretrainings),
            made_by({HOST: build("host").build_id.hex(), opened.name: opened.device.hello.build_id.hex()}),
            machine(),
        )
        sums = sums_by_pretraining(experiment.network, experiment.pretrainings)
        (run,) = plan(experiment, HOST, None, sums, code_fingerprint())
        Detached(run, material, opened, opened.device, RESULTS, tell).perform()


def chosen(experiment: Experiment, row: str, angle: int, seed: int, epochs: int) -> Experiment:
    """The experiment with this one run only.

    Raises:
        InputError: No such row that trains, or a number is out of range.
    """
    rows = {row.name: row for row in experiment.rows if row.trains}
    if row not in rows:
        raise InputError.about("row", expected=f"one of {', '.join(rows)}", got=repr(row), do="name one of them")
    check_range("angle", angle, -360, 360)
    SEED.check("seed", seed)
    return replace(experiment, rows=(rows[row],), angles=(angle,), seeds=(seed,), epochs=epochs)


@dataclass(frozen=True)
class Detached:
    """A run and the board that takes it.

    Attributes:
        run: The run, as the host would perform it.
        material: Data and model.
        engine: The board's engine.
        device: The board.
        out: Folder of the results and of the host's run.
        tell: Prints a line.
    """

    run: Run
    material: Material
    engine: DeviceEngine
    device: LinkDevice
    out: Path
    tell: Callable[[str], None]

    @property
    def tag(self) -> int:
        """The number by which the board knows the run."""
        return zlib.crc32(f"{self.run.key} {self.run.epochs}".encode()) or 1

    def perform(self) -> RunRecord:
        """Start or find the run, follow it to its end, check it; see `run_epochs`."""
        if self.is_to_start(progress(self.device)):
            self.start()
        try:
            results = self.follow()
        except KeyboardInterrupt:
            self.tell(self.farewell())
            raise
        except DeviceRestarted as lost:
            lost.add_note("the run is gone with what the board held: the same command begins it again")
            raise
        except LinkLost as lost:
            lost.add_note(self.farewell())
            raise
        return self.check(results)

    def is_to_start(self, now: Progress) -> bool:
        """Whether the run has to be started; says what the board is at.

        Raises:
            InputError: It is at another run.
        """
        name = self.engine.name
        if now.tag != self.tag:
            if now.is_running:
                got = f"one at work on another run, in epoch {now.epoch} of {now.epochs}"
                do = "wait for it, or end it with `invoke run-epochs --stop`"
                raise InputError.about(name, expected="an idle board", got=got, do=do)
            if now.tag == 0 and self.device.hello.reset_cause == RESET_BY_FAULT:
                self.tell(f"{name} has crashed and restarted; a run that it was at is lost.")
            elif now.tag != 0:
                self.tell(f"{name} holds the results of another run, which make room for this one.")
            return True
        if now.is_running:
            self.tell(f"{name} is at this run already: epoch {now.epoch} of {now.epochs}.")
        elif now.is_complete:
            self.tell(f"{name} has finished this run.")
        else:
            self.tell(f"{name} was stopped in epoch {now.epoch} of this run; it begins again.")
        return not (now.is_running or now.is_complete)

    def start(self) -> None:
        """Put model and data on the board and let it go."""
        run = self.run
        host = open_engine(HOST)
        state = first_state(run, self.material, host)
        task = self.material.task(run)
        orders = [order(run.seed, epoch, run.train_samples) for epoch in range(run.epochs)]
        self.engine.load(self.material.model(run), run.method, state)
        train, test = task.train, task.test
        self.engine.load_data(train.images, train.labels, test.images, test.labels, orders)
        start_run(self.device, run.epochs, self.tag)
        self.tell(f"{self.engine.name} has started: {run}, {run.epochs} epochs.")
        if self.is_board:
            self.tell("It needs no host from here on: Ctrl-C or pull the cable, but not its supply.")

    def follow(self) -> tuple[ResultRecord, ...]:
        """Look at the board until it is done, and tell of each epoch.

        Raises:
            InputError: Somebody stopped the run.
            DeviceRestarted: The board has forgotten the run.
            LinkLost: It is gone.
        """
        told = 0
        before = len(progress(self.device).results)  # what came while nobody looked says nothing of the speed
        part = Part(self.run.epochs + 1, before, first=UNTRAINED)
        with shown(Work(f"epochs on {self.engine.name}", {None: part})) as work:
            while True:
                now = progress(self.device)
                if now.tag != self.tag:
                    raise DeviceRestarted(f"{self.engine.name} is not at this run any more")
                for epoch, result in enumerate(now.results[told:], start=told):
                    trained = f"train {result.train_correct}/{self.run.train_samples}, " if epoch else ""
                    tested = f"test {result.test_correct}/{self.run.test_samples}"
                    self.tell(f"epoch {epoch}: {trained}{tested}, state {result.state_crc:#010x}")
                told = len(now.results)
                work.advance(told - work.done)
                if now.is_complete:
                    return now.results
                if not now.is_running:
                    raise InputError(f"{self.engine.name} was stopped in epoch {now.epoch} of {now.epochs}.")
                self.device.link.listen(LOOK_SECONDS)

    def check(self, results: tuple[ResultRecord, ...]) -> RunRecord:
        """Perform the same run on the host, compare every epoch, and write the record.

        Raises:
            EnginesDiffer: They are not the same.
        """
        host, path = open_engine(HOST), self.out / "runs" / f"{self.run.key}.npz"
        with shown(counted("epochs on the host", self.run.epochs + 1)) as work:
            record = perform(self.run, self.material, [host], host, path, work.advance)
        epochs = []
        for epoch, result in zip(record.epochs, results, strict=True):
            expected = (epoch.train_correct or 0, epoch.test_correct, epoch.state_crc)
            if expected != (got := (result.train_correct, result.test_correct, result.state_crc)):
                raise EnginesDiffer(
                    f"{self.run}, after epoch {epoch.epoch}: right in training, right in test, state CRC are "
                    f"{expected} on the host, {got} on {self.engine.name}; find the first step that differs with "
                    f"{search(self.run, epoch.epoch, (self.engine.name, HOST))}."
                )
            epochs.append(replace(epoch, cycles=result.cycles or None))
        described = {**record.run, "devices": [HOST, self.engine.name]}
        record = replace(record, key=key_of(described), run=described, epochs=tuple(epochs))
        file = self.out / f"{record.key}.jsonl"
        write_records(file, [record])
        self.tell(
            f"All {len(results)} results equal the host's: best {record.best:.1f} %, last {record.last:.1f} %. {file}"
        )
        return record

    @property
    def is_board(self) -> bool:
        """Whether the device outlives this process."""
        kind = find_device(self.engine.name)
        return kind is not None and bool(kind.boards)

    def farewell(self) -> str:
        """What becomes of the run when this process goes."""
        if not self.is_board:
            return f"{self.engine.name} lives in this command and ends with it; the run is lost."
        return (
            f"{self.engine.name} works on as long as it has power. Give the same command again to follow it or to "
            "collect its results."
        )
