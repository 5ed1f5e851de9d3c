"""`reproduce`: a table, from the data to the last cell."""

import os
import re
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from priot_hil.harness.devices import check_devices, find_device, known_names
from priot_hil.harness.files import write_aside
from priot_hil.harness.firmware import build
from priot_hil.harness.output_kinds import PUBLISHED_PAGE, TABLE_PAGE, TABLE_RECORDS
from priot_hil.harness.outputs import check_file, check_folder, set_aside
from priot_hil.reference.errors import InputError

from . import reports
from .chain import read_lines
from .checkpoint import committed_models, sums_by_pretraining
from .experiment import Experiment, read_experiment
from .material import MaterialLoader, load_data
from .networks import subject
from .plan import Run, code_fingerprint, plan
from .progress import reporting
from .published import Published, read_published
from .records import RunRecord, kept
from .table import Cell, Table

if TYPE_CHECKING:
    from .cluster import Workers

RESULTS = Path("results")


def reproduce(
    table: str,
    *,
    quick: bool = False,
    device: str | None = None,
    out: Path | None = None,
    jobs: int | None = None,
    published: Path | None = None,
    scheduler: str | None = None,
    console: Console | None = None,
) -> list[RunRecord]:
    """Perform a table's runs and report them: on the terminal, as Markdown and as JSON Lines.

    Runs that were performed before are not performed again; an interrupted one goes on behind its last whole epoch.
    One run of each row goes through two engines in step: the board beside the host, whichever of the two was asked for.
    A study's rows are too many for that.

    Args:
        table: Its name.
        quick: Fewer seeds and epochs.
        device: The engine that all runs go through; None for the fastest with the network.
        out: Folder of the results; None for ``results/<table>`` here.
        jobs: Processes; None for one a core.
        published: A file with published accuracies to compare with, see `published.read_published`.
        scheduler: Address of a Dask scheduler whose workers perform the runs; None for processes of one's own.
        console: Where the table goes; None for standard output.

    Returns:
        The records in the table's order.

    Raises:
        InputError: No such table or device, or a bad file of published accuracies; or the data, a checkpoint or a kept
            run is not to be had or damaged; or the scheduler has no workers that can be used; or the
            results cannot be written, or would replace something else.
        EnginesDiffer: Two engines disagree.
        KeyboardInterrupt: Ctrl-C; what was done is kept and reported first.
    """
    experiment = read_experiment(table)
    experiment = experiment.shortened() if quick else experiment
    usual, board = subject(experiment.network).engine, subject(experiment.network).board
    device = device or usual
    check_device(device)
    letter = None if published is None else read_published(published, experiment)
    out = RESULTS / table if out is None else out
    check_outputs(out, name_of(experiment, device), has_letter=letter is not None)
    console = console or default_console()
    loader = material_loader(experiment, console)
    partner = None if experiment.study else board if device == usual else usual
    runs = plan(experiment, device, partner, loader.sums, code_fingerprint())
    made = Reproduction(experiment, runs, loader, out, device, usual, jobs or cores(), console, letter, scheduler)
    return made.perform()


def material_loader(experiment: Experiment, console: Console) -> MaterialLoader:
    """How workers come by an experiment's data and model, both of which are fetched and checked here first.

    Raises:
        InputError: One of them is not to be had.
    """
    committed_models(experiment.network, experiment.pretrainings)
    load_data(experiment.network, partial(console.print, markup=False, highlight=False, soft_wrap=True))
    sums = sums_by_pretraining(experiment.network, experiment.pretrainings)
    return MaterialLoader(partial(load_data, experiment.network), experiment.network, sums)


@dataclass(frozen=True)
class Reproduction:
    """A table that is being made.

    Attributes:
        experiment: What it shows.
        runs: All its runs.
        loader: Data and model.
        out: Folder of the results.
        device: The engine that all runs go through.
        calibrator: The engine that finds static scales; they are the same integers on every one, so the fastest.
        jobs: Worker processes on this machine.
        console: Where the table goes.
        published: Accuracies to compare with.
        scheduler: Address of a Dask scheduler whose workers are used instead.
    """

    experiment: Experiment
    runs: Sequence[Run]
    loader: MaterialLoader
    out: Path
    device: str
    calibrator: str
    jobs: int
    console: Console
    published: Published | None = None
    scheduler: str | None = None

    def perform(self) -> list[RunRecord]:
        """Perform the runs that are not kept yet, and report all; see `reproduce`."""
        records, left = self.sort_out()
        try:
            if left:
                self.perform_left(left, records)
        except KeyboardInterrupt:
            self.report(records)
            self.console.print("Interrupted; what was done is kept. Give the same command again to go on from there.")
            raise
        self.report(records)
        return self.in_order(records)

    def sort_out(self) -> tuple[dict[str, RunRecord], dict[Run, int]]:
        """Find out what was performed before.

        Returns:
            The records of the finished runs by key; the others with their epochs left, the untrained model's included.

        Raises:
            InputError: A kept run is damaged.
        """
        records, left = {}, {}
        for run in self.runs:
            earlier = kept(self.kept_runs / f"{run.key}.npz", run.key)
            trained = -1 if earlier is None else earlier[0].trained
            if earlier is not None and trained >= run.epochs:
                records[run.key] = earlier[0].upto(run.epochs)
            else:
                left[run] = run.epochs - trained
        return records, left

    def perform_left(self, left: dict[Run, int], records: dict[str, RunRecord]) -> None:
        """Perform runs and add their records."""
        from .dispatch import Dispatch, job_of  # a table that is whole needs no Dask, which takes a second to load

        job = job_of(left, self.loader, self.calibrator, is_remote=self.scheduler is not None)
        if self.scheduler is None:
            build_for([self.calibrator, *job.devices])
        with (
            self.workers(len(left), job.devices) as workers,
            reporting(self.console, self.runs, left) as reporter,
            closing(Dispatch(workers, job, self.kept_runs, reporter).perform(left)) as performed,
        ):
            for run, record in performed:
                records[run.key] = record
                reporter.run(run, record)

    def workers(self, runs: int, devices: Sequence[str]) -> AbstractContextManager["Workers"]:
        """Where so many runs are performed; who has a board says so as a resource under the board's name."""
        from .cluster import local_workers, remote_workers

        boards = {name: boards_of(name) for name in devices}
        resources = {name: 1 for name, there in boards.items() if there}
        if self.scheduler is not None:
            return remote_workers(self.scheduler, resources)
        at_once = min((len(there) for there in boards.values() if there), default=runs)
        return local_workers(min(self.jobs, runs, at_once), resources)

    def report(self, records: dict[str, RunRecord]) -> None:
        """Print the table and write it with its records."""
        experiment = self.experiment
        name = name_of(experiment, self.device)
        table = Table(experiment, self.device, {cell(run): records[run.key] for run in self.runs if run.key in records})
        if has_others(self.out / f"{name}.jsonl", table):
            set_aside(self.out / f"{name}.jsonl", "holds other runs, as of other code", self.say)
        table.write(self.out / f"{name}.jsonl")
        write_aside(self.out / f"{name}.md", reports.markdown(table, f"{name}.jsonl"))
        reports.show(table, self.console)
        if self.published is not None:
            page = self.published.page(table)
            write_aside(self.out / f"{name}-published.md", page)
            self.say(page)
        self.say(f"Written: {self.out / name}.md and {name}.jsonl")

    def say(self, line: str) -> None:
        """Print a line."""
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def in_order(self, records: dict[str, RunRecord]) -> list[RunRecord]:
        """The records there are, in the order of the runs."""
        return [records[run.key] for run in self.runs if run.key in records]

    @property
    def kept_runs(self) -> Path:
        """The folder of the runs' files."""
        return self.out / "runs"


def name_of(experiment: Experiment, device: str) -> str:
    """The name of a table's files: an engine that is not the usual one is named, and so is the short form."""
    form = ["quick"] if experiment.quick else []
    where = [] if device == subject(experiment.network).engine else [file_name(device)]
    return "-".join([experiment.table, *form, *where])


def check_outputs(out: Path, name: str, has_letter: bool) -> None:
    """See that a table's files can be written, and replace nothing but earlier ones.

    Args:
        out: Their folder.
        name: What they are called.
        has_letter: Whether they are compared with published accuracies.

    Raises:
        InputError: It is not so.
    """
    check_folder(out / "runs")
    check_file(out / f"{name}.jsonl", TABLE_RECORDS)
    check_file(out / f"{name}.md", TABLE_PAGE)
    if has_letter:
        check_file(out / f"{name}-published.md", PUBLISHED_PAGE)


def has_others(path: Path, table: Table) -> bool:
    """Whether a file holds runs that a table has not, as of other code: they may have taken hours."""
    if not path.exists():
        return False
    try:
        earlier = {line.entry.body.get("key") for line in read_lines(path)[1:]}
    except InputError:
        return True
    return not earlier <= {record.key for record in table.records.values()}


def boards_of(device: str) -> tuple[str, ...]:
    """The boards that a device's name stands for; none where each opening starts an engine of its own."""
    kind = find_device(device)
    return () if kind is None else kind.boards


def build_for(devices: Iterable[str]) -> None:
    """Build the firmware of devices, so that this process shows how far that is and no worker has to.

    Raises:
        InputError: A compiler is missing, or refuses the sources.
    """
    kinds = [find_device(name) for name in devices]
    for preset in dict.fromkeys(kind.preset for kind in kinds if kind is not None and kind.preset):
        build(preset)


def cell(run: Run) -> Cell:
    """The cell of the table that a run fills."""
    return Cell(run.row.name, run.angle, run.seed)


def check_device(device: str) -> None:
    """Refuse a device that there is not, or not here.

    Raises:
        InputError: It is unknown or not available.
    """
    if find_device(device) is None:
        raise InputError.about("device", expected=f"one of {known_names()}", got=repr(device), do="name one of them")
    check_devices(device)


def file_name(device: str) -> str:
    """A device's name as a part of a file's name: a port's has slashes and colons."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", device.removeprefix("/dev/")).strip("-")


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_console() -> Console:
    """Standard output; wide enough for the table where it is no terminal."""
    console = Console()
    return console if console.is_terminal else Console(width=130)
