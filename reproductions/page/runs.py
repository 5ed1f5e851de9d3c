"""Where each figure comes from: the runs of a cell, with their hashes and the command that verifies them."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from ..chain import linked
from ..records import RunRecord
from ..table import Table, cell_of
from .sections import NOT_RUN, Command, Facts, Fold, Grid, Part, Prose, Section

NONE = "none"
MANY = 40  # as many cells are listed at once
COLUMNS = ("seed", "best, %", "last, %", "epochs", "engines", "key", "SHA-256 of the record", "SHA-256 of the samples")
# What JSON names in a record are called here; those without a name of their own say nothing that their parts do not.
NAMES = {"git": "", "packages": "", "engines": "", "build": "firmware", "is_dirty": "tracked files differ from it"}


def runs_section(table: Table, name: str) -> Section:
    """Every run of a table, by row and angle; the parts have the keys that `key_of` gives.

    Args:
        table: What was run.
        name: Its file, as a command names it.
    """
    experiment = table.experiment
    hashes = record_hashes(table)
    folds = [runs_fold(table, name, row.name, angle, hashes) for row in experiment.rows for angle in experiment.angles]
    how = "Every run behind the figures: what it was made from and by, and the command that recomputes it from scratch."
    if len(folds) > MANY:
        folds = [Fold("runs", f"The runs of all {len(folds)} cells", tuple(folds))]
    return Section("runs", "Runs", (Prose(how), *folds))


def key_of(table: Table, row: str, angle: int) -> str:
    """The key of the runs of a row at an angle."""
    names = [each.name for each in table.experiment.rows]
    return f"runs-{names.index(row) + 1}-at-{angle}"


def record_hashes(table: Table) -> dict[str, str]:
    """The SHA-256 of each record in the chain, by the key of its run."""
    return {line.entry.body["key"]: line.sha256 for line in linked(table.entries())[1:]}


def runs_fold(table: Table, name: str, row: str, angle: int, hashes: Mapping[str, str]) -> Fold:
    """The runs of a row at an angle, those that there are, and the command that verifies them.

    Args:
        table: What was run.
        name: Its file, as a command names it.
        row: The row.
        angle: Degrees.
        hashes: As `record_hashes` gives them.
    """
    records = [record for cell, record in sorted(table.records.items()) if cell[:2] == (row, angle)]
    key, seeds = key_of(table, row, angle), len(table.experiment.seeds)
    count = f"{len(records)} of {seeds} runs" if len(records) < seeds else f"{seeds} run{'s' if seeds > 1 else ''}"
    title = f"{row}, {angle}°: {count}"
    if not records:
        return Fold(key, title, (Prose(f"{NOT_RUN.capitalize()}."),))
    made = [_facts(record) for record in records]
    alike = {fact: value for fact, value in made[0].items() if all(each.get(fact) == value for each in made)}
    others = list(dict.fromkeys(fact for each in made for fact in each if fact not in alike))
    rows = [
        (*_told(record, hashes), *(each.get(fact, NONE) for fact in others))
        for record, each in zip(records, made, strict=True)
    ]
    align = "lrrrl" + "l" * (3 + len(others))
    parts: tuple[Part, ...] = (
        Grid(f"{key}-table", "Seed by seed", (*COLUMNS, *others), tuple(rows), align, is_exported=False),
        Prose("Alike in all of them:"),
        Facts(tuple(alike.items())),
        Prose("To recompute them from scratch; for one run, keep one of the cells:"),
        Command(verify_command(records, name)),
    )
    return Fold(key, title, parts)


def verify_command(records: Sequence[RunRecord], name: str) -> str:
    """The command that recomputes runs, for a shell."""
    cells = [f"--cell {shlex.quote(','.join(map(str, cell_of(record))))}" for record in records]
    return " \\\n    ".join([f"./run invoke verify --records {shlex.quote(name)}", *cells])


def _told(record: RunRecord, hashes: Mapping[str, str]) -> tuple[str, ...]:
    run = record.run
    accuracies = f"{record.best:.1f}", f"{record.last:.1f}"
    engines = ", ".join(run["devices"])
    drawn = record.data.get("drawn_sha256", NONE)
    return (f"{run['seed']}", *accuracies, f"{record.trained}", engines, record.key, hashes[record.key], drawn)


def _facts(record: RunRecord) -> dict[str, str]:
    """What a run was made from and by, but for what `_told` says; more than one maker one below the other."""
    facts = {
        "checkpoint": f"{record.run['network']}, {record.run['pretraining']}",
        "checkpoint SHA-256": record.run["checkpoint_sha256"],
        "code SHA-256": record.run["code_sha256"],
    }
    facts |= {name: value for name, value in flat(record.data).items() if name != "drawn SHA-256"}
    makers = [flat(dict(maker)) for maker in record.made]
    for name in dict.fromkeys(name for maker in makers for name in maker):
        facts[name] = "\n".join(dict.fromkeys(maker.get(name, NONE) for maker in makers))
    return facts


def flat(content: Mapping[str, Any], before: str = "") -> dict[str, str]:
    """JSON of a record as names and texts."""
    facts: dict[str, str] = {}
    for name, value in content.items():
        name = f"{before} {NAMES.get(name, name).replace('sha256', 'SHA-256').replace('_', ' ')}".strip()
        facts |= flat(value, name) if isinstance(value, dict) else {name: _shown(value)}
    return facts


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return NONE if value is None else f"{value}"
