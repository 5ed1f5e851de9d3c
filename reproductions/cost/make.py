"""`reproduce --table cost`: the table of costs, from the data to the last cell."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console

from priot_hil.harness.debug_info import DebugInfo
from priot_hil.harness.devices import open_engine
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.files import write_aside
from priot_hil.harness.firmware import BoardFirmware, build
from priot_hil.harness.output_kinds import COST_PAGE, COST_RECORDS
from priot_hil.harness.outputs import check_file, check_folder, set_aside
from priot_hil.harness.progress import Part, Work, shown
from priot_hil.harness.progress_display import is_for_bars
from priot_hil.harness.schema import Location, read_json
from priot_hil.reference.errors import InputError

from ..checkpoint import committed_models, sums_by_pretraining
from ..files import sha256
from ..material import load_data
from ..performance import HOST, Material
from ..plan import DECIDING_CODE, code_fingerprint
from ..provenance import PACKAGES, git_state, machine
from ..runner import RESULTS, check_device, default_console, file_name
from . import report
from .bed import Bed, make_bed, open_cycle_counter
from .memory import program
from .records import CostRecord, Costs, costs_from_json, read_record
from .rows import RowCost, measure_row
from .scales import ScalesCost, measure_scales
from .setting import TABLE, Amount, read_setting

EMULATOR = "emulator"
SCALES = "scales"
LOADED = 300  # training steps that take as long as loading the data of an epoch and predicting behind it
SCALE_STEP = 50  # the same for a step that is taken twice, for which the state is loaded twice
CODE = (
    *DECIDING_CODE,
    "harness/debug_info.py",
    "harness/emulator/*.py",
    "harness/emulator/shim/*.[ch]",
    *(f"reproductions/cost/{name}.py" for name in ("bed", "memory", "phases", "rows", "scales")),
)


def reproduce(
    table: str = TABLE,
    *,
    quick: bool = False,
    device: str = HOST,
    out: Path | None = None,
    console: Console | None = None,
) -> CostRecord:
    """Measure what every method costs and report it: on the terminal, as Markdown and as JSON.

    The emulated board counts always, by layer and phase. A board, or another device with a clock of its own, counts
    the same steps beside it. Rows that were measured before are not measured again.

    Args:
        table: "cost".
        quick: One epoch and few steps.
        device: A device that counts too; "host" and "emulator" add none.
        out: Folder of the results; None for ``results/cost`` here.
        console: Where the table goes; None for standard output.

    Returns:
        The record.

    Raises:
        InputError: No such device, or one without a clock; the data or the checkpoint is not to be had; or the results
            cannot be written, or would replace something else.
        LinkLost: The device does not answer.
        EnginesDiffer: A device ended in another state than the host.
    """
    setting = read_setting()
    check_device(device)
    console = console or default_console()
    out = RESULTS / table if out is None else out
    name = "-".join([table, *(["quick"] if quick else []), *([file_name(device)] if device != HOST else [])])
    check_folder(out / "kept")
    check_file(out / f"{name}.json", COST_RECORDS)
    check_file(out / f"{name}.md", COST_PAGE)
    experiment = setting.experiment
    say = partial(console.print, markup=False, highlight=False, soft_wrap=True)
    images = load_data(experiment.network, say)
    models = committed_models(experiment.network, experiment.pretrainings)
    sums = sums_by_pretraining(experiment.network, experiment.pretrainings)
    making = CostTable(
        bed=make_bed(setting, Material(images, models), sums),
        amount=setting.quick if quick else setting.full,
        firmware=build("rp2040"),
        device=None if device in (HOST, EMULATOR) else device,
        out=out,
        name=name,
        console=console,
    )
    return making.perform()


@dataclass(frozen=True)
class CostTable:
    """A table that is being made.

    Attributes:
        bed: What is measured.
        amount: How much of it.
        firmware: What the emulated board runs.
        device: Counts too; or None.
        out: Folder of the results.
        name: Of the files there.
        console: Where the table goes.
    """

    bed: Bed
    amount: Amount
    firmware: BoardFirmware
    device: str | None
    out: Path
    name: str
    console: Console

    def perform(self) -> CostRecord:
        """Measure what is not kept yet, and report all; see `reproduce`."""
        setting = self.bed.setting
        counters = (EMULATOR, self.device) if self.device else (EMULATOR,)
        try:
            with shown(self._work(counters)) as work:
                rows, *counted = [
                    sum((self._row(row.name, name, work) for row in setting.rows), start=()) for name in counters
                ]
                scales = self._kept(
                    SCALES, partial(self._scales, partial(work.advance, name=SCALES)), tuple[ScalesCost, ...]
                )
        except KeyboardInterrupt:
            self.console.print("Interrupted; finished rows are kept. Give the same command again to go on from there.")
            raise
        images = {"ram": self.firmware.ram, "flash": self.firmware.flash}
        record = CostRecord(
            title=setting.title,
            description=self.description,
            layers={i: str(self.bed.network.layers[i]) for i in self.bed.network.weighted},
            methods={row.name: row.kind for row in setting.rows},
            rows=rows,
            scales=scales,
            programs=tuple(program(name, image, DebugInfo(image.debug)) for name, image in images.items()),
            device=self.device,
            counted=counted[0] if counted else (),
            made={"git": git_state(), "machine": machine()},
        )
        path = self.out / f"{self.name}.json"
        if path.exists() and is_other(path, record):
            say = partial(self.console.print, markup=False, highlight=False, soft_wrap=True)
            set_aside(path, "holds other costs: of another build, amount or device", say)
        write_aside(path, record.content())
        write_aside(self.out / f"{self.name}.md", report.markdown(record))
        for table in report.terminal_tables(record):
            self.console.print(table)
        for line in (*report.legend(record), f"Written: {self.out / self.name}.md and {self.name}.json"):
            self.console.print(line, markup=False, highlight=False)
        return record

    @cached_property
    def description(self) -> dict[str, Any]:
        """What decides the figures."""
        run = next(iter(self.bed.runs.values()))
        shared = (
            "network",
            "pretraining",
            "checkpoint_sha256",
            "mu",
            "loss_rounding",
            "train_samples",
            "seed",
            "angle",
        )
        ram, flash = self.firmware.ram, self.firmware.flash
        return {
            **{name: run.description()[name] for name in shared},
            **asdict(self.amount),
            "epochs": list(self.amount.epochs),
            "image": "ram",
            "build_id": {"ram": ram.build_id.hex(), "flash": flash.build_id.hex()},
            "elf_sha256": {"ram": sha256(ram.elf.read_bytes()), "flash": sha256(flash.elf.read_bytes())},
            "code_sha256": code_fingerprint(patterns=CODE),
            "versions": {name: version(name) for name in PACKAGES},
        }

    def _work(self, counters: Sequence[str]) -> Work:
        """What there is to measure, and what of it is kept."""
        parts: dict[str, Part] = {}
        epochs, scale_steps = len(self.amount.epochs), len(self.amount.epochs) * self.amount.scale_steps
        for device in counters:
            for row in self.bed.setting.rows:
                what = self._what(row.name, device)
                kept = epochs if self._path(what).exists() else 0
                parts[what] = Part(epochs, kept, kind=device, weight=self.amount.steps + LOADED)
        kept = scale_steps if self._path(SCALES).exists() else 0
        parts[SCALES] = Part(scale_steps, kept, kind=SCALES, weight=SCALE_STEP)
        return Work("parts measured", parts)

    def _what(self, row: str, device: str) -> str:
        """What decides a row's figures on a device, beside what decides all."""
        described = self.bed.runs[row].description()
        return json.dumps([device, *(described[name] for name in ("row", "method", "theta", "percent", "selection"))])

    def _row(self, row: str, device: str, work: Work) -> tuple[RowCost, ...]:
        what = self._what(row, device)
        measure = partial(self._measure_row, row, device, partial(work.advance, name=what))
        return self._kept(what, measure, tuple[RowCost, ...])

    def _measure_row(self, row: str, device: str, done: Callable[[], None]) -> tuple[RowCost]:
        # A fresh device each, so that no count depends on what was measured before.
        host, counter = _host(), open_cycle_counter(device)
        try:
            info = DebugInfo(self.firmware.ram.debug) if device == EMULATOR else None
            measured = measure_row(self.bed, row, self.amount, host, counter, info, done)
        finally:
            counter.engine.close()
            host.close()
        if not is_for_bars(sys.stderr):
            print(f"{row}, {device}: {report.summary(measured)}", file=sys.stderr, flush=True)
        return (measured,)

    def _scales(self, done: Callable[[], None]) -> tuple[ScalesCost, ...]:
        host, counter = _host(), open_cycle_counter(EMULATOR)
        try:
            return measure_scales(self.bed, self.amount, host, counter, done)
        finally:
            counter.engine.close()
            host.close()

    def _kept(self, what: str, measure: Callable[[], Costs], kind: type[Costs]) -> Costs:
        """What was measured before, or is measured now and kept for the next time."""
        path = self._path(what)
        if path.exists():
            place = Location(f"{path}", "what was measured", "leave it: it is measured again")
            try:
                return costs_from_json(kind, read_json(path, place), place)
            except InputError:
                self.console.print(f"{path} is damaged and measured anew", markup=False, highlight=False)
        measured = measure()
        write_aside(path, json.dumps([asdict(cost) for cost in measured]))
        return measured

    def _path(self, what: str) -> Path:
        """Where that is kept."""
        key = sha256(json.dumps([self.description, what], sort_keys=True).encode())[:16]
        return self.out / "kept" / f"{key}.json"


def is_other(path: Path, record: CostRecord) -> bool:
    """Whether a file of costs was made from something else than a record, or cannot be read."""
    try:
        earlier = read_record(path)
    except InputError:
        return True
    return (earlier.description, earlier.device) != (record.description, record.device)


def _host() -> DeviceEngine:
    engine = open_engine(HOST)
    assert isinstance(engine, DeviceEngine), "the host is a library behind the device's commands"
    return engine
