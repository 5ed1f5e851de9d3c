"""The options of `invoke mutate`, and what it prints in the end."""

import os
from functools import partial
from pathlib import Path
from typing import get_args

from rich.console import Console

from priot_hil.harness.output_kinds import MUTATION_RECORDS, MUTATION_TABLE
from priot_hil.harness.outputs import check_file, check_folder
from priot_hil.harness.paths import ROOT
from priot_hil.reference.errors import InputError

from .campaign import Campaign
from .mutant import Mutant
from .records import Results, Verdict, arguments, fingerprint, stale
from .report import RECORDS, TABLE, is_by_a_case, is_open, read_campaigns, summary, write_report
from .sample import sample
from .sources import all_mutants
from .workshop import MutatedDevice

SURVIVED = 1
RESULTS = Path("results") / "mutation"


def mutate(
    device: str,
    count: int,
    *,
    every: bool = False,
    only: str | None = None,
    again: bool = False,
    shrink: int = 0,
    report: Path | None = None,
) -> int:
    """Tries mutants of the firmware; interrupted, the same command goes on where it stopped.

    Args:
        device: "host" or "emulator".
        count: How many mutants, chosen evenly.
        every: All of them instead.
        only: Those alone whose id has this in it, or one of these with commas.
        again: Try those again that survived before.
        shrink: For how many of the killed to see how small the case becomes.
        report: Folder to write the table to, with its records; None for no table.

    Returns:
        1 where a mutant survived that nobody has argued away, else 0.

    Raises:
        InputError: An option is refused, the parser is missing, or the suite fails on the firmware as it is.
        BuildError: The firmware does not build.
    """
    if device not in get_args(MutatedDevice):
        expected = " or ".join(get_args(MutatedDevice))
        raise InputError.about("device to mutate", expected=expected, got=repr(device), do="name one of them")
    if count < 1:
        raise InputError.about("sample", expected="at least 1", got=count, do="say how many mutants to try")
    check_outputs(report)
    console = Console()
    everything = all_mutants(ROOT / "firmware")
    argued = arguments(device)
    chosen = choose(everything, count, every=every, only=only)
    results = Results(RESULTS / f"{device}.jsonl", fingerprint())
    known = {id_ for id_, record in results.records.items() if not (again and record.verdict is Verdict.SURVIVED)}
    missing = [mutant for mutant in chosen if mutant.id not in known]
    console.print(
        f"{len(everything)} mutants, {len(chosen)} chosen, {len(chosen) - len(missing)} of them tried before",
        highlight=False,
    )
    if missing:
        Campaign(_device(device), results).perform(missing, min(os.cpu_count() or 1, len(missing)), console)
    if large := to_shrink(chosen, results, shrink):
        console.print(f"how small the cases become that killed {len(large)} of them", highlight=False)
        workers = min(os.cpu_count() or 1, len(large))
        Campaign(_device(device), results).perform(large, workers, console, shrinks=True)
    records = [results.records[mutant.id] for mutant in chosen]
    for line in summary(records, argued, stale(argued, everything)):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if report is not None:
        write_report(report, device, records, arguments, len(everything), partial(console.print, soft_wrap=True))
        console.print(f"table: {report}", soft_wrap=True)
    return SURVIVED if any(is_open(record, argued) for record in records) else 0


def check_outputs(report: Path | None) -> None:
    """See that verdicts can be kept, and a table be written.

    Raises:
        InputError: They cannot, or something else is there.
    """
    check_folder(RESULTS)
    if report is not None:
        check_file(report / TABLE, MUTATION_TABLE)
        check_file(report / RECORDS, MUTATION_RECORDS)
        if (report / RECORDS).exists():
            read_campaigns(report / RECORDS)


def choose(everything: list[Mutant], count: int, *, every: bool, only: str | None) -> list[Mutant]:
    """The mutants to try, in the order of the files.

    Raises:
        InputError: No id has what was asked for in it.
    """
    if only is not None:
        parts = [part for part in only.split(",") if part]
        found = [mutant for mutant in everything if any(part in mutant.id for part in parts)]
        if not found:
            expected = "a part of a mutant's id, such as priot_math.h:priot_clip_s8"
            raise InputError.about(
                "only", expected=expected, got=repr(only), do="look one up in docs/results/mutation.md"
            )
        return found
    return everything if every else sample(everything, count)


def to_shrink(chosen: list[Mutant], results: Results, count: int) -> list[Mutant]:
    """Of the mutants that a generated case killed, so many, evenly, but for those whose case is known."""
    killed = [mutant for mutant in chosen if is_by_a_case(results.records[mutant.id])]
    return [mutant for mutant in sample(killed, count) if results.records[mutant.id].size is None]


def _device(name: str) -> MutatedDevice:
    return "emulator" if name == "emulator" else "host"
