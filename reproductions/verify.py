"""`verify`: whether a table's records hang together, belong to its experiment, and come out again when recomputed."""

import random
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from priot_hil.reference.errors import InputError

from .chain import breaks, read_lines
from .material import MaterialLoader
from .networks import subject
from .plan import NEAREST_UPDATES, Run, code_fingerprint, plan
from .records import EpochRecord, RunRecord
from .runner import Reproduction, cell, check_device, cores, default_console, material_loader
from .table import Cell, Table, check, table_from_entries

__all__ = ["check", "verify"]


def verify(
    path: Path,
    *,
    sample: int = 0,
    cells: Sequence[str] = (),
    seed: int | None = None,
    device: str | None = None,
    jobs: int | None = None,
    console: Console | None = None,
) -> int:
    """Check a table's file, and recompute cells of it from scratch.

    Args:
        path: The file, JSON Lines.
        sample: How many cells to draw and recompute, beside those named.
        cells: Cells to recompute, each as ROW,ANGLE,SEED.
        seed: Of the draw; None for another draw each time.
        device: The engine to recompute on; None for those of each record.
        jobs: Processes; None for one a core.
        console: Where findings go; None for standard output.

    Returns:
        How many things were found wrong.

    Raises:
        InputError: The file is no table, a cell is not in it, or data, checkpoint or device is not to be had.
        KeyboardInterrupt: Ctrl-C.
    """
    console = console or default_console()
    if device is not None:
        check_device(device)
    lines = read_lines(path)
    table = table_from_entries([line.entry for line in lines], path)
    chosen = choose(table, cells, sample, seed)
    findings = [*breaks(lines), *check(table)]
    for finding in findings:
        console.print(f"wrong: {finding}", markup=False, highlight=False, soft_wrap=True)
    console.print(
        f"{path}: {len(lines)} lines, {len(table.records)} of {len(table.cells)} runs; the chain "
        f"{'is broken' if breaks(lines) else 'hangs together'} and ends with {lines[-1].sha256}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    if not chosen:
        return len(findings)
    for name in {device} if device else {name for each in chosen for name in table.records[each].run["devices"]}:
        if name != NEAREST_UPDATES:
            check_device(name)
    loader = material_loader(table.experiment, console)
    return len(findings) + Recomputation(table, loader, device, jobs or cores(), console).perform(chosen)


def choose(table: Table, named: Sequence[str], sample: int, seed: int | None) -> list[Cell]:
    """The cells to recompute in canonical order: those named, and others drawn.

    Raises:
        InputError: A cell is not in the table, or there are not as many.
    """
    there = [each for each in table.cells if each in table.records]
    chosen = {find(each, there) for each in named}
    others = [each for each in there if each not in chosen]
    if not 0 <= sample <= len(others):
        expected = f"0..{len(others)} cells beside those named"
        raise InputError.about("sample", expected=expected, got=sample, do="ask for as many as there are")
    chosen |= set(random.Random(seed).sample(others, sample))
    return [each for each in there if each in chosen]


def find(text: str, cells: Sequence[Cell]) -> Cell:
    """The cell that a text names.

    Raises:
        InputError: There is none.
    """
    for each in cells:
        if [part.strip() for part in text.split(",")] == [each.row, str(each.angle), str(each.seed)]:
            return each
    do = "name a row, an angle and a seed of the table"
    example = f"ROW,ANGLE,SEED such as {','.join(map(str, cells[0]))}" if cells else "a table with records"
    raise InputError.about("cell", expected=example, got=repr(text), do=do)


@dataclass(frozen=True)
class Recomputation:
    """Cells that are computed again, from scratch, by the code that is here.

    Attributes:
        table: What was recorded.
        loader: Data and model.
        device: The engine; None for those of each record.
        jobs: Worker processes.
        console: Where findings go.
    """

    table: Table
    loader: MaterialLoader
    device: str | None
    jobs: int
    console: Console

    def perform(self, cells: Iterable[Cell], code: Callable[[], str] = code_fingerprint) -> int:
        """Recompute cells and say of each whether it is equal.

        Returns:
            How many are not.
        """
        table = self.table
        here = plan(table.experiment, self.device or table.device, None, self.loader.sums, code())
        by_cell = {cell(run): run for run in here}
        runs = {each: self.devices(by_cell[each], table.records[each]) for each in cells}
        performed: dict[str, RunRecord] = {}
        with tempfile.TemporaryDirectory(prefix="priot-verify-") as folder:
            out, device = Path(folder), self.device or table.device
            anew, usual = list(runs.values()), subject(table.experiment.network).engine
            reproduction = Reproduction(
                table.experiment, anew, self.loader, out, device, usual, self.jobs, self.console
            )
            reproduction.perform_left({run: run.epochs + 1 for run in anew}, performed)
        wrong = 0
        for each, run in runs.items():
            recorded, again = table.records[each], performed[run.key]
            found = differences(recorded, again)
            wrong += bool(found)
            self.say(f"{each}: {'wrong: ' + found[0] if found else f'equal, {again.trained} epochs'}")
            for line in found[1:]:
                self.say(f"    and {line}")
            for line in other_makers(recorded, again):
                self.say(f"    {line}")
        return wrong

    def devices(self, run: Run, record: RunRecord) -> Run:
        """The run on the engines of its record, or on the one that was asked for."""
        of_record = tuple(record.run["devices"])
        return run if self.device and of_record != (NEAREST_UPDATES,) else replace(run, devices=of_record)

    def say(self, line: str) -> None:
        """Print a line."""
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)


def differences(recorded: RunRecord, again: RunRecord) -> list[str]:
    """Where a record is not what was recomputed: a sentence for each part, the first epoch of those that differ.

    Cycles are compared where the same engines counted them.
    """
    found = []
    for name in ("data", "scales", "edges"):
        mine, theirs = getattr(recorded, name), getattr(again, name)
        if mine != theirs:
            found.append(f"{name}: {mine} in the file, {theirs} recomputed")
    totals = again.totals.to_json()
    for name, of in recorded.totals.to_json().items():
        if of != totals[name]:
            found.append(f"totals: {name} is out of {of} in the file, {totals[name]} recomputed")
    if recorded.run["checkpoint_sha256"] != again.run["checkpoint_sha256"]:
        mine, theirs = (record.run["checkpoint_sha256"][:16] for record in (recorded, again))
        found.append(f"checkpoint: {mine} in the file, {theirs} recomputed")
    if len(recorded.epochs) != len(again.epochs):
        found.append(f"epochs: {recorded.trained} in the file, {again.trained} recomputed")
    has_cycles = recorded.run["devices"] == again.run["devices"]
    for mine_epoch, again_epoch in zip(recorded.epochs, again.epochs, strict=False):
        if parts := _epoch_differences(mine_epoch, again_epoch, has_cycles):
            return [*found, f"after epoch {again_epoch.epoch}: {', '.join(parts)}"]
    return found


def _epoch_differences(recorded: EpochRecord, again: EpochRecord, has_cycles: bool) -> list[str]:
    mine, theirs = recorded.to_json(), again.to_json()
    mine, theirs = mine | mine.pop("counts"), theirs | theirs.pop("counts")
    if not has_cycles:
        theirs["cycles"] = mine["cycles"]
    return [
        f"{name} is {mine[name]} in the file, {value} recomputed"
        for name, value in theirs.items()
        if mine[name] != value
    ]


def other_makers(recorded: RunRecord, again: RunRecord) -> list[str]:
    """By what a record was made that is not the same here: no fault, but a reader may want to know."""
    lines = []
    if recorded.run["code_sha256"] != again.run["code_sha256"]:
        lines.append("made by other sources than are here")
    here = _flat(dict(again.made[-1]))
    for made in recorded.made:
        there = _flat(dict(made))
        lines += [
            f"made by {name} {value}, here {here[name]}"
            for name, value in there.items()
            if here.get(name, value) != value
        ]
    return lines


def _flat(content: dict[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in content.items():
        flat |= _flat(value, f"{before}{name} ") if isinstance(value, dict) else {before + name: value}
    return flat
